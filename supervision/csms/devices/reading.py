"""Notices out of the payloads of both versions: tolerant, without side effects."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from supervision.csms import wire
from supervision.csms.devices.model import ALARMING_EVENTS, Notice, NoticeKind, shortened
from supervision.csms.model import trusted_time

_NAME = 100
_EVENT_FACTS = (
    "trigger",
    "actualValue",
    "techCode",
    "techInfo",
    "cleared",
    "transactionId",
    "variableMonitoringId",
    "eventNotificationType",
    "cause",
)


def security_event(payload: Mapping[str, Any], received_at: datetime) -> Notice:
    """Read a SecurityEventNotification: `type` and `techInfo` are the same in both versions."""
    name = wire.required_text(payload, "type")[:_NAME]
    at = trusted_time(wire.moment(payload.get("timestamp")), received_at)
    return Notice(
        kind=NoticeKind.SECURITY,
        name=name,
        at=at,
        key=f"security|{name}|{payload.get('timestamp')}|{str(payload.get('techInfo'))[:_NAME]}",
        alarming=name in ALARMING_EVENTS,
        details=shortened(payload, ["techInfo"]),
    )


def monitored_events(payload: Mapping[str, Any], received_at: datetime) -> list[Notice]:
    """Read a NotifyEvent (2.0.1 N07): one notice for each item.

    An alert whose condition is over comes again with `cleared`; a periodic or changed value asks for nobody.
    """
    data = payload.get("eventData")
    return [_monitored(item, received_at) for item in data or [] if isinstance(item, dict)]


def _monitored(item: Mapping[str, Any], received_at: datetime) -> Notice:
    component, variable = wire.inner(item, "component"), wire.inner(item, "variable")
    name = f"{wire.text(component, 'name')}.{wire.text(variable, 'name')}"[:_NAME]
    cleared = item.get("cleared") is True
    return Notice(
        kind=NoticeKind.MONITORING,
        name=name,
        at=trusted_time(wire.moment(item.get("timestamp")), received_at),
        key=f"monitoring|{item.get('eventId')}|{item.get('timestamp')}|{name}",
        alarming=item.get("trigger") == "Alerting" and not cleared,
        cleared=cleared,
        evse_id=wire.whole(wire.inner(component, "evse"), "id"),
        details=shortened(item, _EVENT_FACTS),
    )
