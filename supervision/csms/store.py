"""SQL of the central system: the hot path's prepared statements, and rows to models and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from hashlib import blake2b
from typing import Any

from sqlalchemy import Table, and_, bindparam, case, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from supervision.csms import model, wire
from supervision.csms.admission import NO_PROOF, Proof
from supervision.csms.decisions import decision_values
from supervision.csms.machine import ChargingTransaction, State
from supervision.csms.masking import storable_frame
from supervision.csms.metering import DROP_WH, Seen
from supervision.csms.model import Decision, Measured, MeterSample, Reading, SignedValue, trusted_time
from supervision.kernel.timespan import to_millis
from supervision.store.db import Database, Job, Reader, Tx
from supervision.store.schema import (
    charging_stations,
    charging_transaction_decisions,
    charging_transaction_events,
    charging_transactions,
    evses,
    frames,
    meter_values,
    signed_meter_values,
)

MAX_SIGNED = 20  # of one instant: a meter signs its beginning, its end, a few in between
LAST_CHARGES = 3  # so many tell the unit of a counter: a new firmware may change it
MAX_READINGS = 400  # of one message; a hostile one of 64 KiB could hold thousands


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A registered charging station and where it belongs; `proof` is what its handshake has shown."""

    identity: str
    organisation_id: str
    station_id: str
    proof: Proof = field(default=NO_PROOF, compare=False)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Station:
        """Return the station of a row that names it, as those of commands and charging transactions do."""
        return cls(
            identity=row["charging_station"],
            organisation_id=row["organisation_id"],
            station_id=row["station_id"],
        )

    @property
    def about(self) -> dict[str, str]:
        """What every event of the station says."""
        return {
            "organisation_id": self.organisation_id,
            "charging_station": self.identity,
            "station_id": self.station_id,
        }

    @property
    def topic(self) -> str:
        """What live pages of its car-sharing station listen to."""
        return f"station:{self.station_id}"


class HotPath:
    """Statements compiled once; each method adds rows to a `Job` and reads nothing."""

    def __init__(self, db: Database) -> None:
        self._frame = db.prepare(insert(frames), *_FRAME_COLUMNS)
        self._sample = db.prepare(_insert_new(db, meter_values), *_SAMPLE_COLUMNS)
        # `frame` and `samples`, which every message pays for, write their values in this order.
        if (self._frame.names, self._sample.names) != (_FRAME_COLUMNS, _SAMPLE_COLUMNS):
            raise RuntimeError("the driver wants another order of columns")
        self._signed = db.prepare(_insert_new(db, signed_meter_values), *_SIGNED_COLUMNS)
        self._power = db.prepare(_power_update())
        self._power_row = self._power.arrange(*_PLACE, "b_power", "b_current", "b_at")
        self._soc = db.prepare(_soc_update())
        self._status = db.prepare(_status_update())
        self._seen = db.prepare(_seen_update())
        self._register = db.prepare(_register_update())

    def frame(
        self,
        job: Job,
        station: Station,
        at: datetime,
        direction: str,
        text: str,
        problem: str | None = None,
    ) -> None:
        """Journal one frame, secrets masked."""
        kept = storable_frame(text)
        values = (station.organisation_id, station.identity, to_millis(at), direction, kept, problem)
        job.rows.append((self._frame, values))

    def samples(
        self,
        job: Job,
        station: Station,
        evse_id: int,
        samples: Sequence[MeterSample],
        received_at: datetime,
        charging_transaction_id: int | None,
    ) -> list[tuple[int, int]]:
        """Store samples (a repeated one is the same row) and bring the EVSE's live values up to date.

        Returns the registers they told: the instant in milliseconds, Wh.
        """
        received = to_millis(received_at)
        budget = MAX_READINGS
        registers: list[tuple[int, int]] = []
        for sample in samples:
            at = to_millis(trusted_time(sample.at, received_at))
            told = model.measured(sample)
            self._live(job, station, evse_id, told, at)
            if told.register_wh is not None:
                registers.append((at, told.register_wh))
            for value in sample.signed[:MAX_SIGNED]:
                self._keep_signed(job, station, evse_id, value, at, received, charging_transaction_id)
            if budget <= 0 or not sample.readings:
                continue
            readings = encode_readings(sample.readings[:budget])
            budget -= len(sample.readings)
            values = (
                station.organisation_id,
                station.identity,
                evse_id,
                charging_transaction_id,
                at,
                received,
                told.power_w,
                told.register_wh,
                readings,
                digest(readings),
            )
            job.rows.append((self._sample, values))
        job.topics.add(station.topic)
        return registers

    def _keep_signed(
        self,
        job: Job,
        station: Station,
        evse_id: int,
        value: SignedValue,
        at_ms: int,
        received_ms: int,
        charging_transaction_id: int | None,
    ) -> None:
        job.add(
            self._signed,
            organisation_id=station.organisation_id,
            charging_station=station.identity,
            evse_id=evse_id,
            charging_transaction_id=charging_transaction_id,
            at=at_ms,
            received_at=received_ms,
            context=value.context,
            encoding=value.encoding,
            public_key=value.public_key,
            data=value.data,
            digest=digest(value.data),
        )

    def _live(self, job: Job, station: Station, evse_id: int, told: Measured, at: int) -> None:
        if told.power_w is not None or told.currents_a is not None:
            self.power(job, station, evse_id, told.power_w, told.currents_a, at)
        if told.soc_percent is not None:
            job.add(self._soc, **_place(station, evse_id), b_soc=told.soc_percent, b_at=at)

    def power(
        self,
        job: Job,
        station: Station,
        evse_id: int,
        power_w: int | None,
        current_a: Sequence[float] | None,
        at_ms: int,
    ) -> None:
        """Set the live power and currents of an EVSE unless newer ones are known."""
        current = None if current_a is None else f"[{', '.join(map(repr, current_a))}]"
        values = (station.identity, station.organisation_id, evse_id, power_w, current, at_ms)
        job.rows.append((self._power, self._power_row(values)))

    def status(self, job: Job, station: Station, report: model.StatusReport, at: datetime) -> None:
        """Set the status of an EVSE unless a newer one is known (an offline queue delivers old ones late)."""
        job.add(
            self._status,
            **_place(station, report.evse_id),
            b_status=report.status.value,
            b_error=report.error_code,
            b_at=to_millis(at),
        )

    def seen(
        self, job: Job, station: Station, at: datetime, offset_ms: int | None, violations: Mapping[str, int]
    ) -> None:
        """Note that the station lives, how far its clock is off and what it violated so far."""
        job.add(
            self._seen,
            **named(station),
            b_at=to_millis(at),
            b_offset=offset_ms,
            b_violations=json.dumps(dict(violations)),
        )

    def last_register(self, job: Job, station: Station, row_id: int, register_wh: int, rank: int) -> None:
        """Keep the newest register of an open charging transaction, by rank as `machine.apply` does."""
        job.add(
            self._register,
            **named(station),
            b_id=row_id,
            b_register=register_wh,
            b_rank=rank,
        )


_FRAME_COLUMNS = ("organisation_id", "charging_station", "at", "direction", "frame", "problem")
_SAMPLE_COLUMNS = (
    "organisation_id",
    "charging_station",
    "evse_id",
    "charging_transaction_id",
    "at",
    "received_at",
    "power_w",
    "register_wh",
    "readings",
    "digest",
)


_SIGNED_COLUMNS = (
    "organisation_id",
    "charging_station",
    "evse_id",
    "charging_transaction_id",
    "at",
    "received_at",
    "context",
    "encoding",
    "public_key",
    "data",
    "digest",
)


def encode_readings(readings: Sequence[Reading]) -> str:
    """Write the JSON of their column: [[measurand, thousandths, unit, phase, location, context], ...]."""
    items = [f"{kind.before}{milli}{kind.after}" for kind, milli in readings]
    return f"[{','.join(items)}]"


def digest(readings: str) -> int:
    """Return 63 bits that tell one sample's readings from another's at the same instant."""
    return int.from_bytes(blake2b(readings.encode(), digest_size=8).digest()) >> 1


_PLACE = ("b_identity", "b_organisation", "b_evse")


def named(station: Station) -> dict[str, Any]:
    """Return the values of a prepared statement that name a station."""
    return {"b_identity": station.identity, "b_organisation": station.organisation_id}


def _place(station: Station, evse_id: int) -> dict[str, Any]:
    return {**named(station), "b_evse": evse_id}


def this_station() -> Any:
    """Return the condition of a prepared statement that a row is the `named` station's own."""
    table = charging_stations
    return and_(
        table.c.identity == bindparam("b_identity"), table.c.organisation_id == bindparam("b_organisation")
    )


def of_this_station(table: Table) -> Any:
    """Return the condition of a prepared statement that a row belongs to the `named` station."""
    return and_(
        table.c.charging_station == bindparam("b_identity"),
        table.c.organisation_id == bindparam("b_organisation"),
    )


def _insert_new(db: Database, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that leaves an equal row alone."""
    return db.insert(table).on_conflict_do_nothing()


def _this_evse() -> Any:
    return and_(of_this_station(evses), evses.c.evse_id == bindparam("b_evse"))


def _power_update() -> Any:
    at = bindparam("b_at", type_=evses.c.power_at.type)
    return (
        update(evses)
        .where(_this_evse(), or_(evses.c.power_at.is_(None), evses.c.power_at <= at))
        .values(
            power_w=func.coalesce(bindparam("b_power", type_=evses.c.power_w.type), evses.c.power_w),
            current_a=func.coalesce(bindparam("b_current", type_=evses.c.current_a.type), evses.c.current_a),
            power_at=at,
        )
    )


def _soc_update() -> Any:
    at = bindparam("b_at", type_=evses.c.soc_at.type)
    return (
        update(evses)
        .where(_this_evse(), or_(evses.c.soc_at.is_(None), evses.c.soc_at <= at))
        .values(soc_percent=bindparam("b_soc", type_=evses.c.soc_percent.type), soc_at=at)
    )


def _status_update() -> Any:
    at = bindparam("b_at", type_=evses.c.status_at.type)
    return (
        update(evses)
        .where(_this_evse(), or_(evses.c.status_at.is_(None), evses.c.status_at <= at))
        .values(
            status=bindparam("b_status", type_=evses.c.status.type),
            error_code=bindparam("b_error", type_=evses.c.error_code.type),
            status_at=at,
        )
    )


def _seen_update() -> Any:
    table = charging_stations
    offset = bindparam("b_offset", type_=table.c.clock_offset_ms.type)
    return (
        update(table)
        .where(this_station())
        .values(
            seen_at=bindparam("b_at", type_=table.c.seen_at.type),
            clock_offset_ms=func.coalesce(offset, table.c.clock_offset_ms),
            violations=bindparam("b_violations", type_=table.c.violations.type),
        )
    )


def _register_update() -> Any:
    table = charging_transactions
    rank = bindparam("b_rank", type_=table.c.last_rank.type)
    return (
        update(table)
        .where(
            of_this_station(table),
            table.c.id == bindparam("b_id"),
            or_(table.c.last_rank.is_(None), table.c.last_rank < rank),
        )
        .values(
            meter_last_wh=bindparam("b_register", type_=table.c.meter_last_wh.type),
            last_rank=rank,
        )
    )


# --- charging transactions ----------------------------------------------------------------------------

_FOLDED = tuple(item.name for item in fields(ChargingTransaction) if item.name != "state")


def charging_transaction_from(row: Mapping[str, Any]) -> ChargingTransaction:
    """Read the folded part of a row."""
    return ChargingTransaction(state=State(row["state"]), **{name: row[name] for name in _FOLDED})


def folded_values(folded: ChargingTransaction) -> dict[str, Any]:
    """Write the folded part of a row."""
    return {"state": folded.state.value, **{name: getattr(folded, name) for name in _FOLDED}}


async def find_charging_transaction(
    tx: Reader, station: Station, *, natural_key: str | None = None, ocpp_transaction_id: str | None = None
) -> Mapping[str, Any] | None:
    """Return the row by one of its two keys; only ever of this station."""
    table = charging_transactions
    key = (
        table.c.natural_key == natural_key
        if natural_key is not None
        else table.c.ocpp_transaction_id == ocpp_transaction_id
    )
    return await tx.first(select(table).where(of_station(table, station), key))


async def open_charging_transactions(tx: Reader, station: Station) -> Sequence[Mapping[str, Any]]:
    """Return the open rows of a station, oldest first."""
    table = charging_transactions
    return await tx.all(
        select(table)
        .where(of_station(table, station), table.c.state == State.OPEN.value)
        .order_by(table.c.id)
    )


async def stoppable_charging_transactions(
    tx: Reader, station: Station, stopped_at: datetime
) -> Sequence[Mapping[str, Any]]:
    """Return the rows a stop of that instant may be about: open, presumed to have ended, or ended then."""
    table = charging_transactions
    which = or_(
        table.c.state == State.OPEN.value, table.c.presumed.is_not(None), table.c.stopped_at == stopped_at
    )
    return await tx.all(select(table).where(of_station(table, station), which).order_by(table.c.id))


async def reconstructed_charging_transactions(
    tx: Reader, station: Station, started_at: datetime
) -> Sequence[Mapping[str, Any]]:
    """Return the 1.6 rows of which only a stop is known, of that instant or later."""
    table = charging_transactions
    return await tx.all(
        select(table)
        .where(
            of_station(table, station),
            table.c.ocpp == "1.6",
            table.c.state == State.ENDED.value,
            table.c.start_told.is_(False),
            table.c.stopped_at >= started_at,
        )
        .order_by(table.c.id)
    )


async def insert_charging_transaction(
    tx: Tx, db: Database, station: Station, values: Mapping[str, Any]
) -> int:
    """Insert a row and return its id, which comes from a sequence that never gives one out twice."""
    statement = db.insert(charging_transactions).values(
        organisation_id=station.organisation_id,
        charging_station=station.identity,
        **values,
    )
    return int(await tx.scalar(statement.returning(charging_transactions.c.id)))


async def update_charging_transaction(
    tx: Tx, station: Station, row_id: int, values: Mapping[str, Any]
) -> None:
    """Change a row of this station."""
    table = charging_transactions
    await tx.execute(update(table).where(of_station(table, station), table.c.id == row_id).values(**values))


async def insert_decision(
    tx: Tx,
    station: Station,
    row_id: int,
    decision: Decision,
    *,
    at: datetime,
    by_person_id: str | None = None,
    note: str | None = None,
) -> None:
    """Record a decision and which of the station's frames were known when it was taken."""
    last = select(func.coalesce(func.max(frames.c.id), 0)).where(of_station(frames, station))
    await tx.execute(
        insert(charging_transaction_decisions).values(
            organisation_id=station.organisation_id,
            charging_station=station.identity,
            charging_transaction_id=row_id,
            at=at,
            after_frame=await tx.scalar(last),
            by_person_id=by_person_id,
            note=note,
            **decision_values(decision),
        )
    )


async def seen_readings(reader: Reader, station: Station, row_id: int, folded: ChargingTransaction) -> Seen:
    """Return what the readings of an ended charge say as a whole, up to its end."""
    table = meter_values
    mine = (
        select(
            table.c.power_w,
            table.c.register_wh,
            func.lag(table.c.register_wh).over(order_by=(table.c.at, table.c.id)).label("before_wh"),
        )
        .where(
            of_station(table, station),
            table.c.charging_transaction_id == row_id,
            table.c.at >= folded.started_at,
            table.c.at <= (folded.stopped_at or folded.started_at),
        )
        .subquery()
    )
    fell = case((mine.c.register_wh < mine.c.before_wh - DROP_WH, 1), else_=0)
    row = await reader.first(
        select(
            func.coalesce(func.sum(fell), 0).label("drops"),
            func.count(mine.c.power_w).label("powers"),
            func.avg(mine.c.power_w).label("average_w"),
        )
    )
    if row is None:
        return Seen()
    average_w = None if row["average_w"] is None else float(row["average_w"])
    return Seen(drops=int(row["drops"]), powers=int(row["powers"]), average_w=average_w)


async def told_states(reader: Reader, station: Station, row_id: int) -> list[tuple[datetime, str | None]]:
    """Return what the events of a charge told of its state, in their order; 1.6 has no such events."""
    told, mine = charging_transaction_events, charging_transactions
    rows = await reader.all(
        select(told.c.at, told.c.payload)
        .join(
            mine,
            and_(
                mine.c.organisation_id == told.c.organisation_id,
                mine.c.charging_station == told.c.charging_station,
                mine.c.ocpp_transaction_id == told.c.ocpp_transaction_id,
            ),
        )
        .where(of_station(mine, station), of_station(told, station), mine.c.id == row_id)
        .order_by(told.c.seq_no, told.c.at)
    )
    return [(row["at"], _state_in(row["payload"])) for row in rows]


def _state_in(payload: Mapping[str, Any]) -> str | None:
    return wire.text(wire.inner(payload, "transactionInfo"), "chargingState")


async def counted_lately(reader: Reader, station: Station, evse_id: int, *, before: int) -> int:
    """Return the most that one of the last charges of an EVSE counted, among those without a doubt."""
    table = charging_transactions
    last = (
        select(table.c.measured_wh)
        .where(
            of_station(table, station),
            table.c.evse_id == evse_id,
            table.c.id < before,
            table.c.state == State.ENDED.value,
            table.c.review.is_(None),
            table.c.measured_wh > 0,
        )
        .order_by(table.c.id.desc())
        .limit(LAST_CHARGES)
        .subquery()
    )
    return int(await reader.scalar(select(func.coalesce(func.max(last.c.measured_wh), 0))))


async def insert_transaction_event(tx: Tx, db: Database, station: Station, values: Mapping[str, Any]) -> bool:
    """Store a 2.0.1 event; False when the same one is already there."""
    statement = _insert_new(db, charging_transaction_events).values(
        organisation_id=station.organisation_id, charging_station=station.identity, **values
    )
    return await tx.execute(statement) > 0


def of_station(table: Table, station: Station) -> Any:
    """Return the condition that a row is this station's."""
    return and_(
        table.c.organisation_id == station.organisation_id, table.c.charging_station == station.identity
    )


async def update_station(tx: Tx, station: Station, *conditions: Any, **values: Any) -> None:
    """Change the station's own row, if it also fulfils the conditions."""
    await tx.execute(
        update(charging_stations)
        .where(
            charging_stations.c.identity == station.identity,
            charging_stations.c.organisation_id == station.organisation_id,
            *conditions,
        )
        .values(**values)
    )
