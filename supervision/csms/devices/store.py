"""SQL of notices, errands, limits set by others and reservations of EVSEs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table, and_, delete, insert, select, update

from supervision.csms.devices.model import (
    OVER,
    ErrandKind,
    ErrandOrder,
    ErrandState,
    Notice,
    ReservationState,
    pages_in_order,
    state_of,
)
from supervision.csms.masking import token_hint
from supervision.csms.store import Station, of_station
from supervision.store.db import Database, Reader, Tx
from supervision.store.schema import (
    charging_limits,
    device_notices,
    errand_pages,
    errands,
    evse_reservations,
)

MAX_PAGES = 5000  # of one report, as a bound on what a station can make us keep
_OVER = tuple(state.value for state in OVER)

Row = Mapping[str, Any]


def _owner(station: Station) -> dict[str, str]:
    return {"organisation_id": station.organisation_id, "charging_station": station.identity}


async def _upsert(tx: Tx, db: Database, table: Table, row: Mapping[str, Any], key: Sequence[str]) -> None:
    """Insert a row, or replace the one with the same key if it is of the same organisation."""
    mine = table.c.organisation_id == row["organisation_id"]
    await tx.execute(
        db.insert(table)
        .values(**row)
        .on_conflict_do_update(index_elements=list(key), set_=dict(row), where=mine)
    )


# --- notices ------------------------------------------------------------------------------------------


async def keep_notice(
    tx: Tx, db: Database, station: Station, notice: Notice, received_at: datetime
) -> int | None:
    """Store a notice; None when the station repeats one that is here already."""
    statement = (
        db.insert(device_notices)
        .values(
            **_owner(station),
            evse_id=notice.evse_id,
            kind=notice.kind.value,
            name=notice.name,
            key=notice.key[:500],
            at=notice.at,
            received_at=received_at,
            alarming=notice.alarming,
            cleared=notice.cleared,
            details=dict(notice.details),
        )
        .on_conflict_do_nothing()
        .returning(device_notices.c.id)
    )
    found: int | None = await tx.scalar(statement)
    return found


# --- errands ------------------------------------------------------------------------------------------


async def told(
    tx: Tx, station: Station, kind: ErrandKind, request_id: int | None, word: str, now: datetime
) -> None:
    """Note the station's own word about its errand.

    `Idle` only answers a question: it ends nothing and begins nothing.
    """
    state = state_of(word)
    if state is None:
        return
    known = await _errand(tx, station, kind, request_id)
    if known is None:
        await _begin(tx, station, kind, request_id, word, state, now)
    else:
        await _move(tx, station, known["id"], word, state, now)


async def ordered(
    tx: Tx, station: Station, order: ErrandOrder, command_id: str, *, sent_at: datetime, now: datetime
) -> None:
    """Note that a command has sent the station on an errand; its own words may have come before."""
    mine = select(errands.c.id).where(of_station(errands, station), errands.c.command_id == command_id)
    if await tx.scalar(mine) is not None:
        return
    if order.cancels_others:
        await _cancel_others(tx, station, order, now)
    known = await _told_already(tx, station, order, sent_at)
    if known is None:
        await _begin(
            tx, station, order.kind, order.request_id, order.word, order.state, now, command_id=command_id
        )
        return
    await tx.execute(
        update(errands)
        .where(of_station(errands, station), errands.c.id == known)
        .values(command_id=command_id)
    )


async def _told_already(tx: Tx, station: Station, order: ErrandOrder, sent_at: datetime) -> int | None:
    """The errand of this command that the station has spoken of since it was sent."""
    statement = (
        select(errands.c.id)
        .where(
            of_station(errands, station),
            errands.c.kind == order.kind.value,
            errands.c.command_id.is_(None),
            errands.c.begun_at >= sent_at,
        )
        .order_by(errands.c.id.desc())
        .limit(1)
    )
    if order.request_id is not None:
        statement = statement.where(errands.c.request_id == order.request_id)
    found: int | None = await tx.scalar(statement)
    return found


async def _errand(tx: Reader, station: Station, kind: ErrandKind, request_id: int | None) -> Row | None:
    """The errand a word is about: that of its number, or the newest one where there is none."""
    statement = select(errands).where(of_station(errands, station), errands.c.kind == kind.value)
    if request_id is not None:
        return await tx.first(statement.where(errands.c.request_id == request_id))
    return await tx.first(
        statement.where(errands.c.state.not_in(_OVER)).order_by(errands.c.id.desc()).limit(1)
    )


async def _begin(
    tx: Tx,
    station: Station,
    kind: ErrandKind,
    request_id: int | None,
    word: str,
    state: ErrandState,
    now: datetime,
    *,
    command_id: str | None = None,
) -> int:
    """Begin an errand; one of the same number is over and gives way, its pages with it."""
    if request_id is not None:
        await _forget(tx, station, kind, request_id)
    statement = (
        insert(errands)
        .values(
            **_owner(station),
            kind=kind.value,
            request_id=request_id,
            command_id=command_id,
            word=word,
            state=state.value,
            begun_at=now,
            told_at=now,
            finished_at=now if state in OVER else None,
        )
        .returning(errands.c.id)
    )
    return int(await tx.scalar(statement))


async def _forget(tx: Tx, station: Station, kind: ErrandKind, request_id: int) -> None:
    same = and_(
        of_station(errands, station), errands.c.kind == kind.value, errands.c.request_id == request_id
    )
    await tx.execute(
        delete(errand_pages).where(
            errand_pages.c.organisation_id == station.organisation_id,
            errand_pages.c.errand_id.in_(select(errands.c.id).where(same)),
        )
    )
    await tx.execute(delete(errands).where(same))


async def _move(
    tx: Tx, station: Station, errand_id: int, word: str, state: ErrandState, now: datetime
) -> None:
    await tx.execute(
        update(errands)
        .where(of_station(errands, station), errands.c.id == errand_id)
        .values(word=word, state=state.value, told_at=now, finished_at=now if state in OVER else None)
    )


async def _cancel_others(tx: Tx, station: Station, order: ErrandOrder, now: datetime) -> None:
    others = and_(
        of_station(errands, station), errands.c.kind == order.kind.value, errands.c.state.not_in(_OVER)
    )
    if order.request_id is not None:
        others = and_(others, errands.c.request_id != order.request_id)
    await tx.execute(
        update(errands)
        .where(others)
        .values(word="AcceptedCanceled", state=ErrandState.CANCELLED.value, told_at=now, finished_at=now)
    )


async def keep_page(
    tx: Tx,
    db: Database,
    station: Station,
    kind: ErrandKind,
    request_id: int,
    *,
    seq_no: int,
    last: bool,
    payload: Mapping[str, Any],
    now: datetime,
) -> None:
    """Store one page of a report; the errand is done when all pages up to the last are here."""
    known = await _errand(tx, station, kind, request_id)
    if known is None:
        errand_id = await _begin(tx, station, kind, request_id, "Reporting", ErrandState.UNDER_WAY, now)
    else:
        errand_id = known["id"]
    if not 0 <= seq_no < MAX_PAGES:
        return
    row = {
        "errand_id": errand_id,
        "seq_no": seq_no,
        "organisation_id": station.organisation_id,
        "last": last,
        "payload": dict(payload),
        "received_at": now,
    }
    await _upsert(tx, db, errand_pages, row, ["errand_id", "seq_no"])
    whole = pages_in_order(await page_marks(tx, station.organisation_id, errand_id))
    state = ErrandState.DONE if whole else ErrandState.UNDER_WAY
    await _move(tx, station, errand_id, "Reported" if whole else "Reporting", state, now)


async def next_page(
    tx: Reader, station: Station, kind: ErrandKind, request_id: int, payload: Mapping[str, Any]
) -> int:
    """Number a page that carries no number: the next one, or that of the same page sent before.

    A report that is whole begins anew: the station was asked again under the same number.
    """
    known = await _errand(tx, station, kind, request_id)
    if known is None or known["state"] in _OVER:
        return 0
    pages = await pages_of(tx, station.organisation_id, known["id"])
    same = [page["seq_no"] for page in pages if page["payload"] == payload]
    return int(same[0]) if same else len(pages)


async def page_marks(tx: Reader, organisation_id: str, errand_id: int) -> dict[int, bool]:
    """Return for each page that is here whether it said to be the last."""
    table = errand_pages
    rows = await tx.all(
        select(table.c.seq_no, table.c.last).where(
            table.c.organisation_id == organisation_id, table.c.errand_id == errand_id
        )
    )
    return {row["seq_no"]: row["last"] for row in rows}


async def pages_of(tx: Reader, organisation_id: str, errand_id: int) -> Sequence[Row]:
    """Return the pages of a report in their order."""
    table = errand_pages
    return await tx.all(
        select(table)
        .where(table.c.organisation_id == organisation_id, table.c.errand_id == errand_id)
        .order_by(table.c.seq_no)
    )


# --- limits set by others -----------------------------------------------------------------------------


async def put_limit(
    tx: Tx,
    db: Database,
    station: Station,
    *,
    evse_id: int,
    source: str,
    grid_critical: bool,
    schedules: Sequence[Any],
    at: datetime,
) -> None:
    """Keep a limit somebody else has set; the newest of a source replaces its former one."""
    row = {
        **_owner(station),
        "evse_id": evse_id,
        "source": source,
        "grid_critical": grid_critical,
        "charging_schedules": list(schedules),
        "at": at,
    }
    await _upsert(tx, db, charging_limits, row, ["charging_station", "evse_id", "source"])


async def drop_limit(tx: Tx, station: Station, *, evse_id: int, source: str) -> None:
    """Forget a limit that its source has lifted."""
    table = charging_limits
    await tx.execute(
        delete(table).where(of_station(table, station), table.c.evse_id == evse_id, table.c.source == source)
    )


# --- reservations of EVSEs ----------------------------------------------------------------------------


async def hold_evse(
    tx: Tx,
    db: Database,
    station: Station,
    *,
    reservation_id: int,
    evse_id: int,
    token: str,
    expires_at: datetime | None,
    now: datetime,
) -> None:
    """Note that the station holds an EVSE for a badge; the same id again replaces the reservation."""
    row = {
        **_owner(station),
        "evse_reservation_id": reservation_id,
        "evse_id": evse_id,
        "token_hint": token_hint(token),
        "expires_at": expires_at,
        "state": ReservationState.HELD.value,
        "state_at": now,
    }
    await _upsert(tx, db, evse_reservations, row, ["charging_station", "evse_reservation_id"])


async def end_reservation(
    tx: Tx, station: Station, reservation_id: int, state: ReservationState, now: datetime
) -> None:
    """Note what became of a reservation; only one that is still held has an end."""
    table = evse_reservations
    await tx.execute(
        update(table)
        .where(
            of_station(table, station),
            table.c.evse_reservation_id == reservation_id,
            table.c.state == ReservationState.HELD.value,
        )
        .values(state=state.value, state_at=now)
    )
