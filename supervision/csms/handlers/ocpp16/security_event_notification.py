"""SecurityEventNotification of OCPP 1.6: kept, and an alarm when a person should look."""

from __future__ import annotations

from supervision.csms.devices.reading import security_event
from supervision.csms.handlers import notices
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services
from supervision.store.db import Tx


async def _security_event(services: Services, incoming: Incoming, tx: Tx) -> Payload:
    await notices.keep(services, incoming, tx, [security_event(incoming.payload, incoming.now)])
    return {}


HANDLER = Handler(unit=_security_event)
