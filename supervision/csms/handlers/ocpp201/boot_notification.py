"""BootNotification of OCPP 2.0.1: what a station is."""

from __future__ import annotations

from supervision.csms import v201
from supervision.csms.handlers import common
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services
from supervision.csms.holding import RETRY_S, Registration
from supervision.store.db import Tx


async def _boot(services: Services, incoming: Incoming, tx: Tx) -> Payload:
    answered = await common.boot(services, incoming, tx, v201.boot(incoming.payload))
    interval_s = services.boot_interval_s if answered is Registration.ACCEPTED else RETRY_S
    return v201.boot_answer(incoming.now, interval_s, answered)


HANDLER = Handler(unit=_boot)
