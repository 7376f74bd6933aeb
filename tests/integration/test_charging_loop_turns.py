"""Two charging stations behind one grid connection: room is made at one before it is taken at the other."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import insert, update

from supervision.charging import store
from supervision.charging.composite import Context, composite, read_profile
from supervision.charging.service import ChargingService
from supervision.clock import FixedClock
from supervision.csms.commands import CommandResult, CommandState
from supervision.kernel.errors import Refused
from supervision.store import schema
from supervision.store.db import Database, Tx
from tests import factories
from tests.factories import NOW, TESTS

SITE_A = 20.0
KNOWN = {"smart_charging": {"probed": True, "stack_level": 3, "unit": "A", "max_periods": 24}}


class Chargers:
    """Several stations behind the command service, and the most their profiles ever allowed together."""

    def __init__(self, clock: FixedClock) -> None:
        self.clock = clock
        self.away: set[str] = set()
        self.held: dict[str, Mapping[str, Any]] = {"A": plan(20), "B": plan(0)}
        self.order: list[str] = []
        self.highest_a = 20.0

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
        if identity in self.away:
            return CommandResult(id="c", state=CommandState.OFFLINE)
        if action == "SetChargingProfile":
            self.order.append(identity)
            self.held[identity] = payload
            self.highest_a = max(self.highest_a, sum(map(self.allowed_a, self.held.values())))
            return CommandResult(id="c", state=CommandState.ANSWERED, response={"status": "Accepted"})
        return CommandResult(id="c", state=CommandState.ERROR, error={"code": "NotImplemented"})

    def allowed_a(self, payload: Mapping[str, Any]) -> float:
        now = self.clock.now()
        context = Context(phases=3, voltage_v=230, charging_since=now)
        held = [read_profile(payload)]
        (step,) = composite(held, start=now, duration=timedelta(seconds=1), unit="A", context=context)
        return step.limit or 0.0


def plan(current_a: float) -> dict[str, Any]:
    """A plan of one step."""
    schedule = {
        "chargingRateUnit": "A",
        "startSchedule": "2026-11-21T08:00:00Z",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": current_a}],
    }
    profile = {
        "chargingProfileId": 11,
        "stackLevel": 3,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule,
    }
    return {"connectorId": 1, "csChargingProfiles": profile}


async def two_stations(db: Database) -> None:
    """A charges at 20 A and is to stop, B is to begin; B stands first in line."""

    async def unit(tx: Tx) -> None:
        await factories.organisation(tx)
        await factories.community(tx)
        await factories.station(tx, grid_limit_a=[SITE_A] * 3)
        for identity in ("A", "B"):
            await factories.charging_station(tx, identity=identity)
        await tx.execute(
            update(schema.charging_stations).values(ocpp="1.6", connected_at=NOW, capabilities=KNOWN)
        )
        await tx.execute(
            insert(schema.charging_plans).values(
                id=1,
                organisation_id="org",
                station_id="st",
                made_at=NOW,
                valid_until=NOW,
                reason="test",
                problem={},
                plan={},
                needs=[],
                solver="greedy",
            )
        )
        for identity, current_a, state in (
            ("A", 20, store.ACCEPTED),
            ("B", 0, store.ACCEPTED),
            ("B", 20, store.WAITING),
            ("A", 0, store.WAITING),
        ):
            await tx.execute(
                insert(schema.sent_profiles).values(
                    organisation_id="org",
                    charging_station=identity,
                    evse_id=1,
                    charging_plan_id=1,
                    sent_at=NOW,
                    profile=plan(current_a),
                    state=state,
                )
            )

    await db.write(TESTS, unit)


async def test_fall_at_one_station_is_accepted_before_the_rise_at_the_other_is_sent(
    db: Database, clock: FixedClock
) -> None:
    await two_stations(db)
    chargers = Chargers(clock)
    await ChargingService(db=db, clock=clock, commands=chargers).serve_stations()
    assert (chargers.order, chargers.highest_a) == (["A", "B"], SITE_A)


async def test_rise_waits_for_a_station_that_is_away_while_its_car_charges(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await two_stations(sqlite_db)
    charging = {
        "organisation_id": "org",
        "charging_station": "A",
        "evse_id": 1,
        "ocpp": "1.6",
        "ocpp_transaction_id": "7",
        "natural_key": "k7",
        "state": "open",
        "started_at": NOW,
        "started_received_at": NOW,
        "meter_start_wh": 0,
    }
    await sqlite_db.write(
        TESTS, lambda tx: tx.execute(insert(schema.charging_transactions).values(**charging))
    )
    chargers = Chargers(clock)
    service = ChargingService(db=sqlite_db, clock=clock, commands=chargers)
    chargers.away = {"A"}
    await service.serve_stations()
    assert chargers.order == []
    chargers.away = set()
    await service.serve_stations()
    assert (chargers.order, chargers.highest_a) == (["A", "B"], SITE_A)
