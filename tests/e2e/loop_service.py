"""The service of the loop: one town, two cars that share a tight grid connection, all real around it."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import Select

from chargepoint_emulator.cars import Car
from chargepoint_emulator.emulator import Emulator
from chargepoint_emulator.kinds import Kind
from supervision.access.hands import SIMULATED, Hands
from supervision.access.providers.immobiliser.simulated import SimulatedImmobilisers
from supervision.access.providers.key_box.simulated import SimulatedKeyBoxes
from supervision.accounts.model import Scope
from supervision.accounts.service import AccountsService
from supervision.app import Extras, open_database, serve
from supervision.importing import import_document
from supervision.notify.providers.sms.twin import SmsTwin
from supervision.services import Services
from supervision.settings import Settings
from supervision.store.db import across_tenants
from tests.e2e.loop_time import EmulatorTime, LoopTime
from tests.integration.notify_doubles import MailBox, http_server, smtp_server

MORNING = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
ORGANISATION, COMMUNITY, STATION = "ccvd", "valdrome", "eurre"
SITE_A = 20.0
CAPACITY_WH, WH_PER_KM, EFFICIENCY = 52_000, 165, 0.89
RESERVE_WH = 7_800
SECRET = "0123456789abcdef0123"
PASSWORD = "a long passphrase"
SMS_TOKEN = "gateway-token"
BADGE = "04A1B2C3"
OCPP = {"EURRE-1": "1.6", "EURRE-2": "2.0.1"}
DRIVERS = ("d1", "d2", "d3")
_ALL = across_tenants("tests look at everything")


def document() -> dict[str, Any]:
    """Return what the operator imports."""
    return {
        "organisations": [{"id": ORGANISATION, "name": "Communaute de communes"}],
        "communities": [
            {"id": COMMUNITY, "organisation": ORGANISATION, "name": "Val de Drome", "zone": "Europe/Paris"}
        ],
        "stations": [
            {
                "id": STATION,
                "community": COMMUNITY,
                "name": "Eurre",
                "grid_connection": {"limit_a": [SITE_A] * 3, "voltage_v": 230},
            }
        ],
        "charging_stations": [
            {
                "identity": identity,
                "station": STATION,
                "security_profile": 1,
                "password": SECRET,
                "evses": [{"id": 1, "kind": "ac22", "phases": [1, 2, 3]}],
            }
            for identity in OCPP
        ],
        "key_boxes": [{"id": "box-eurre", "station": STATION, "provider": SIMULATED, "config": {"slots": 2}}],
        "tariffs": [
            {
                "id": "t1",
                "community": COMMUNITY,
                "valid_from": "2026-01-01",
                "hour_cents": 600,
                "km_cents": 0,
                "booking_fee_cents": 100,
                "late_per_half_hour_cents": 1000,
            }
        ],
        "vehicles": [_vehicle("zoe-1", "EURRE-1/1", 1), _vehicle("zoe-2", "EURRE-2/1", 2)],
        "people": [
            {
                "id": "m1",
                "email": "m1@example.org",
                "name": "M One",
                "password": PASSWORD,
                "roles": [{"role": "fleet_manager", "organisation": ORGANISATION}],
            },
            *(_driver(name, number) for number, name in enumerate(DRIVERS)),
        ],
        "id_tokens": [{"token": BADGE, "type": "ISO14443", "status": "Accepted", "person": "m1"}],
    }


def _vehicle(name: str, evse: str, slot: int) -> dict[str, Any]:
    return {
        "id": name,
        "station": STATION,
        "evse": evse,
        "plate": f"AB-{slot}23-CD",
        "model": "zoe-52",
        "battery_wh": CAPACITY_WH,
        "phases": 3,
        "max_a": 32,
        "min_a": 8,
        "wh_per_km": WH_PER_KM,
        "efficiency": EFFICIENCY,
        "tariff": "t1",
        "key_box_slot": slot,
    }


def _driver(name: str, number: int) -> dict[str, Any]:
    return {
        "id": name,
        "email": f"{name}@example.org",
        "name": f"Driver {name}",
        "phone": f"+3361234560{number}",
        "locale": "en",
        "roles": [{"role": "driver", "community": COMMUNITY}],
        "licence": {"number": "12AB34567", "category": "B", "valid_until": "2035-01-01"},
    }


@dataclass(frozen=True)
class Draw:
    """So many amperes per phase at most, from and to seconds of the loop's time."""

    from_s: float
    to_s: float
    current_a: float


class WatchedCar(Car):
    """A car that remembers what it drew: the truth that no meter value can hide."""

    def __init__(self, *, soc: float) -> None:
        super().__init__(model="zoe-52", soc=soc)
        self.draws: list[Draw] = []
        self.at: Emulator | None = None

    def take(self, *, kind: Kind, offered_a: float, seconds: float) -> float:
        """Charge, and write down what the battery accepted at the beginning of the interval, its highest."""
        current_a = self.behind(kind).draw_a(offered_a)
        energy_wh = super().take(kind=kind, offered_a=offered_a, seconds=seconds)
        if self.at is not None and energy_wh > 0:
            assert isinstance(self.at.clock, EmulatorTime)
            begin_s = self.at.clock.switched_on_s + self.at.station.uptime_s
            self.draws.append(Draw(begin_s, begin_s + seconds, current_a))
        return energy_wh


def highest_a(cars: Sequence[WatchedCar]) -> float:
    """Return the highest current per phase that the cars ever drew together."""
    edges = sorted({draw.from_s for car in cars for draw in car.draws})
    return max((sum(_drawn_a(car, edge) for car in cars) for edge in edges), default=0.0)


def _drawn_a(car: WatchedCar, at_s: float) -> float:
    """Where two of a car's draws meet, floats may say that they overlap: the higher counts."""
    return max((draw.current_a for draw in car.draws if draw.from_s <= at_s < draw.to_s), default=0.0)


class Api:
    """The HTTP API as one person uses it."""

    def __init__(self, client: httpx2.AsyncClient, token: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"}

    async def get(self, path: str, **query: str) -> Any:
        """Return the body of a 200."""
        answer = await self._client.get(f"/api/v1{path}", params=query, headers=self._headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def raw(self, path: str) -> bytes:
        """Return the bytes of a 200."""
        answer = await self._client.get(f"/api/v1{path}", headers=self._headers)
        assert answer.status_code == 200, answer.text
        return answer.content

    async def post(self, path: str, **body: Any) -> tuple[int, Any]:
        """Return status and body."""
        answer = await self._client.post(f"/api/v1{path}", json=body, headers=self._headers)
        return answer.status_code, answer.json()

    async def done(self, path: str, **body: Any) -> Any:
        """Return the body of what must succeed."""
        status, answer = await self.post(path, **body)
        assert status in {200, 201}, answer
        return answer


@dataclass(frozen=True, kw_only=True)
class Running:
    """A server that runs, and who uses it."""

    time: LoopTime
    services: Services
    hands: Hands
    http: str
    ocpp: str
    client: httpx2.AsyncClient
    people: Mapping[str, Api]
    mails: MailBox
    sms: SmsTwin

    @property
    def manager(self) -> Api:
        """Return the fleet manager's API."""
        return self.people["m1"]

    async def rows(self, statement: Select[Any]) -> list[dict[str, Any]]:
        """Read the database as it is."""
        async with self.services.db.read(_ALL) as reader:
            return [dict(row) for row in await reader.all(statement)]

    @asynccontextmanager
    async def charger(self, identity: str, **options: Any) -> AsyncIterator[Emulator]:
        """Switch a charge point on, in the time of the loop."""
        emulator = Emulator(
            url=self.ocpp,
            identity=identity,
            ocpp=OCPP[identity],
            password=SECRET,
            kind="ac22",
            meter_interval_s=180,
            retry_s=(0.02, 0.1),
            frames_kept=100_000,
            **options,
        )
        emulator.clock = EmulatorTime(self.time)
        async with emulator:
            with self.time.standing_still():
                await emulator.connected()
            yield emulator


@dataclass(kw_only=True)
class World:
    """What outlives a server: its data, its time, the mail and SMS servers, the people's tokens."""

    settings: Settings
    time: LoopTime
    mails: MailBox
    sms: SmsTwin
    tokens: dict[str, str] = field(default_factory=dict)

    async def set_up(self) -> None:
        """Import the service and make the tokens, as an operator does before the first start."""
        async with open_database(self.settings, self.time) as db:
            await import_document(db, self.time, json.dumps(document()))
            accounts = AccountsService(db, self.time)
            for name in ("m1", *DRIVERS):
                scope = Scope.MANAGER if name == "m1" else Scope.DRIVER
                made = await accounts.create_token(f"{name}@example.org", scope)
                assert isinstance(made, str)
                self.tokens[name] = made

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Running]:
        """Run the server for the length of a block, and stop it as a service manager does."""
        loop = asyncio.get_running_loop()
        found: list[Services] = []
        ready: asyncio.Future[tuple[str, str]] = loop.create_future()

        def look(services: Services) -> Extras:
            found.append(services)
            return Extras()

        async def told(http: str, ocpp: str) -> None:
            ready.set_result((http, ocpp))

        async with asyncio.TaskGroup() as group:
            server = group.create_task(
                serve(self.settings, self.time, speed=200.0, extras=look, on_ready=told), name="server"
            )
            http, ocpp = await ready
            async with httpx2.AsyncClient(base_url=http, timeout=30) as client:
                yield self._running(found[0], http, ocpp, client)
            if not server.done():
                signal.raise_signal(signal.SIGTERM)

    def _running(self, services: Services, http: str, ocpp: str, client: httpx2.AsyncClient) -> Running:
        hands = Hands(
            services.db,
            self.time,
            access=services.access,
            key_boxes=SimulatedKeyBoxes(services.db),
            immobilisers=SimulatedImmobilisers(services.db),
        )
        return Running(
            time=self.time,
            services=services,
            hands=hands,
            http=http,
            ocpp=ocpp,
            client=client,
            people={name: Api(client, token) for name, token in self.tokens.items()},
            mails=self.mails,
            sms=self.sms,
        )


@asynccontextmanager
async def world(database_url: str, data: Path, *, at: datetime = MORNING) -> AsyncIterator[World]:
    """Set the service up with a mail server and an SMS gateway beside it."""
    mails, sms = MailBox(), SmsTwin(token=SMS_TOKEN)
    async with smtp_server(mails) as port, http_server(sms.app) as gateway:
        settings = Settings(
            database=database_url,
            data=str(data),
            http="127.0.0.1:0",
            ocpp="127.0.0.1:0",
            smtp_url=f"smtp://127.0.0.1:{port}",
            sms_url=f"{gateway}/sms",
            sms_token=SMS_TOKEN,
            boot_interval_s=86_400,
        )
        made = World(settings=settings, time=LoopTime(at), mails=mails, sms=sms)
        await made.set_up()
        yield made


Check = Callable[[], bool]


async def eventually(running: Running, check: Check, *, what: str, within_s: float = 600) -> None:
    """Wait, in the loop's time, until something holds."""

    async def holds() -> bool:
        return check()

    await running.time.until(holds, what=what, within_s=within_s)
