"""Talks to one charging station about profiles: asks what it can, sends what waits, checks what it did.

Three depths of proof: it accepted, its composite schedule is the one we expect, and later the measured
power stays below the limit. "Accepted" alone is not believed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from supervision.charging import capabilities, composite, store
from supervision.charging.composite import Context, Profile, Step
from supervision.charging.profile import Version
from supervision.clock import Clock
from supervision.csms.commands import CommandResult, CommandState
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import format_instant
from supervision.log import Log
from supervision.store.db import Database, Tx

log = Log("supervision.charging")

Row = Mapping[str, Any]

PATIENCE_S = 20.0
CHECKED = timedelta(hours=24)
RETRY = timedelta(minutes=5)


class Sender(Protocol):
    """What of the central system's command service is used here."""

    async def send(
        self,
        organisation_id: str,
        identity: str,
        action: str,
        payload: Mapping[str, Any],
        *,
        timeout_s: float = 30,
        origin: str = "api",
    ) -> CommandResult | Refused:
        """Send a CALL and wait for its end."""
        ...


class Dialogue:
    """The conversation with one connected charging station."""

    def __init__(
        self, *, db: Database, clock: Clock, commands: Sender, organisation_id: str, identity: str
    ) -> None:
        self._db = db
        self._clock = clock
        self._commands = commands
        self._organisation_id = organisation_id
        self._identity = identity

    async def is_known(self) -> bool:
        """Tell whether the station can be served; one that was not asked yet what it can is asked now."""
        station = await self._station()
        if station is None or station["ocpp"] not in ("1.6", "2.0.1"):
            return False
        if capabilities.is_probed(station["capabilities"] or {}):
            return True
        await self._probe(station["ocpp"], station["station_id"])
        return False  # what waits was compiled without knowing the station: it is planned again

    async def send(self, rows: Sequence[Row]) -> bool:
        """Send these profiles one after the other; False when the station went away meanwhile."""
        station = await self._station()
        if station is None:
            return False
        for row in rows:
            if not await self._send(station["ocpp"], row, station["station_id"]):
                return False
        return True

    async def _station(self) -> Row | None:
        async with self._db.read(self._organisation_id) as reader:
            return await store.charging_station(reader, self._organisation_id, self._identity)

    async def _probe(self, version: Version, station_id: str) -> None:
        action, payload = capabilities.question(version)
        result = await self._call(action, payload)
        if result is None or result.state is CommandState.OFFLINE:
            return
        lesson = capabilities.lesson(version, result.response)

        async def unit(tx: Tx) -> None:
            await store.teach(tx, self._organisation_id, self._identity, lesson)
            await store.supersede_waiting(tx, self._organisation_id, self._identity)
            await self._ask_replan(tx, station_id, "capabilities")

        await self._db.write(self._organisation_id, unit)

    async def _send(self, version: Version, row: Row, station_id: str) -> bool:
        """Send one profile; False when the station is gone and the rest can wait."""
        result = await self._call("SetChargingProfile", row["profile"])
        if result is None or result.state is CommandState.OFFLINE:
            return False
        if result.state is CommandState.ANSWERED and (result.response or {}).get("status") == "Accepted":
            await self._note(row, state=store.ACCEPTED, command_id=result.id, detail=None)
            await self._check(version, row)
            return True
        if result.state is CommandState.TIMEOUT:
            retry = self._clock.now() + RETRY
            await self._note(row, state=store.FAILED, command_id=result.id, resend_at=retry, detail="timeout")
            return False
        await self._refused(row, result, station_id)
        return True

    async def _refused(self, row: Row, result: CommandResult, station_id: str) -> None:
        """Learn from a refusal, one step of the ladder a time, and plan again with what was learnt."""
        detail = str(
            (result.response or {}).get("status") or (result.error or {}).get("code") or result.state
        )
        log.warning("charging.profile_refused", charging_station=self._identity, detail=detail)

        async def unit(tx: Tx) -> None:
            await store.update_profile(
                tx,
                self._organisation_id,
                row["id"],
                state=store.REJECTED,
                command_id=result.id,
                sent_at=self._clock.now(),
                detail=detail,
            )
            station = await store.charging_station(tx, self._organisation_id, self._identity)
            if station is None or row["charging_plan_id"] is None:
                return  # a refused standing profile says nothing about the level of our plans
            lesson = capabilities.after_refusal(station["capabilities"] or {})
            await store.teach(tx, self._organisation_id, self._identity, lesson)
            await self._ask_replan(tx, station_id, "profile_refused")

        await self._db.write(self._organisation_id, unit)

    async def _check(self, version: Version, row: Row) -> None:
        """Ask for the composite schedule of the EVSE and compare it with ours."""
        async with self._db.read(self._organisation_id) as reader:
            held = await store.profiles_of(
                reader, self._organisation_id, [self._identity], states=(store.ACCEPTED,)
            )
            running = await store.open_charging_transaction_at(
                reader, self._organisation_id, self._identity, row["evse_id"]
            )
        profiles = [composite.read_profile(r["profile"]) for r in held if r["evse_id"] == row["evse_id"]]
        unit = profiles[-1].unit
        place = {"connectorId" if version == "1.6" else "evseId": row["evse_id"]}
        question = {**place, "duration": int(CHECKED.total_seconds()), "chargingRateUnit": unit}
        result = await self._call("GetCompositeSchedule", question)
        if result is None or result.state is not CommandState.ANSWERED:
            return
        reported = _steps(result.response)
        charging_since = None if running is None else running["started_at"]
        verdict, detail = _verdict(profiles, reported, now=self._clock.now(), charging_since=charging_since)
        if verdict == "differs":
            log.warning("charging.composite_differs", charging_station=self._identity, detail=detail)
        await self._note(row, verified=verdict, verified_at=self._clock.now(), detail=detail)

    async def _call(self, action: str, payload: Mapping[str, Any]) -> CommandResult | None:
        result = await self._commands.send(
            self._organisation_id, self._identity, action, payload, timeout_s=PATIENCE_S, origin="charging"
        )
        return None if isinstance(result, Refused) else result

    async def _note(self, row: Row, **values: Any) -> None:
        if "state" in values:
            values["sent_at"] = self._clock.now()

        async def unit(tx: Tx) -> None:
            await store.update_profile(tx, self._organisation_id, row["id"], **values)

        await self._db.write(self._organisation_id, unit)

    async def _ask_replan(self, tx: Tx, station_id: str, reason: str) -> None:
        await store.request_replan(
            tx, self._db, self._organisation_id, station_id, reason=reason, now=self._clock.now()
        )


def _steps(response: Mapping[str, Any] | None) -> list[Step] | None:
    """Read a composite schedule; None when the answer holds none that can be read."""
    try:
        return composite.read_composite(response or {})
    except (KeyError, TypeError, ValueError):
        return None


def _verdict(
    profiles: Sequence[Profile],
    reported: Sequence[Step] | None,
    *,
    now: datetime,
    charging_since: datetime | None,
) -> tuple[str | None, str | None]:
    """("composite", None) when it agrees, ("differs", where) when not, (None, why) when nobody can say."""
    if not reported:
        return None, "no composite schedule"
    # Some stations leave the TxDefaultProfile out until a charging transaction runs: then it is no proof.
    if charging_since is None and all(step.limit is None for step in reported):
        return None, "no composite schedule before a charging transaction"
    context = Context(phases=3, voltage_v=230, charging_since=charging_since)
    expected = composite.composite(
        profiles, start=now, duration=CHECKED, unit=profiles[-1].unit, context=context
    )
    found = composite.difference(expected, reported, until=now + CHECKED)
    if found is None:
        return "composite", None
    at, want, got = found
    return "differs", f"{format_instant(at)}: expected {want}, reported {got}"
