"""NotifyChargingLimit of OCPP 2.0.1: somebody else limits the station (K12)."""

from __future__ import annotations

from supervision.csms import wire
from supervision.csms.devices import store
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services
from supervision.store.db import Tx


async def _limit(services: Services, incoming: Incoming, tx: Tx) -> Payload:
    limit = wire.inner(incoming.payload, "chargingLimit")
    await store.put_limit(
        tx,
        services.db,
        incoming.station,
        evse_id=wire.whole(incoming.payload, "evseId") or 0,
        source=wire.required_text(limit, "chargingLimitSource"),
        grid_critical=limit.get("isGridCritical") is True,
        schedules=incoming.payload.get("chargingSchedule") or [],
        at=incoming.now,
    )
    tx.touch(incoming.station.topic)
    return {}


HANDLER = Handler(unit=_limit)
