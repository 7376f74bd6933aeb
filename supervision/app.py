"""The composition root: settings become a database, services, and one group of sibling tasks.

Web, charging-station listener, scheduler and outbox live and die together: when one of them ends by
itself the process ends with an error and the service manager starts it again, clean.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

from supervision import log as logs
from supervision.clock import Clock
from supervision.kernel.errors import FieldError
from supervision.log import Log
from supervision.settings import Settings, host_port
from supervision.store import migrate as schema_version
from supervision.store.db import Database

log = Log("supervision.app")


@asynccontextmanager
async def open_database(settings: Settings, clock: Clock) -> AsyncIterator[Database]:
    """Open the configured database; an empty one is migrated, an older one is refused by FieldError."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    found = await schema_version.current(settings.database_url)
    if found is None:
        await schema_version.migrate(settings.database_url)
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
            ws="websockets-sansio",
            ws_max_size=256 * 1024,
            ws_ping_interval=None,
        )
    )


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


def run_to_exit_code(settings: Settings, main: Callable[[], Awaitable[None]]) -> int:
    """Run the process to its end: 0 after a clean stop, 1 after a refusal or a crash of any part."""
    logs.configure(settings.log_level)

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
