"""BootNotification of OCPP 1.6: what a station is."""

from __future__ import annotations

from supervision.csms import v16
from supervision.csms.handlers import common
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services
from supervision.store.db import Tx


async def _boot(services: Services, incoming: Incoming, tx: Tx) -> Payload:
    await common.boot(incoming, tx, v16.boot(incoming.payload))
    return v16.boot_answer(incoming.now, services.boot_interval_s)


HANDLER = Handler(unit=_boot)
