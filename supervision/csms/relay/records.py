"""SQL of relays: where one stands in the journal, what its backend answered, how it knows our charges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, select, update

from supervision.csms.frame import Version
from supervision.csms.machine import State
from supervision.csms.masking import storable_frame
from supervision.csms.relay.model import Owner, Relay, StationFacts, Trouble
from supervision.csms.relay.passing import Entry
from supervision.csms.store import Station, of_station
from supervision.store.db import Database, Reader, Tx, across_tenants
from supervision.store.schema import (
    charging_stations,
    charging_transactions,
    evses,
    frames,
    relay_answers,
    relay_charging_ids,
    relays,
)

Row = Mapping[str, Any]

AT_ONCE = 100  # frames read in one go
MOST_COUNTED = 10_000
ANSWERS_LOOKED_AT = 50  # our frames after a start; its answer stands right behind it
_START = across_tenants("the relays of every organisation run in this process")
_NOT_SAID = "{}"


def with_station() -> Any:
    """A relay with the car-sharing station of its charging station."""
    return select(relays, charging_stations.c.station_id).join(
        charging_stations,
        and_(
            charging_stations.c.identity == relays.c.charging_station,
            charging_stations.c.organisation_id == relays.c.organisation_id,
        ),
    )


def of(organisation_id: str, identity: str) -> ColumnElement[bool]:
    """The condition that names one relay."""
    return and_(relays.c.organisation_id == organisation_id, relays.c.charging_station == identity)


def relay_from(row: Row) -> Relay:
    """Read a row of `with_station`."""
    return Relay(
        organisation_id=row["organisation_id"],
        charging_station=row["charging_station"],
        station_id=row["station_id"],
        url=row["url"],
        identity=row["identity"],
        password_sealed=row["password_sealed"],
        owner=Owner(row["owner"]),
        changed_at=row["changed_at"],
    )


async def every_relay(db: Database) -> list[Relay]:
    """Return the relays of all organisations."""
    async with db.read(_START) as reader:
        return [relay_from(row) for row in await reader.all(with_station())]


async def nobody_is_connected(db: Database) -> None:
    """After a restart no relay is connected."""

    async def unit(tx: Tx) -> None:
        await tx.execute(update(relays).where(relays.c.connected_at.is_not(None)).values(connected_at=None))

    await db.write(_START, unit)


async def newest_frame(reader: Reader, organisation_id: str, identity: str) -> int:
    """Return the id of the newest frame of a station, 0 without any."""
    found = await reader.scalar(
        select(func.max(frames.c.id)).where(
            frames.c.organisation_id == organisation_id, frames.c.charging_station == identity
        )
    )
    return int(found or 0)


async def beginning(reader: Reader, organisation_id: str, identity: str, *, since: datetime) -> int:
    """Return the frame a new relay begins after: just before the oldest charge still open, begun `since`.

    So the backend is told of no stop without its start. An older charge, most likely one whose end was lost,
    is told of from here on.
    """
    newest = await newest_frame(reader, organisation_id, identity)
    table = charging_transactions
    charges = await reader.all(
        select(table.c.ocpp, table.c.ocpp_transaction_id).where(
            table.c.organisation_id == organisation_id,
            table.c.charging_station == identity,
            table.c.state == State.OPEN.value,
            table.c.started_at >= since,
        )
    )
    begun = [newest]
    for charge in charges:
        # 1.6 gives the id in our answer, right behind the start; 2.0.1 in the start itself.
        named = charge["ocpp_transaction_id"]
        text = f'"transactionId":{named}' if charge["ocpp"] == Version.V16.number else f'"{named}"'
        first = await reader.scalar(
            select(func.min(frames.c.id)).where(
                frames.c.organisation_id == organisation_id,
                frames.c.charging_station == identity,
                frames.c.at >= since,
                frames.c.frame.contains(text, autoescape=True),
            )
        )
        begun += [] if first is None else [first - (2 if charge["ocpp"] == Version.V16.number else 1)]
    return max(0, min(begun))


async def waiting(reader: Reader, row: Row) -> int:
    """Count what the station has said and the relay has not looked at, up to `MOST_COUNTED`."""
    said = (
        select(frames.c.id)
        .where(
            frames.c.organisation_id == row["organisation_id"],
            frames.c.charging_station == row["charging_station"],
            frames.c.id > row["after_frame"],
            frames.c.direction == "in",
        )
        .limit(MOST_COUNTED)
        .subquery()
    )
    return int(await reader.scalar(select(func.count()).select_from(said)))


class Records:
    """The rows of one relay."""

    def __init__(self, db: Database, relay: Relay) -> None:
        self._db = db
        self._relay = relay
        self._tenant = relay.organisation_id
        self._identity = relay.charging_station
        self._station = Station(
            identity=relay.charging_station,
            organisation_id=relay.organisation_id,
            station_id=relay.station_id,
        )

    # --- reading ----------------------------------------------------------------------------------------

    async def progress(self) -> tuple[int, int] | None:
        """Return the frame everything is dealt with up to, and the tries of the next; None: it is removed."""
        async with self._db.read(self._tenant) as reader:
            row = await reader.first(
                select(relays.c.after_frame, relays.c.tries).where(of(self._tenant, self._identity))
            )
        return None if row is None else (row["after_frame"], row["tries"])

    async def station(self) -> StationFacts:
        """Return what is known of the station now."""
        table = charging_stations
        async with self._db.read(self._tenant) as reader:
            row = await reader.first(
                select(table.c.ocpp, table.c.boot, table.c.connected_at, table.c.disconnected_at).where(
                    table.c.organisation_id == self._tenant, table.c.identity == self._identity
                )
            )
            told = await reader.all(
                select(evses.c.evse_id, evses.c.status, evses.c.error_code, evses.c.status_at).where(
                    of_station(evses, self._station)
                )
            )
        if row is None:
            return StationFacts(version=None, online=False, boot=None, evses={})
        return StationFacts(
            version=Version.numbered(row["ocpp"]),
            online=row["connected_at"] is not None and row["disconnected_at"] is None,
            boot=row["boot"],
            evses={one["evse_id"]: (one["status"], one["error_code"], one["status_at"]) for one in told},
        )

    async def newest(self) -> int:
        """Return the id of the newest frame."""
        async with self._db.read(self._tenant) as reader:
            return await newest_frame(reader, self._tenant, self._identity)

    async def entries(self, after: int, limit: int = AT_ONCE) -> list[Entry]:
        """Return frames behind one, in order."""
        return await self._entries(frames.c.id > after, limit=limit)

    async def is_behind(self) -> bool:
        """Tell whether the station has said something that was not looked at."""
        progress = await self.progress()
        if progress is None:
            return False
        said = await self._entries(frames.c.id > progress[0], frames.c.direction == "in", limit=1)
        return bool(said)

    async def answers_after(self, frame_id: int) -> Iterator[str]:
        """Return our next frames: among them is the answer to this one."""
        found = await self._entries(
            frames.c.id > frame_id, frames.c.direction == "out", limit=ANSWERS_LOOKED_AT
        )
        return (entry.text for entry in found)

    async def _entries(self, *conditions: ColumnElement[bool], limit: int) -> list[Entry]:
        async with self._db.read(self._tenant) as reader:
            rows = await reader.all(
                select(frames.c.id, frames.c.at, frames.c.direction, frames.c.frame, frames.c.problem)
                .where(of_station(frames, self._station), *conditions)
                .order_by(frames.c.id)
                .limit(limit)
            )
        return [
            Entry(
                id=row["id"],
                at=row["at"],
                direction=row["direction"],
                text=row["frame"],
                problem=row["problem"],
            )
            for row in rows
        ]

    async def theirs(self, ours: int) -> int | None:
        """Return the backend's id of a charging transaction."""
        return await self._charging_id(relay_charging_ids.c.theirs, relay_charging_ids.c.ours == ours)

    async def ours(self, theirs: int) -> int | None:
        """Return our id of a charging transaction; the newest, should the backend give one id twice."""
        return await self._charging_id(relay_charging_ids.c.ours, relay_charging_ids.c.theirs == theirs)

    async def _charging_id(self, wanted: ColumnElement[int], known: ColumnElement[bool]) -> int | None:
        table = relay_charging_ids
        async with self._db.read(self._tenant) as reader:
            found = await reader.scalar(
                select(wanted)
                .where(of_station(table, self._station), known)
                .order_by(table.c.ours.desc())
                .limit(1)
            )
        return None if found is None else int(found)

    # --- writing ----------------------------------------------------------------------------------------

    async def delivered(
        self,
        entry: Entry,
        answer: str,
        now: datetime,
        *,
        ids: tuple[int, int] | None = None,
        trouble: Trouble | None = None,
    ) -> None:
        """A message was answered: keep the answer, the id it gave (ours, theirs), and go on after it."""
        told = {} if trouble is None else {"error": trouble.value, "error_at": now}

        async def unit(tx: Tx) -> None:
            await self._keep_answer(tx, entry, answer, now)
            if ids is not None:
                await self._learn(tx, *ids)
            await self._go_on(tx, entry.id, delivered=relays.c.delivered + 1, **told)

        await self._db.write(self._tenant, unit)

    async def refused(self, entry: Entry, answer: str, now: datetime, *, over: bool) -> None:
        """A message of a charge was answered by a CALLERROR; `over`: it is not told again."""

        async def unit(tx: Tx) -> None:
            await self._keep_answer(tx, entry, answer, now)
            trouble = {"error": Trouble.CALL_REFUSED.value, "error_at": now}
            if over:
                await self._go_on(tx, entry.id, refused=relays.c.refused + 1, **trouble)
            else:
                await self._change(tx, tries=relays.c.tries + 1, **trouble)

        await self._db.write(self._tenant, unit)

    async def lost(self, entry: Entry, now: datetime) -> None:
        """A message of a charge cannot be told at all."""

        async def unit(tx: Tx) -> None:
            trouble = {"error": Trouble.CANNOT_BE_TOLD.value, "error_at": now}
            await self._go_on(tx, entry.id, lost=relays.c.lost + 1, **trouble)

        await self._db.write(self._tenant, unit)

    async def passed_over(self, frame_id: int) -> None:
        """Nothing up to this frame is left to be told."""
        await self._db.write(self._tenant, lambda tx: self._go_on(tx, frame_id))

    async def connected(self, now: datetime) -> None:
        """The line stands and the backend has accepted the station."""
        await self._db.write(self._tenant, lambda tx: self._change(tx, connected_at=now))

    async def disconnected(self) -> None:
        """The line is gone, in good order."""
        await self._db.write(self._tenant, lambda tx: self._change(tx, connected_at=None))

    async def troubled(self, trouble: Trouble, now: datetime) -> None:
        """The backend cannot be told anything now, and why."""
        await self._db.write(
            self._tenant,
            lambda tx: self._change(tx, error=trouble.value, error_at=now, connected_at=None),
        )

    async def _go_on(self, tx: Tx, frame_id: int, **values: Any) -> None:
        await self._change(tx, after_frame=frame_id, tries=0, **values)

    async def _change(self, tx: Tx, **values: Any) -> None:
        await tx.execute(update(relays).where(of(self._tenant, self._identity)).values(**values))
        tx.touch(f"relay:{self._identity}")

    async def _keep_answer(self, tx: Tx, entry: Entry, answer: str, now: datetime) -> None:
        if answer.endswith(f",{_NOT_SAID}]") and answer.startswith("[3,"):
            return
        await tx.execute(
            insert(relay_answers).values(
                organisation_id=self._tenant,
                charging_station=self._identity,
                frame_id=entry.id,
                at=now,
                answer=storable_frame(answer),
            )
        )

    async def _learn(self, tx: Tx, ours: int, theirs: int) -> None:
        """The last answer counts, as it would for a station that repeats its start."""
        table = relay_charging_ids
        statement = self._db.insert(table).values(
            organisation_id=self._tenant, charging_station=self._identity, ours=ours, theirs=theirs
        )
        await tx.execute(
            statement.on_conflict_do_update(
                index_elements=[table.c.charging_station, table.c.ours],
                set_={"theirs": theirs},
                where=table.c.organisation_id == self._tenant,
            )
        )


async def own_answer_stands(db: Database, organisation_id: str, identity: str) -> None:
    """Count an answer of ours that stood although the backend's was wanted."""

    async def unit(tx: Tx) -> None:
        await tx.execute(
            update(relays).where(of(organisation_id, identity)).values(own_answers=relays.c.own_answers + 1)
        )

    await db.write(organisation_id, unit)


async def forget_relay(tx: Tx, organisation_id: str, identity: str) -> int:
    """Remove a relay with the ids of its backend; return how many relays that were."""
    table = relay_charging_ids
    await tx.execute(
        delete(table).where(table.c.organisation_id == organisation_id, table.c.charging_station == identity)
    )
    return await tx.execute(delete(relays).where(of(organisation_id, identity)))


async def newest_answers(
    reader: Reader, organisation_id: str, identity: str, *, before: int | None, limit: int
) -> Sequence[Row]:
    """Return answers of the backend, newest first."""
    table = relay_answers
    statement = (
        select(table)
        .where(table.c.organisation_id == organisation_id, table.c.charging_station == identity)
        .order_by(table.c.id.desc())
        .limit(limit)
    )
    return await reader.all(statement if before is None else statement.where(table.c.id < before))
