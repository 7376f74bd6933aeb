"""ClearedChargingLimit of OCPP 2.0.1: somebody else limits the station no more (K13)."""

from __future__ import annotations

from supervision.csms import wire
from supervision.csms.devices import store
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services
from supervision.store.db import Tx


async def _cleared(_services: Services, incoming: Incoming, tx: Tx) -> Payload:
    source = wire.required_text(incoming.payload, "chargingLimitSource")
    evse_id = wire.whole(incoming.payload, "evseId") or 0
    await store.drop_limit(tx, incoming.station, evse_id=evse_id, source=source)
    tx.touch(incoming.station.topic)
    return {}


HANDLER = Handler(unit=_cleared)
