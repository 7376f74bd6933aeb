"""`supervision demo`: fresh data, an invented past, emulated chargers, drivers that come and go."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sys
from dataclasses import replace
from datetime import datetime, timedelta

from supervision.access.hands import Hands
from supervision.access.providers.immobiliser.simulated import SimulatedImmobilisers
from supervision.access.providers.key_box.simulated import SimulatedKeyBoxes
from supervision.app import Extras, open_database, run_to_exit_code, serve
from supervision.clock import Clock, ScaledClock, SystemClock
from supervision.demo import towns
from supervision.demo.chargers import running_chargers
from supervision.demo.page import StreetPage
from supervision.demo.past import ZONE, Past, People, request_for, wishes
from supervision.demo.street import Street
from supervision.importing import import_document
from supervision.kernel.errors import Refused
from supervision.scheduler import Step
from supervision.services import Services
from supervision.settings import Settings
from supervision.store.db import Database

SEED = 2026
AHEAD_DAYS = 3
PER_DAY = 1.2  # wishes a car and day: busier than the past, so that there is much to see
DRIVERS_LOOK_S = 60
# Low enough that the first page already shows cars charging for their next booking.
FIRST_PERCENT = (24, 35, 28, 55, 45, 20, 60, 31)


def run_demo(settings: Settings, *, speed: float) -> int:
    """Run the demo; return the exit code."""
    if settings.database:
        sys.stderr.write("the demo makes its own data: leave --database away\n")
        return 1
    home = settings.data_dir / "demo"
    # The clock runs fast, logins too: a month of the demo is a long enough evening.
    settings = replace(settings, data=str(home), session_hours=30 * 24)
    return run_to_exit_code(settings, lambda: _run(settings, speed))


async def _run(settings: Settings, speed: float) -> None:
    shutil.rmtree(settings.data_dir, ignore_errors=True)
    _say("inventing two months of bookings …")
    now = _this_morning()
    async with open_database(settings, SystemClock()) as db:
        await _invent(db, now)
    clock = ScaledClock(origin=now, speed=speed)
    await _Demo(settings, clock, speed).run()


async def _invent(db: Database, now: datetime) -> None:
    await import_document(db, SystemClock(), json.dumps(towns.document()))
    people = await People.load(db)
    made = await Past(db, people).play(now=now, seed=SEED)
    _say(f"{made} past trips, each with its invoice")


def _this_morning() -> datetime:
    """The demo begins at half past seven, when the first cars are about to leave."""
    return SystemClock().now().astimezone(ZONE).replace(hour=7, minute=30, second=0, microsecond=0)


class _Demo:
    """The server with the street beside it."""

    def __init__(self, settings: Settings, clock: Clock, speed: float) -> None:
        self._settings = settings
        self._clock = clock
        self._speed = speed
        self._services: Services | None = None
        self._street: Street | None = None
        self._ocpp_url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._chance = random.Random(SEED)  # noqa: S311 - an invented future, the same every time

    async def run(self) -> None:
        await serve(
            self._settings,
            self._clock,
            speed=self._speed,
            extras=self._extras,
            on_ready=self._on_ready,
        )

    def _extras(self, services: Services) -> Extras:
        self._services = services
        return Extras(
            routes=StreetPage(self._on_street).routes(),
            steps=[Step("drivers", DRIVERS_LOOK_S, self._look), Step("wishes", 24 * 3600, self._wish)],
            tasks=[self._keep_chargers],
        )

    def _on_street(self) -> Street:
        if self._street is None:
            raise RuntimeError("the street is not open yet")
        return self._street

    async def _keep_chargers(self) -> None:
        """Own the emulators for the length of the process."""
        services = self._services
        if services is None:
            raise RuntimeError("the demo has no services")
        async with running_chargers(await self._ocpp_url, speed=self._speed) as chargers:
            hands = Hands(
                services.db,
                services.clock,
                access=services.access,
                key_boxes=SimulatedKeyBoxes(services.db),
                immobilisers=SimulatedImmobilisers(services.db),
            )
            people = await People.load(services.db)
            street = Street(services, hands, chargers, people)
            await _all_connected(services)
            await self._fill_batteries(street)
            self._street = street
            await self._wish()
            await asyncio.get_running_loop().create_future()

    async def _fill_batteries(self, street: Street) -> None:
        levels = {row[0]: level for row, level in zip(towns.VEHICLES, FIRST_PERCENT, strict=True)}
        await street.park_everything(levels)
        for vehicle, level in levels.items():
            await street.services.charging.energy.enter(
                towns.ORGANISATION, vehicle, percent=level, cause="demo:start"
            )

    async def _look(self) -> None:
        if self._street is not None:
            await self._street.live()

    async def _wish(self) -> None:
        """Book for the coming days, like people do."""
        if self._street is None:
            return
        services, people = self._street.services, self._street.people
        now = services.clock.now()
        for trip in wishes(now, AHEAD_DAYS, self._chance, per_day=PER_DAY):
            if trip.start_at > now + timedelta(minutes=10):
                made = await services.bookings.book(people.ask(trip.driver), request_for(trip))
                if isinstance(made, Refused):
                    continue

    async def _on_ready(self, http: str, ocpp: str) -> None:
        self._ocpp_url.set_result(ocpp)
        _say(
            f"""
Autopartage Supervision – demo, one hour = {self._speed:g} hours

  {http}           sign in as
    {towns.MANAGER}   fleet manager   password {towns.PASSWORD}
    {towns.DRIVER}   driver          password {towns.PASSWORD}
  {http}/street    keys, cables and roads for the driver's bookings
  {ocpp}      charging stations

Stop with Ctrl+C. Data: {self._settings.data_dir}
"""
        )


async def _all_connected(services: Services) -> None:
    """Wait until every charging station has booted: a badge shown before that is shown to nobody."""
    waiting = {charger.identity for charger in towns.CHARGERS}
    while waiting:
        await asyncio.sleep(0.2)
        live = {connection.station.identity for connection in services.registry if connection.statuses}
        waiting -= live


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
