"""The whole web application over a small world of two organisations, called in the test's own event loop.

    async with open_world(sqlite_url, clock) as world:
        status, body = await world.api("manager").get("/vehicles")

Both organisations hold the same kinds of things under other names: org has CP16, car-1, st ...; rival has
R-CP16, r-car-1, r-st ... What one must not see of the other is told by the names.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

import httpx2
from sqlalchemy import insert, update
from starlette.types import ASGIApp, Message

from supervision.accounts.model import Scope
from supervision.accounts.service import token_hash
from supervision.app import build_services
from supervision.billing.providers.payment.offline import OfflinePayments
from supervision.billing.service import BillingService
from supervision.clock import FixedClock
from supervision.csms.local_authority import LocalAuthority
from supervision.importing import import_document
from supervision.notify.providers import open_providers
from supervision.services import Services
from supervision.settings import Settings
from supervision.store import schema
from supervision.store.db import Database, Tx
from supervision.web.api.routes import api_mount
from supervision.web.app import create_app
from supervision.web.device_files import device_file_routes
from supervision.web.health import health_routes
from tests import factories
from tests.factories import NOW, TESTS

SECRET = "0123456789abcdef0123"
SITE = "http://site.example"
CSRF = "the-session's-csrf-token"
FIRMWARE = b"firmware"
# role -> (person, scope of the API token)
ROLES: Mapping[str, tuple[str, Scope]] = {
    "admin": ("m1", Scope.ADMIN),
    "manager": ("m1", Scope.MANAGER),
    "technician": ("te1", Scope.MANAGER),
    "accountant": ("ac1", Scope.MANAGER),
    "driver": ("d1", Scope.DRIVER),
    "other driver": ("d2", Scope.DRIVER),
    "narrowed": ("m1", Scope.DRIVER),
    "rival": ("r-m1", Scope.ADMIN),
    "rival driver": ("r-d1", Scope.DRIVER),
    "operator": ("op1", Scope.ADMIN),  # administers both organisations: the whole installation
}


def document(prefix: str = "") -> dict[str, Any]:
    """Return what an operator would import for one organisation; `prefix` names the other one."""
    p, organisation = prefix, f"{prefix}org"
    licence = {"number": "12AB34567", "category": "B", "valid_until": "2035-01-01"}
    point = {"station": f"{p}st", "security_profile": 1, "password": SECRET}
    car = {"station": f"{p}st", "model": "zoe-52", "battery_wh": 52000, "phases": 3}
    car |= {"max_a": 32, "min_a": 8, "wh_per_km": 165, "tariff": f"{p}t1"}

    def person(name: str, role: str, **more: Any) -> dict[str, Any]:
        place = {"community": f"{p}com"} if role == "driver" else {"organisation": organisation}
        base = {"id": f"{p}{name}", "email": f"{p}{name}@example.org", "name": f"{p}{name} secret-name"}
        return base | {"roles": [{"role": role, **place}]} | more

    return {
        "organisations": [{"id": organisation, "name": f"{p}Org"}],
        "communities": [
            {"id": f"{p}com", "organisation": organisation, "name": f"{p}Com", "zone": "Europe/Paris"}
        ],
        "stations": [
            {
                "id": f"{p}st",
                "community": f"{p}com",
                "name": f"{p}St",
                "lat": 44.7,
                "lon": 5.0,
                "grid_connection": {"limit_a": [64, 64, 64], "voltage_v": 230},
            }
        ],
        "charging_stations": [
            {"identity": f"{p.upper()}CP{n}", "evses": [{"id": 1, "kind": "ac22"}], **point}
            for n in (16, 17, 18)
        ],
        "vehicles": [
            {"id": f"{p}car-{n}", "evse": f"{p.upper()}CP{n + 15}/1", "plate": f"{p}AA-00{n}-AA", **car}
            for n in (1, 2, 3)
        ],
        "people": [
            person("m1", "fleet_manager"),
            person("te1", "technician"),
            person("ac1", "accountant"),
            person("d1", "driver", phone="+33600000001", licence=licence),
            person("d2", "driver", licence=licence),
        ],
        "id_tokens": [
            {
                "token": f"{p}{token}",
                "type": "ISO14443",
                "status": "Accepted",
                "person": f"{p}d1",
                "organisation": organisation,
            }
            for token in ("a1", "B2", "c3")
        ],
        "tariffs": [
            {
                "id": f"{p}t1",
                "community": f"{p}com",
                "valid_from": "2026-01-01",
                "hour_cents": 600,
                "km_cents": 0,
                "booking_fee_cents": 100,
                "late_per_half_hour_cents": 1000,
            }
        ],
    }


async def populate(db: Database, clock: FixedClock) -> None:
    """Write both organisations, their past and their future; the same bytes for every test."""
    for prefix in ("", "r-"):
        await import_document(db, clock, json.dumps(document(prefix)))
        await db.write(TESTS, _past_of(prefix))
        billing = BillingService(db=db, clock=clock, payments=OfflinePayments(db, clock))
        for n in (1, 2, 3):
            await billing.invoice_booking(f"{prefix}org", f"{prefix}old{n}", at=NOW)
    await db.write(TESTS, _credentials)


def _past_of(p: str) -> Callable[[Tx], Any]:
    organisation, point = f"{p}org", f"{p.upper()}CP16"
    mine = {"organisation_id": organisation}
    of_booking = {
        **mine,
        "community_id": f"{p}com",
        "station_id": f"{p}st",
        "vehicle_id": f"{p}car-1",
        "driver_id": f"{p}d1",
        "tariff_id": f"{p}t1",
    }

    async def unit(tx: Tx) -> None:
        done = NOW - timedelta(days=3)
        for n in (1, 2, 3):
            await factories.booking(
                tx,
                id=f"{p}old{n}",
                status="completed",
                start_at=done - timedelta(days=n // 2),  # old2 and old3 start at one instant
                started_at=done,
                returned_at=done + timedelta(hours=2),
                **of_booking,
            )
        await factories.booking(tx, id=f"{p}b1", quoted_cents=1300, **of_booking)
        for n in (1, 2, 3):
            await tx.execute(insert(schema.frames).values(**_frame(mine, point, n)))
            await tx.execute(insert(schema.charging_transactions).values(**_charged(mine, point, p, n)))
            await tx.execute(insert(schema.command_batches).values(**_batch(mine, p, n)))
            await tx.execute(insert(schema.commands).values(**_command(mine, point, p, n)))
            await tx.execute(insert(schema.authorisation_attempts).values(**_shown(mine, point, p, n)))
        await tx.execute(
            insert(schema.alerts).values(
                **mine, station_id=f"{p}st", kind="offline", cause=point, severity="high", opened_at=NOW
            )
        )

        await _devices_of(tx, mine, p)

    return unit


async def _devices_of(tx: Tx, mine: Mapping[str, str], p: str) -> None:
    """A station that has connected once, what it said of itself, and a firmware for it."""
    table, point = schema.charging_stations, f"{p.upper()}CP17"
    of_station = {**mine, "charging_station": point}
    await tx.execute(
        update(table)
        .where(table.c.organisation_id == mine["organisation_id"], table.c.identity == point)
        .values(ocpp="1.6")
    )
    first = 11 if p else 1
    done = {"kind": "report", "word": "Reported", "state": "done"}
    times = {"begun_at": NOW, "told_at": NOW, "finished_at": NOW}
    for number in range(first, first + 3):
        row = {"id": number, "request_id": number}
        await tx.execute(insert(schema.errands).values(**of_station, **row, **done, **times))
        notice = {"kind": "security", "name": f"Event{number}", "key": f"{number}", "alarming": True}
        said = {"cleared": False, "at": NOW, "received_at": NOW, "details": {}}
        await tx.execute(insert(schema.device_notices).values(**of_station, **notice, **said))
        heard = {"frame_id": number, "at": NOW, "answer": f'[3,"{number}.1",{{"currentTime":"{number}"}}]'}
        other = {**mine, "charging_station": f"{p.upper()}CP16"}
        await tx.execute(insert(schema.relay_answers).values(**other, **heard))
    page = {"requestId": first, "reportData": []}
    await tx.execute(
        insert(schema.errand_pages).values(
            **mine, errand_id=first, seq_no=0, last=True, payload=page, received_at=NOW
        )
    )
    held = {"evse_reservation_id": 7, "evse_id": 1, "token_hint": "B2C3", "state": "held", "state_at": NOW}
    await tx.execute(insert(schema.evse_reservations).values(**of_station, **held))
    limit = {"evse_id": 0, "source": "EMS", "grid_critical": False, "charging_schedules": [], "at": NOW}
    await tx.execute(insert(schema.charging_limits).values(**of_station, **limit))
    file = {"id": f"{p}fw1", "kind": "firmware", "name": "fw.bin", "details": {}, "size_bytes": len(FIRMWARE)}
    await tx.execute(
        insert(schema.device_files).values(**mine, **file, sha256="0", made_at=NOW, complete_at=NOW)
    )


def _frame(mine: Mapping[str, str], point: str, n: int) -> dict[str, Any]:
    at = NOW - timedelta(minutes=10 - n)
    text = f'[2,"{point}-m{n}","Heartbeat",{{}}]'
    return {**mine, "charging_station": point, "at": at, "direction": "in", "frame": text}


def _charged(mine: Mapping[str, str], point: str, p: str, n: int) -> dict[str, Any]:
    started = NOW - timedelta(hours=10 - n)
    ended = n < 3
    return {
        **mine,
        "charging_station": point,
        "evse_id": 1,
        "ocpp": "1.6",
        "ocpp_transaction_id": f"{p}{n}",
        "natural_key": f"{p}{n}",
        "id_token": f"{p}a1",
        "person_id": f"{p}d1",
        "state": "ended" if ended else "open",
        "started_at": started,
        "started_received_at": started,
        "stopped_at": started + timedelta(hours=1) if ended else None,
        "meter_start_wh": 1000 * n,
        "meter_stop_wh": 1000 * n + 500 if ended else None,
        "measured_wh": 500 if ended else None,
        "energy_wh": 500 if ended else None,
        "review": "unknown_token" if ended else None,
    }


def _batch(mine: Mapping[str, str], p: str, n: int) -> dict[str, Any]:
    at = NOW - timedelta(hours=n // 2)  # batch2 and batch3 are of one instant
    of_batch = {
        "action": "ClearCache",
        "origin": "api",
        "created_at": at,
        "expires_at": at + timedelta(days=1),
    }
    return {**mine, "id": f"{p}batch{n}".replace("-", ""), **of_batch}


def _command(mine: Mapping[str, str], point: str, p: str, n: int) -> dict[str, Any]:
    """The first waits, the others were answered; ids are as the service makes them, without a dash."""
    ended = {"state": "answered", "ocpp": "1.6", "response": {"status": "Accepted"}, "tries": 1}
    return {
        **mine,
        "id": f"{p}command{n}".replace("-", ""),
        "charging_station": point,
        "batch_id": f"{p}batch{n}".replace("-", ""),
        "action": "ClearCache",
        "payload": {},
        "priority": 4,
        "state": "queued",
        "created_at": NOW - timedelta(hours=n // 2),
        "expires_at": NOW + timedelta(days=1),
        "origin": "api",
        **({} if n == 1 else ended),
    }


def _shown(mine: Mapping[str, str], point: str, p: str, n: int) -> dict[str, Any]:
    at = NOW - timedelta(hours=10 - n)
    shown = {"purpose": "start", "token_hint": f"{p}a{n}", "status": "Accepted", "person_id": f"{p}d1"}
    return {**mine, "charging_station": point, "evse_id": 1, "at": at, **shown}


async def _credentials(tx: Tx) -> None:
    both = tuple({"role": "fleet_manager", "organisation_id": name} for name in ("org", "r-org"))
    await factories.person(tx, id="op1", name="Operator", roles=both)
    await tx.execute(
        insert(schema.desired_settings).values(
            organisation_id="org",
            ocpp="1.6",
            name="MeterValueSampleInterval",
            value="60",
            reason="",
            changed_at=NOW,
        )
    )
    for n in (7, 8, 9):
        await tx.execute(
            insert(schema.unknown_stations).values(
                identity=f"NEW-{n}",
                address=f"198.51.100.{n}",
                first_seen_at=NOW - timedelta(hours=1),
                last_seen_at=NOW,
                attempts=12,
                offered=["ocpp1.6"],
                sent_password=True,
            )
        )
    tokens = schema.api_tokens
    for role, (person, scope) in ROLES.items():
        row = {"person_id": person, "scope": scope, "created_at": NOW}
        await tx.execute(insert(tokens).values(token_hash=token_hash(token_of(role)), **row))
        await tx.execute(
            insert(schema.sessions).values(
                token_hash=token_hash(f"session of {role}"),
                person_id=person,
                csrf=CSRF,
                created_at=NOW,
                seen_at=NOW,
                expires_at=NOW + timedelta(days=365),
            )
        )
    revoked = {"person_id": "m1", "scope": Scope.ADMIN, "created_at": NOW, "revoked_at": NOW}
    await tx.execute(insert(tokens).values(token_hash=token_hash("revoked"), **revoked))


def token_of(role: str) -> str:
    """Return the API token of a role."""
    return f"token-of-{role.replace(' ', '-')}"


@dataclass(frozen=True)
class Api:
    """The API as a program sees it; answers are (status, JSON)."""

    client: httpx2.AsyncClient
    token: str | None

    async def call(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """Send anything below /api/v1."""
        headers = {**options.pop("headers", {})}
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        return await self.client.request(method, f"/api/v1{path}", headers=headers, **options)

    async def get(self, path: str, **params: Any) -> tuple[int, Any]:
        """Read."""
        answer = await self.call("GET", path, params=params)
        return answer.status_code, answer.json()

    async def post(self, path: str, body: Any = None) -> tuple[int, Any]:
        """Write."""
        answer = await self.call("POST", path, json={} if body is None else body)
        return answer.status_code, answer.json()

    async def send(self, path: str, raw: bytes) -> tuple[int, Any]:
        """Write any bytes as the body."""
        answer = await self.call("POST", path, content=raw, headers={"Content-Type": "application/json"})
        return answer.status_code, answer.json()


@dataclass(frozen=True)
class Page:
    """What a browser would get; of a live stream only the head."""

    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(frozen=True, kw_only=True)
class World:
    """The application, its services, its clock."""

    app: ASGIApp
    services: Services
    clock: FixedClock
    client: httpx2.AsyncClient = field(repr=False)
    data: Path

    def api(self, role: str | None) -> Api:
        """Return the API as one of `ROLES` sees it; None: without a token."""
        return Api(self.client, None if role is None else token_of(role))

    async def visit(self, role: str | None, path: str, **options: Any) -> Page:
        """Get a page of the portal as the role's browser would."""
        return await self._browse("GET", role, path, b"", options.pop("headers", {}))

    async def submit(
        self, role: str | None, path: str, form: Mapping[str, str], *, csrf: str | None = CSRF, **headers: str
    ) -> Page:
        """Send a form as the role's browser would, with the session's token unless another is given."""
        fields = {**form} if csrf is None else {"csrf": csrf, **form}
        body = str(httpx2.QueryParams(fields)).encode()
        kind = {"content-type": "application/x-www-form-urlencoded"}
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._browse("POST", role, path, body, kind | more)

    async def _browse(
        self, method: str, role: str | None, path: str, body: bytes, headers: Mapping[str, str]
    ) -> Page:
        cookie = {} if role is None else {"cookie": f"session=session of {role}"}
        path, _, query = path.partition("?")
        return await ask(
            self.app,
            {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": method,
                "scheme": "http",
                "path": unquote(path),
                "raw_path": path.encode(),
                "query_string": query.encode(),
                "root_path": "",
                "headers": [
                    (name.encode(), value.encode("latin-1"))
                    for name, value in {"host": "site.example", **cookie, **headers}.items()
                ],
                "client": ("192.0.2.1", 1234),
                "server": ("site.example", 80),
            },
            body,
        )


async def ask(app: ASGIApp, scope: dict[str, Any], body: bytes) -> Page:
    """Call an ASGI application; a live stream is left once its head has come."""
    head: dict[str, Any] = {}
    parts: list[bytes] = []
    asked = False
    streaming, done = asyncio.Event(), asyncio.Event()

    async def receive() -> Message:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": body, "more_body": False}
        await done.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            head.update(message)
            kind = dict(message["headers"]).get(b"content-type", b"")
            if kind.startswith(b"text/event-stream"):
                streaming.set()
        else:
            parts.append(message.get("body", b""))

    async def run() -> None:
        await app(scope, receive, send)
        streaming.set()

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(run())
        await streaming.wait()
        done.set()
        running.cancel()
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in head["headers"]}
    return Page(head["status"], headers, b"".join(parts).decode(errors="replace"))


@asynccontextmanager
async def open_world(url: str, clock: FixedClock, data: Path) -> AsyncIterator[World]:
    """Compose the application as the process does, without listeners, over a populated database."""
    settings = Settings(database=url, data=str(data), public_url=SITE, relay_hosts="csms.example.org")
    (data / "files").mkdir(exist_ok=True)
    for name in ("fw1", "r-fw1"):
        (data / "files" / name).write_bytes(FIRMWARE)
    async with (
        Database.open(url, clock=clock) as db,
        open_providers(smtp_url="", mail_from=settings.mail_from, sms_url="", sms_token="") as providers,
    ):
        authority = LocalAuthority.open(settings.station_ca_path, clock.now())
        services = build_services(settings, clock, db, providers, b"s" * 32, authority)
        routes = [
            *health_routes(db, lambda: {"ocpp": True, "scheduler": True}),
            api_mount(services),
            *device_file_routes(services),
        ]
        app = create_app(services, routes=routes)
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url=SITE) as client:
            yield World(app=app, services=services, clock=clock, client=client, data=data)


def at(hours: float, day: int = 3) -> str:
    """Return an instant `day` days after the tests' now at 09:00 UTC plus hours, as RFC 3339."""
    moment: datetime = NOW + timedelta(days=day, hours=1 + hours)
    return moment.isoformat()


@contextmanager
def served(*args: str, log: IO[str] | None = None) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run `supervision serve` as a process of its own on free ports; yields it with its ready line.

    What it logs goes to `log`, else to a pipe, which holds 64 KiB and then stops the process.
    """
    command = [sys.executable, "-m", "supervision", "serve", "--http", "127.0.0.1:0", "--ocpp", "127.0.0.1:0"]
    process = subprocess.Popen(
        [*command, *args], stdout=subprocess.PIPE, stderr=log or subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield process, json.loads(line)
    finally:
        process.kill()
        process.communicate()
