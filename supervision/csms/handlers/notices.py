"""What the messages about a station itself have in common: notices, errands and their pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from supervision.csms import wire
from supervision.csms.devices import store
from supervision.csms.devices.model import ErrandKind, Notice, ReservationState
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services
from supervision.kernel.events import DeviceNoticeReceived
from supervision.store.db import Tx


def told(read: Callable[[Payload, datetime], Iterable[Notice]]) -> Handler:
    """A message that `read` reads as notices; the answer is empty."""

    async def unit(services: Services, incoming: Incoming, tx: Tx) -> Payload:
        await _keep(services, incoming, tx, read(incoming.payload, incoming.now))
        return {}

    return Handler(unit=unit)


async def _keep(services: Services, incoming: Incoming, tx: Tx, notices: Iterable[Notice]) -> None:
    """Store notices; those that alarm somebody, or end an alarm, are told to the others."""
    station = incoming.station
    for notice in notices:
        notice_id = await store.keep_notice(tx, services.db, station, notice, incoming.now)
        if notice_id is not None and (notice.alarming or notice.cleared):
            tx.emit(
                DeviceNoticeReceived(
                    **station.about,
                    notice_id=notice_id,
                    kind=notice.kind.value,
                    about=notice.name,
                    cleared=notice.cleared,
                )
            )
    tx.touch(station.topic)


def progress(kind: ErrandKind) -> Handler:
    """A message that tells how far the station is with an errand; the answer is empty."""

    async def unit(_services: Services, incoming: Incoming, tx: Tx) -> Payload:
        number = wire.whole(incoming.payload, "requestId")
        word = wire.required_text(incoming.payload, "status")
        await store.told(tx, incoming.station, kind, number, word, incoming.now)
        tx.touch(incoming.station.topic)
        return {}

    return Handler(unit=unit)


def page(kind: ErrandKind) -> Handler:
    """A message that carries one numbered page of a report; the answer is empty."""

    async def unit(services: Services, incoming: Incoming, tx: Tx) -> Payload:
        await keep_page(services, incoming, tx, kind)
        return {}

    return Handler(unit=unit)


def unnumbered_page(kind: ErrandKind) -> Handler:
    """A message that carries a page of a report without saying which; they come in order."""

    async def unit(services: Services, incoming: Incoming, tx: Tx) -> Payload:
        number = wire.whole(incoming.payload, "requestId") or 0
        seq_no = await store.next_page(tx, incoming.station, kind, number, incoming.payload)
        await keep_page(services, incoming, tx, kind, seq_no=seq_no)
        return {}

    return Handler(unit=unit)


async def keep_page(
    services: Services, incoming: Incoming, tx: Tx, kind: ErrandKind, *, seq_no: int | None = None
) -> None:
    """Store the page in hand under its number, or under `seq_no` when the message numbers none."""
    payload = incoming.payload
    await store.keep_page(
        tx,
        services.db,
        incoming.station,
        kind,
        wire.whole(payload, "requestId") or 0,
        seq_no=(wire.whole(payload, "seqNo") or 0) if seq_no is None else seq_no,
        last=payload.get("tbc") is not True,
        payload=payload,
        now=incoming.now,
    )
    tx.touch(incoming.station.topic)


async def reservation_used(incoming: Incoming, tx: Tx, reservation_id: Any) -> None:
    """Note that a charge was started on a reservation."""
    if isinstance(reservation_id, int) and not isinstance(reservation_id, bool):
        used = ReservationState.USED
        await store.end_reservation(tx, incoming.station, reservation_id, used, incoming.now)
