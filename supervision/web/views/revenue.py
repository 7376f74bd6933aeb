"""What was invoiced today."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from supervision.services import Services


async def revenue_on(services: Services, organisation_id: str, zone: ZoneInfo, *, now: datetime) -> int:
    """Sum of the invoices and credit notes issued on the local day of `now`, in cents."""
    today = now.astimezone(zone).date()
    total_cents, after = 0, None
    while True:
        page = await services.billing.invoices(organisation_id, limit=200, after=after)
        issued = [stored.invoice for stored in page.items if stored.invoice.issued_on == today]
        total_cents += sum(invoice.total_cents for invoice in issued)
        if page.next is None or len(issued) < len(page.items):
            return total_cents
        after = page.next
