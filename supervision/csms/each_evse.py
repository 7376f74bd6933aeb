"""What to ask of each EVSE when a station keeps the availability of the whole as it is (quirk 45). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

ACTION = "ChangeAvailability"
_WORST_FIRST = ("Rejected", "Scheduled", "Accepted")

Payload = Mapping[str, Any]


def instead(action: str, payload: Payload, response: Payload, evse_ids: Sequence[int]) -> list[Payload]:
    """Return the payloads for each EVSE in place of a refused one for all; none where nothing helps."""
    if action != ACTION or response.get("status") != "Rejected":
        return []
    if "operationalStatus" in payload:  # 2.0.1: no evse is the whole station
        return [] if "evse" in payload else [{**payload, "evse": {"id": evse_id}} for evse_id in evse_ids]
    return [{**payload, "connectorId": evse_id} for evse_id in evse_ids if payload.get("connectorId") == 0]


def as_one(responses: Sequence[Payload]) -> Payload | None:
    """Return what the EVSEs answered as one answer: that of the one that did least; None without any."""
    told = {response.get("status"): response for response in responses}
    return next((told[word] for word in _WORST_FIRST if word in told), None)
