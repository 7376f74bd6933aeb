"""`supervision quote`: a tariff and a trip in, priced lines and the total out; pure."""

from __future__ import annotations

import json

from supervision.billing.model import Line, Quote, VatShare
from supervision.billing.pricing import price
from supervision.billing.tariff import parse_tariff, parse_trip
from supervision.kernel.reading import Fields, read_json


def run(text: str) -> str:
    """Price `{"tariff": {...}, "trip": {...}}`; returns JSON, raises FieldError on malformed input."""
    read = Fields(read_json(text))
    tariff = parse_tariff(read.raw("tariff"), read.at("tariff"))
    trip = parse_trip(read.raw("trip"), read.at("trip"))
    read.close()
    return json.dumps(quote_document(price(tariff, trip)), indent=2, ensure_ascii=False)


def quote_document(quote: Quote) -> dict[str, object]:
    """JSON-ready values of a quote, as documented in docs/money.md."""
    return {
        "currency": quote.currency,
        "lines": [line_document(line) for line in quote.lines],
        "total_cents": quote.total_cents,
        "fee_cents": quote.fee_cents,
        "vat": [vat_document(share) for share in quote.vat],
    }


def vat_document(share: VatShare) -> dict[str, object]:
    """JSON-ready values of the tax of one rate."""
    return {
        "vat_rate": str(share.vat_rate),
        "net_cents": share.net_cents,
        "vat_cents": share.vat_cents,
        "gross_cents": share.gross_cents,
    }


def line_document(line: Line) -> dict[str, object]:
    """JSON-ready values of one line."""
    return {
        "code": line.code,
        "quantity": line.quantity,
        "unit": line.unit,
        "unit_cents": line.unit_cents,
        "amount_cents": line.amount_cents,
        "vat_rate": str(line.vat_rate),
        "params": dict(line.params),
    }
