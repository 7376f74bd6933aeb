"""NotifyEvent of OCPP 2.0.1: what the monitors of a station have noticed."""

from __future__ import annotations

from supervision.csms.devices.reading import monitored_events
from supervision.csms.handlers import notices
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services
from supervision.store.db import Tx


async def _event(services: Services, incoming: Incoming, tx: Tx) -> Payload:
    await notices.keep(services, incoming, tx, monitored_events(incoming.payload, incoming.now))
    return {}


HANDLER = Handler(unit=_event)
