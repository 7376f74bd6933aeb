"""ReservationStatusUpdate of OCPP 2.0.1: a reservation ran out or was given up."""

from __future__ import annotations

from supervision.csms import wire
from supervision.csms.devices import store
from supervision.csms.devices.model import ReservationState
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services
from supervision.store.db import Tx

_STATES = {"Expired": ReservationState.EXPIRED, "Removed": ReservationState.REMOVED}


async def _update(_services: Services, incoming: Incoming, tx: Tx) -> Payload:
    number = wire.whole(incoming.payload, "reservationId")
    state = _STATES.get(wire.required_text(incoming.payload, "reservationUpdateStatus"))
    if number is not None and state is not None:
        await store.end_reservation(tx, incoming.station, number, state, incoming.now)
    tx.touch(incoming.station.topic)
    return {}


HANDLER = Handler(unit=_update)
