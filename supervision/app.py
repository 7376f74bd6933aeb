"""The composition root: settings become a database, services, and one group of sibling tasks.

Web, charging-station listener, scheduler and outbox live and die together: when one of them ends by
itself the process ends with an error and the service manager starts it again, clean.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvicorn
from starlette.routing import BaseRoute
from starlette.types import ASGIApp
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from supervision import log as logs
from supervision.access.authoriser import ChargingAuthoriser
from supervision.access.hands import SIMULATED
from supervision.access.providers.immobiliser.simulated import SimulatedImmobilisers
from supervision.access.providers.key_box.simulated import SimulatedKeyBoxes
from supervision.access.returns import ReturnService
from supervision.access.secret import load_secret
from supervision.access.service import AccessService
from supervision.accounts.service import AccountsService
from supervision.billing.providers.payment.offline import OfflinePayments
from supervision.billing.service import BillingService
from supervision.booking.service import BookingService
from supervision.chance import new_id
from supervision.charging.service import ChargingService
from supervision.clock import Clock
from supervision.csms.adoption import AdoptionService
from supervision.csms.authority import CertificateAuthority
from supervision.csms.batches import BatchService
from supervision.csms.certificates import CertificateService
from supervision.csms.commands import CommandService
from supervision.csms.configuration import ConfigurationService
from supervision.csms.devices.campaigns import CampaignService
from supervision.csms.devices.files import FileService
from supervision.csms.devices.service import DeviceService
from supervision.csms.directory import DirectoryService
from supervision.csms.journal import JournalService
from supervision.csms.local_authority import LocalAuthority
from supervision.csms.local_list_sync import LocalListService
from supervision.csms.presuming import PresumingService
from supervision.csms.probing import ProbeService
from supervision.csms.registry import Registry
from supervision.csms.relay.opinions import Opinions
from supervision.csms.relay.sealing import Sealer
from supervision.csms.relay.service import RelayService
from supervision.csms.review import ReviewService
from supervision.csms.security import SecurityService, TlsOffer
from supervision.csms.service import CentralService
from supervision.csms.tls import StationTls, server_certificate
from supervision.kernel.errors import FieldError
from supervision.log import Log
from supervision.notify.alerts import AlertService
from supervision.notify.providers import Providers, open_providers
from supervision.notify.service import NotifyService
from supervision.ocpp_cs import MAX_MESSAGE_BYTES, CentralSystem, SecurePort
from supervision.ocpp_relay import Relays
from supervision.scheduler import Scheduler, Step
from supervision.services import Services
from supervision.settings import Settings, host_port
from supervision.store import migrate as schema_version
from supervision.store.db import Database
from supervision.store.outbox import Consumer, Outbox
from supervision.web.api.routes import api_mount
from supervision.web.app import create_app
from supervision.web.device_files import device_file_routes
from supervision.web.health import health_routes

log = Log("supervision.app")


@asynccontextmanager
async def open_database(settings: Settings, clock: Clock) -> AsyncIterator[Database]:
    """Open the configured database; an empty one is migrated, another program's is refused by FieldError."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    found = await schema_version.current(settings.database_url)
    if found is None:
        await schema_version.migrate(settings.database_url)
    elif not schema_version.is_ours(found):
        raise FieldError("database", f"schema {found} was made by a newer program: run that one")
    elif found != schema_version.head():
        raise FieldError("database", f"schema {found} is old: back up, then run `supervision migrate`")
    async with Database.open(settings.database_url, clock=clock) as db:
        yield db


class WebServer(uvicorn.Server):
    """Uvicorn as one task among siblings: signals are the root's business, not the web server's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


class WebSockets(WebSocketsSansIOProtocol):
    """Uvicorn's sockets, without the error it logs for every handshake that was refused in good order."""

    async def send(self, message: Any) -> None:
        """Pass the message on; a refusal that was sent whole completes the handshake."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True


def listen(name: str, address: str) -> socket.socket:
    """Bind a TCP socket now, so that port 0 is known before anyone is told."""
    host, port = host_port(name, address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise FieldError(name, f"cannot listen on {address}: {error.strerror}") from error
    bound.listen(1024)
    bound.setblocking(False)  # noqa: FBT003 - the socket API
    return bound


def address_of(bound: socket.socket) -> str:
    """Return HOST:PORT of a bound socket."""
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def web_server(app: Any) -> WebServer:
    """Return an embedded uvicorn for an ASGI application."""
    return WebServer(
        uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=5,
            ws=WebSockets,
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_ping_interval=None,
        )
    )


def secure_port(settings: Settings, sockets: contextlib.ExitStack) -> SecurePort | None:
    """Bind the port with TLS, None without one; FieldError when its certificates cannot be used."""
    if not settings.ocpp_tls:
        return None
    given = (
        server_certificate("ocpp_tls_ecdsa", settings.ocpp_tls_ecdsa),
        server_certificate("ocpp_tls_rsa", settings.ocpp_tls_rsa),
    )
    certificates = [one for one in given if one is not None]
    if not certificates:
        raise FieldError("ocpp_tls", "ocpp_tls_ecdsa or ocpp_tls_rsa is wanted, best both")
    bundles = [Path(settings.station_ca_bundle)] if settings.station_ca_bundle else []
    tls = StationTls.load(certificates, [settings.station_ca_path, *bundles])
    bound = sockets.enter_context(listen("ocpp_tls", settings.ocpp_tls))
    log.info("ocpp.tls_listens", address=address_of(bound))
    return SecurePort(bound=bound, tls=tls)


def build_services(
    settings: Settings,
    clock: Clock,
    db: Database,
    providers: Providers,
    secret: bytes,
    authority: CertificateAuthority,
) -> Services:
    """Make one of each service; nothing runs yet."""
    bookings = BookingService(db, clock, new_id)
    access = AccessService(
        db,
        clock,
        secret=secret,
        bookings=bookings,
        key_boxes={SIMULATED: SimulatedKeyBoxes(db)},
        immobilisers=SimulatedImmobilisers(db),
    )
    registry = Registry()
    commands = CommandService(db=db, clock=clock, registry=registry)
    files = FileService(db, clock, settings.data_dir / "files")
    certificates = CertificateService(db=db, clock=clock, commands=commands, authority=authority)
    directory = DirectoryService(db=db, registry=registry)
    return Services(
        settings=settings,
        clock=clock,
        db=db,
        accounts=AccountsService(db, clock, session_hours=settings.session_hours),
        bookings=bookings,
        access=access,
        returns=ReturnService(db, clock, bookings=bookings, access=access),
        registry=registry,
        commands=commands,
        batches=BatchService(db=db, clock=clock, commands=commands),
        journal=JournalService(db),
        devices=DeviceService(db, clock),
        files=files,
        campaigns=CampaignService(
            db=db,
            clock=clock,
            commands=commands,
            files=files,
            files_url=settings.files_url or settings.public_url,
        ),
        certificates=certificates,
        security=SecurityService(
            db=db, clock=clock, commands=commands, certificates=certificates, tls=tls_offer(settings)
        ),
        directory=directory,
        adoption=AdoptionService(db=db, clock=clock, directory=directory),
        local_lists=LocalListService(db=db, clock=clock, commands=commands, registry=registry),
        configuration=ConfigurationService(db=db, clock=clock, commands=commands, registry=registry),
        probes=ProbeService(db=db, clock=clock, commands=commands, registry=registry),
        relays=RelayService(db=db, clock=clock, sealer=Sealer(secret), hosts=settings.relay_hosts),
        presuming=PresumingService(db=db, clock=clock, registry=registry),
        review=ReviewService(db=db, clock=clock, registry=registry),
        charging=ChargingService(db=db, clock=clock, commands=commands),
        billing=BillingService(db=db, clock=clock, payments=OfflinePayments(db, clock)),
        notify=NotifyService(
            db=db,
            clock=clock,
            mail=providers.mail,
            sms=providers.sms,
            code_source=access.digits_to_send,
            link_source=_no_link,
            public_url=settings.public_url,
        ),
        alerts=AlertService(db, clock),
    )


def tls_offer(settings: Settings) -> TlsOffer:
    """What stations can be told to use."""
    return TlsOffer(
        listens=bool(settings.ocpp_tls or settings.trusted_proxy),
        url=settings.ocpp_tls_url,
        foreign_certificates=bool(settings.station_ca_bundle),
    )


async def _no_link(_organisation_id: str, _person_id: str) -> str | None:
    """Passwords are set by the operator's import; there is no link to send."""
    return None


def consumers(services: Services) -> list[Consumer]:
    """Return who listens to events, the quick ones first."""
    return [
        *services.access.consumers(),
        services.devices.consumer(),
        services.certificates.consumer(),
        services.charging.consumer(),
        services.local_lists.consumer(),
        services.configuration.consumer(),
        services.probes.consumer(),
        services.billing.consumer(),
        services.notify.consumer(),
        services.alerts.consumer(),
    ]


def steps(services: Services) -> list[Step]:
    """Return what must happen with time; seconds are of the service's clock."""
    clock = services.clock
    return [
        Step("codes", 15, services.access.release_due),
        Step("key-boxes", 60, services.access.sync_due),
        Step("returns", 30, services.returns.sweep_seen_returns),
        Step("no-shows", 60, services.bookings.sweep_no_shows),
        Step("late", 30, services.bookings.sweep_late),
        Step("plan", 2, services.charging.replan_due),
        Step("profiles", 2, services.charging.serve_stations),
        Step("charging", 60, services.charging.sweep),
        Step("lost-ends", 60, services.presuming.end_due),
        Step("payments", 60, services.billing.run_due_payments),
        Step("notify", 5, lambda: services.notify.send_due(clock.now())),
        Step("alerts", 60, services.alerts.sweep),
        Step("configuration", 15, services.configuration.serve_due),
        Step("probes", 5, services.probes.run_due),
        Step("local-lists", 600, services.local_lists.sweep),
        Step("strangers", 15, services.adoption.write_due),
        Step("accounts", 3600, services.accounts.forget_old),
        Step("retention", 3600, lambda: forget_old_messages(services)),
    ]


async def forget_old_messages(services: Services) -> None:
    """Drop what stations said and left longer ago than the settings keep it."""
    before = services.clock.now() - timedelta(days=services.settings.frame_retention_days)
    await services.journal.forget_before(before)
    await services.relays.forget_before(before)
    await services.devices.forget_before(before)
    await services.files.forget_before(before)


@dataclass(frozen=True, kw_only=True)
class Extras:
    """What the demo adds to a server: routes, steps, tasks that run beside the others."""

    routes: Sequence[BaseRoute] = ()
    steps: Sequence[Step] = ()
    tasks: Sequence[Callable[[], Awaitable[object]]] = ()


ExtrasFor = Callable[[Services], Extras]


async def serve(
    settings: Settings,
    clock: Clock,
    *,
    speed: float = 1.0,
    extras: ExtrasFor = lambda _: Extras(),
    on_ready: Callable[[str, str], Awaitable[None]] | None = None,
) -> None:
    """Serve until SIGTERM; `on_ready` is told both addresses once both listeners accept."""
    with stop_signals() as stop, contextlib.ExitStack() as sockets:
        http = sockets.enter_context(listen("http", settings.http))
        ocpp = None if settings.single_port else sockets.enter_context(listen("ocpp", settings.ocpp))
        authority = LocalAuthority.open(
            settings.station_ca_path, clock.now(), organisation=settings.station_organisation
        )
        secure = secure_port(settings, sockets)
        settings = replace(settings, public_url=settings.public_url or f"http://{address_of(http)}")
        secret = load_secret(settings.data_dir)
        async with (
            open_database(settings, clock) as db,
            open_providers(
                smtp_url=settings.smtp_url,
                mail_from=settings.mail_from,
                sms_url=settings.sms_url,
                sms_token=settings.sms_token,
            ) as providers,
        ):
            services = build_services(settings, clock, db, providers, secret, authority)
            process = _Process(services, extras(services), ocpp=ocpp, secure=secure, speed=speed)
            await process.run(http, stop, on_ready or _print_ready)


class _Process:
    """The siblings of one process and their end."""

    def __init__(
        self,
        services: Services,
        extras: Extras,
        *,
        ocpp: socket.socket | None,
        secure: SecurePort | None,
        speed: float,
    ) -> None:
        self._services = services
        self._extras = extras
        opinions = Opinions(services.db, services.clock, wait_s=services.settings.relay_answer_s)
        self._relays = Relays(
            db=services.db,
            clock=services.clock,
            service=services.relays,
            commands=services.commands,
            opinions=opinions,
        )
        self._central = CentralSystem(
            CentralService(
                db=services.db,
                clock=services.clock,
                authoriser=ChargingAuthoriser(services.access),
                registry=services.registry,
                commands=services.commands,
                boot_interval_s=services.settings.boot_interval_s,
                authority=services.certificates.authority,
                organisation=services.settings.station_organisation,
            ),
            adoption=services.adoption,
            trusted_proxy=services.settings.trusted_proxy,
            opinions=opinions,
        )
        self._scheduler = Scheduler([*steps(services), *extras.steps], services.clock, speed=speed)
        self._outbox = Outbox(services.db, services.clock, consumers(services))
        self._ocpp = ocpp
        self._secure = secure
        self._ocpp_accepts = asyncio.Event()

    async def run(
        self,
        http: socket.socket,
        stop: asyncio.Event,
        on_ready: Callable[[str, str], Awaitable[None]],
    ) -> None:
        web = web_server(self._application())
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(self._serve_web(web, http, stop), name="web")
            others = [
                group.create_task(must_not_end(name, work), name=name)
                for name, work in (
                    ("ocpp", self._serve_ocpp()),
                    ("scheduler", self._scheduler.run()),
                    ("outbox", self._outbox.run()),
                    ("relays", self._relays.run()),
                    *((f"extra-{n}", task()) for n, task in enumerate(self._extras.tasks)),
                )
            ]
            await self._ocpp_accepts.wait()
            await on_ready(f"http://{address_of(http)}", f"ws://{address_of(self._ocpp or http)}/ocpp")
            await stop.wait()
            log.info("process.stopping")
            self._services.db.changes.close()  # live pages end by themselves, else they would hold the server
            web.should_exit = True
            await serving
            for task in others:
                task.cancel()

    def _application(self) -> ASGIApp:
        health = health_routes(
            self._services.db,
            lambda: {"ocpp": self._central.listening, "scheduler": self._scheduler.ready},
        )
        routes: list[BaseRoute] = [
            *health,
            api_mount(self._services),
            *device_file_routes(self._services),
            *self._extras.routes,
        ]
        if self._services.settings.single_port:
            routes.append(self._central.route())
        return create_app(self._services, routes=routes)

    async def _serve_web(self, web: WebServer, http: socket.socket, stop: asyncio.Event) -> None:
        await web.serve(sockets=[http])
        if not stop.is_set():
            raise RuntimeError("the web server ended by itself")

    async def _serve_ocpp(self) -> None:
        if self._ocpp is None:
            await self._central.run(ready=self._ocpp_accepts.set, secure=self._secure)
        else:
            await self._central.serve(self._ocpp, ready=self._ocpp_accepts.set, secure=self._secure)


async def _print_ready(http: str, ocpp: str) -> None:
    announce({"event": "ready", "http": http, "ocpp": ocpp})


def run_server(settings: Settings, clock: Clock) -> int:
    """Run `supervision serve`; return the exit code."""
    return run_to_exit_code(settings, lambda: serve(settings, clock))


def announce(line: dict[str, object]) -> None:
    """Print one machine-readable line on stdout."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def must_not_end(name: str, work: Awaitable[object]) -> None:
    """Run a part of the process that only ends by being cancelled."""
    await work
    raise RuntimeError(f"{name} ended by itself")


@contextmanager
def stop_signals() -> Iterator[asyncio.Event]:
    """Turn SIGTERM and SIGINT into an event for the length of a `with` block."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def spare_the_collector() -> None:
    """Look for cycles of garbage seldom, and never among what was imported.

    A frame leaves no cycles; by default the collector took a fifth of the time of a MeterValues message.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def run_to_exit_code(settings: Settings, main: Callable[[], Awaitable[None]]) -> int:
    """Run the process to its end: 0 after a clean stop, 1 after a refusal or a crash of any part."""
    logs.configure(settings.log_level)
    spare_the_collector()

    async def work() -> None:
        await main()

    try:
        with asyncio.Runner() as runner:
            runner.run(work())
    except FieldError as refused:
        with contextlib.suppress(BrokenPipeError):
            sys.stderr.write(f"{refused}\n")
        return 1
    except BaseExceptionGroup as crashed:
        log.error("process.crashed", exc_info=crashed)
        return 1
    return 0
