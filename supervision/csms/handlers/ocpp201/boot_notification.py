"""BootNotification of OCPP 2.0.1: what a station is."""

from __future__ import annotations

from supervision.csms import v201
from supervision.csms.handlers import common
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services
from supervision.store.db import Tx


async def _boot(services: Services, incoming: Incoming, tx: Tx) -> Payload:
    await common.boot(incoming, tx, v201.boot(incoming.payload))
    return v201.boot_answer(incoming.now, services.boot_interval_s)


HANDLER = Handler(unit=_boot)
