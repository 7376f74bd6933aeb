"""Runs probes of chargers, one step at a time, and keeps what they found for every station of the same kind.

Where a probe is stands in a table, so that a restart goes on with the same step. What the planner reads of a
charger (whether it takes profiles) is told to every station of the maker, model and firmware; the rest is
shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update

from supervision.clock import Clock
from supervision.csms import probe
from supervision.csms.commands import CommandService, CommandState
from supervision.csms.directory import Document
from supervision.csms.machine import State
from supervision.csms.probe import Charge, Progress, Sample, Situation, StepName
from supervision.csms.registry import Registry
from supervision.kernel.errors import Refused
from supervision.kernel.events import ChargingStationBooted
from supervision.kernel.timespan import instant_text
from supervision.store.db import Database, Reader, Tx, across_tenants
from supervision.store.outbox import Consumer, Delivery
from supervision.store.schema import (
    charging_stations,
    charging_transactions,
    evses,
    meter_values,
    probes,
    quirk_profiles,
    stations,
)

ORIGIN = "probe"
PATIENCE_S = 45
MOST_SAMPLES = 2000
_RUNNING = across_tenants("probes of every organisation run; each row carries its own")
_ON_ITS_WAY = frozenset({CommandState.QUEUED, CommandState.SENT})
_UNHEARD = frozenset({CommandState.TIMEOUT, CommandState.OFFLINE})
_KIND = ("vendor", "model", "firmware")

Row = Mapping[str, Any]


class ProbeService:
    """One instance per process."""

    def __init__(self, *, db: Database, clock: Clock, commands: CommandService, registry: Registry) -> None:
        self._db = db
        self._clock = clock
        self._commands = commands
        self._registry = registry

    def consumer(self) -> Consumer:
        """Listen to boots: a station may be of a kind that was probed already."""
        return Consumer("probes", (ChargingStationBooted,), self._handle)

    async def _handle(self, delivery: Delivery) -> None:
        event = delivery.event
        if not isinstance(event, ChargingStationBooted):
            return
        async with self._db.read(event.organisation_id) as reader:
            station = await _station(reader, event.organisation_id, event.charging_station)
            profile = station and await _profile(reader, event.organisation_id, _kind_of(station))
        if not profile:
            return

        async def unit(tx: Tx) -> None:
            station = await _station(tx, event.organisation_id, event.charging_station)
            if station is not None:
                await _teach(tx, event.organisation_id, station, probe.lesson(profile["findings"]))

        await self._db.write(event.organisation_id, unit)

    # --- use cases ------------------------------------------------------------------------------------------

    async def start(
        self, organisation_id: str, identity: str, *, by_person_id: str | None = None
    ) -> Document | Refused:
        """Begin to get to know a station, anew if it was probed before."""
        if not self._registry.connected(identity):
            return Refused("offline", {"charging_station": identity})
        now = self._clock.now()
        progress = probe.begin(now)

        async def unit(tx: Tx) -> Refused | None:
            if await _station(tx, organisation_id, identity) is None:
                return Refused("unknown_charging_station", {"charging_station": identity})
            table = probes
            await tx.execute(
                delete(table).where(
                    table.c.organisation_id == organisation_id, table.c.charging_station == identity
                )
            )
            await tx.execute(
                insert(table).values(
                    charging_station=identity,
                    organisation_id=organisation_id,
                    step=progress.step.value,
                    since=now,
                    asked=False,
                    command_id=None,
                    findings={},
                    started_at=now,
                    finished_at=None,
                    by_person_id=by_person_id,
                )
            )
            return None

        return await self._db.write(organisation_id, unit) or await self.report(organisation_id, identity)

    async def report(self, organisation_id: str, identity: str) -> Document:
        """How far the probe of a station is, and what is known of stations of its kind."""
        async with self._db.read(organisation_id) as reader:
            row = await _probe(reader, organisation_id, identity)
            station = await _station(reader, organisation_id, identity)
            kind = {} if station is None else _kind_of(station)
            known = await _profile(reader, organisation_id, kind) if station is not None else None
        done = row is not None and row["finished_at"] is not None
        return {
            "charging_station": identity,
            "state": "none" if row is None else "done" if done else "running",
            "step": None if row is None or done else row["step"],
            "started_at": None if row is None else instant_text(row["started_at"]),
            "finished_at": None if row is None else instant_text(row["finished_at"]),
            "findings": {} if row is None else row["findings"],
            "kind": {name: kind.get(name, "") for name in _KIND},
            "learnt_at": None if known is None else instant_text(known["learnt_at"]),
            "learnt_from": None if known is None else known["charging_station"],
            "known": {} if known is None else known["findings"],
        }

    # --- steps ----------------------------------------------------------------------------------------------

    async def run_due(self) -> None:
        """Look at every running probe once."""
        async with self._db.read(_RUNNING) as reader:
            rows = await reader.all(
                select(probes.c.organisation_id, probes.c.charging_station).where(
                    probes.c.finished_at.is_(None)
                )
            )
        for row in rows:
            await self.look(row["organisation_id"], row["charging_station"])

    async def look(self, organisation_id: str, identity: str) -> None:
        """Ask what the step asks, or conclude it and go on to the next."""
        async with self._db.read(organisation_id) as reader:
            row = await _probe(reader, organisation_id, identity)
            station = await _station(reader, organisation_id, identity)
            if row is None or station is None or row["finished_at"] is not None:
                return
            situation = await self._situation(reader, organisation_id, station, row)
        if not row["asked"]:
            await self._ask(organisation_id, row, situation)
            return
        heard = await self._heard(organisation_id, row, situation)
        if heard is None:
            return
        progress = Progress(step=StepName(row["step"]), since=row["since"], findings=row["findings"])
        after = probe.advance(progress, heard)
        if after is progress:
            return
        if after.step is StepName.DONE:
            await self._finish(organisation_id, station, row, after)
            return
        values = {"step": after.step.value, "since": after.since, "findings": dict(after.findings)}
        await self._save(organisation_id, identity, {**values, "asked": False, "command_id": None})

    async def _ask(self, organisation_id: str, row: Row, situation: Situation) -> None:
        identity = row["charging_station"]
        command = probe.STEPS[StepName(row["step"])].command(situation)
        command_id = None
        if command is not None:
            result = await self._commands.enqueue(
                organisation_id, identity, *command, expires_s=PATIENCE_S, origin=ORIGIN
            )
            command_id = None if isinstance(result, Refused) else result.id
        values = {"asked": True, "command_id": command_id, "since": self._clock.now()}
        await self._save(organisation_id, identity, values)

    async def _heard(self, organisation_id: str, row: Row, situation: Situation) -> Situation | None:
        """Add what the station answered; None while the command is on its way."""
        if row["command_id"] is None:
            return situation
        result = await self._commands.result(organisation_id, row["command_id"])
        if result is None or result.state in _UNHEARD:
            return situation  # nothing was proved: the step's time decides
        if result.state in _ON_ITS_WAY:
            return None
        return replace(situation, response=result.response or {}, is_over=True)

    async def _situation(self, reader: Reader, organisation_id: str, station: Row, row: Row) -> Situation:
        charge = await _charge(reader, organisation_id, station, row["findings"].get("evse"))
        connection = self._registry.get(row["charging_station"])
        offset_ms = None if connection is None else connection.clock_offset_ms
        learnt = (station["capabilities"] or {}).get("smart_charging", {})
        evse_id = None if charge is None or row["step"] == StepName.MEASURANDS else charge.evse_id
        samples = await _samples(reader, organisation_id, row["charging_station"], row["since"], evse_id)
        return Situation(
            ocpp=station["ocpp"],
            now=self._clock.now(),
            since=row["since"],
            samples=samples,
            clock_offset_s=None if offset_ms is None else offset_ms / 1000,
            charge=charge,
            stack_level=learnt.get("stack_level", 1),
            unit=learnt.get("unit", "A"),
        )

    async def _finish(self, organisation_id: str, station: Row, row: Row, after: Progress) -> None:
        identity, now = row["charging_station"], self._clock.now()
        async with self._db.read(organisation_id) as reader:
            samples = await _samples(
                reader, organisation_id, identity, row["started_at"], after.findings.get("evse")
            )
        findings = {**after.findings, "meter": probe.meter_word(samples)}

        async def unit(tx: Tx) -> None:
            await _update(
                tx, organisation_id, identity, step=StepName.DONE.value, findings=findings, finished_at=now
            )
            await _keep_profile(tx, organisation_id, station, findings, now)
            for other in await _of_kind(tx, organisation_id, _kind_of(station)):
                await _teach(tx, organisation_id, other, probe.lesson(findings))
            tx.touch(f"station:{station['station_id']}")

        await self._db.write(organisation_id, unit)

    async def _save(self, organisation_id: str, identity: str, values: Mapping[str, Any]) -> None:
        async def unit(tx: Tx) -> None:
            await _update(tx, organisation_id, identity, **values)

        await self._db.write(organisation_id, unit)


# --- rows -----------------------------------------------------------------------------------------------


async def _probe(reader: Reader, organisation_id: str, identity: str) -> Row | None:
    return await reader.first(
        select(probes).where(
            probes.c.organisation_id == organisation_id, probes.c.charging_station == identity
        )
    )


async def _update(tx: Tx, organisation_id: str, identity: str, **values: Any) -> None:
    await tx.execute(
        update(probes)
        .where(probes.c.organisation_id == organisation_id, probes.c.charging_station == identity)
        .values(**values)
    )


async def _station(reader: Reader, organisation_id: str, identity: str) -> Row | None:
    table = charging_stations
    return await reader.first(
        select(table).where(table.c.organisation_id == organisation_id, table.c.identity == identity)
    )


def _kind_of(station: Row) -> dict[str, str]:
    boot = station["boot"] or {}
    return {name: str(boot.get(name, "")) for name in _KIND}


async def _of_kind(tx: Tx, organisation_id: str, kind: Mapping[str, str]) -> list[Row]:
    table = charging_stations
    rows = await tx.all(select(table).where(table.c.organisation_id == organisation_id))
    return [row for row in rows if row["boot"] and _kind_of(row) == kind]


async def _profile(reader: Reader, organisation_id: str, kind: Mapping[str, str]) -> Row | None:
    table = quirk_profiles
    return await reader.first(
        select(table).where(
            table.c.organisation_id == organisation_id, *(table.c[name] == kind[name] for name in _KIND)
        )
    )


async def _keep_profile(
    tx: Tx, organisation_id: str, station: Row, findings: Mapping[str, Any], now: datetime
) -> None:
    table, kind = quirk_profiles, _kind_of(station)
    await tx.execute(
        delete(table).where(
            table.c.organisation_id == organisation_id, *(table.c[name] == kind[name] for name in _KIND)
        )
    )
    await tx.execute(
        insert(table).values(
            organisation_id=organisation_id,
            **kind,
            charging_station=station["identity"],
            findings=dict(findings),
            learnt_at=now,
        )
    )


async def _teach(tx: Tx, organisation_id: str, station: Row, lesson: Mapping[str, Any]) -> None:
    """Merge into what the planner reads of the station."""
    if not lesson:
        return
    table, known = charging_stations, dict(station["capabilities"] or {})
    known["smart_charging"] = {**known.get("smart_charging", {}), **lesson}
    await tx.execute(
        update(table)
        .where(table.c.organisation_id == organisation_id, table.c.identity == station["identity"])
        .values(capabilities=known)
    )


async def _charge(reader: Reader, organisation_id: str, station: Row, evse_id: int | None) -> Charge | None:
    """The open charge to steer: the newest of the station, or that of the EVSE chosen before."""
    table = charging_transactions
    statement = (
        select(table)
        .where(
            table.c.organisation_id == organisation_id,
            table.c.charging_station == station["identity"],
            table.c.state == State.OPEN.value,
        )
        .order_by(table.c.id.desc())
    )
    if evse_id is not None:
        statement = statement.where(table.c.evse_id == evse_id)
    row = await reader.first(statement)
    if row is None:
        return None
    place = await reader.first(
        select(evses).where(
            evses.c.organisation_id == organisation_id,
            evses.c.charging_station == station["identity"],
            evses.c.evse_id == row["evse_id"],
        )
    )
    if place is None:
        return None
    spare_a = await _spare_a(reader, organisation_id, station, row["evse_id"])
    return Charge(
        evse_id=row["evse_id"],
        ocpp_transaction_id=row["ocpp_transaction_id"],
        phases=len(place["phases"]),
        high_a=max(probe.LOW_A, min(place["max_a"], spare_a)),
    )


async def _spare_a(reader: Reader, organisation_id: str, station: Row, evse_id: int) -> float:
    """What the site has left on its weakest phase when every other charge takes all that it may."""
    site = await reader.first(
        select(stations.c.grid_limit_a).where(
            stations.c.organisation_id == organisation_id, stations.c.id == station["station_id"]
        )
    )
    open_, box = charging_transactions, charging_stations
    others = await reader.all(
        select(evses.c.charging_station, evses.c.evse_id, evses.c.max_a)
        .join(box, box.c.identity == evses.c.charging_station)
        .join(
            open_,
            (open_.c.charging_station == evses.c.charging_station) & (open_.c.evse_id == evses.c.evse_id),
        )
        .where(
            evses.c.organisation_id == organisation_id,
            box.c.organisation_id == organisation_id,
            open_.c.organisation_id == organisation_id,
            box.c.station_id == station["station_id"],
            open_.c.state == State.OPEN.value,
            (evses.c.charging_station != station["identity"]) | (evses.c.evse_id != evse_id),
        )
        .distinct()
    )
    limit_a = 0.0 if site is None else float(min(site["grid_limit_a"]))
    return limit_a - sum(float(row["max_a"]) for row in others)


async def _samples(
    reader: Reader, organisation_id: str, identity: str, since: datetime, evse_id: int | None
) -> tuple[Sample, ...]:
    table = meter_values
    statement = (
        select(table.c.received_at, table.c.power_w, table.c.register_wh, table.c.readings)
        .where(
            table.c.organisation_id == organisation_id,
            table.c.charging_station == identity,
            table.c.received_at >= since,
        )
        .order_by(table.c.received_at, table.c.id)
        .limit(MOST_SAMPLES)
    )
    if evse_id is not None:
        statement = statement.where(table.c.evse_id == evse_id)
    return tuple(
        Sample(
            at=row["received_at"],
            measurands=tuple(str(reading[0]) for reading in row["readings"]),
            power_w=row["power_w"],
            register_wh=row["register_wh"],
        )
        for row in await reader.all(statement)
    )
