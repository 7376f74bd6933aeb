"""The last depth of proof: what the meters measure stays below the limits that a station accepted."""

from __future__ import annotations

from datetime import datetime, timedelta

from supervision.charging import store
from supervision.charging.store import Row
from supervision.clock import Clock
from supervision.kernel.events import ChargingLimitDiffers
from supervision.kernel.units import watts
from supervision.store.db import Database, Tx, across_tenants

FRESH = timedelta(minutes=3)
SETTLE = timedelta(seconds=60)
"""A car follows a new limit within this time."""
EXCESS = 1.10
EXCESS_W = 150

_SWEEP = across_tenants("meters of every organisation are compared with their limits")


class PowerProof:
    """Compares measured power with accepted limits."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def check_power(self) -> int:
        """Compare measured power with the accepted limits; return how many stations exceed theirs."""
        now = self._clock.now()
        async with self._db.read(_SWEEP) as reader:
            rows = await store.drawing_now(reader, now - FRESH)
        return sum([await self._check_one(row, now) for row in rows])

    async def _check_one(self, row: Row, now: datetime) -> bool:
        organisation_id, at = row["organisation_id"], row["power_at"]
        if row["power_w"] is None:
            return False
        place = row["charging_station"], row["evse_id"]

        async def unit(tx: Tx) -> bool:
            held = await store.profiles_of(tx, organisation_id, [place[0]], states=(store.ACCEPTED,))
            mine = [r for r in held if r["evse_id"] == place[1] and r["charging_plan_id"] is not None]
            if not mine or at - mine[-1]["sent_at"] < SETTLE:
                return False
            offered = await store.offered(tx, organisation_id, *place, since=at - SETTLE, until=at)
            evse = await store.evse(tx, organisation_id, *place)
            if evse is None:
                return False
            # The car may still be following the limit of a minute ago: the higher of the two counts.
            allowed_a = max(offered(at - SETTLE, evse["max_a"]), offered(at, evse["max_a"]))
            allowed_w = watts(allowed_a, len(evse["phases"]))
            exceeds = bool(row["power_w"] > EXCESS * allowed_w + EXCESS_W)
            await self._note_measured(tx, row, mine[-1], exceeds=exceeds, now=now)
            return exceeds

        return await self._db.write(organisation_id, unit)

    async def _note_measured(self, tx: Tx, row: Row, profile: Row, *, exceeds: bool, now: datetime) -> None:
        verdict = "differs" if exceeds else "measured"
        if profile["verified"] == verdict or (profile["verified"] == "differs" and not exceeds):
            return
        values = {"verified": verdict, "verified_at": now}
        if exceeds:
            values["detail"] = f"measured {row['power_w']} W"
        await store.update_profile(tx, row["organisation_id"], profile["id"], **values)
        if exceeds:
            tx.emit(
                ChargingLimitDiffers(
                    organisation_id=row["organisation_id"],
                    charging_station=row["charging_station"],
                    station_id=row["station_id"],
                    evse_id=row["evse_id"],
                )
            )
