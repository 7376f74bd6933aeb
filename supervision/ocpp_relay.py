"""The relays' shell: one task per second backend that dials, authenticates, negotiates and dials again.

What is told and answered is decided in `supervision.csms.relay`; here is only transport. A backend that hangs
holds up nothing but its own task.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from supervision.chance import fraction
from supervision.clock import Clock
from supervision.csms.commands import CommandService
from supervision.csms.frame import Version
from supervision.csms.link import LinkClosedError
from supervision.csms.relay import records
from supervision.csms.relay.courier import Courier, LineError
from supervision.csms.relay.model import Owner, Patience, Relay, Trouble
from supervision.csms.relay.opinions import Opinions, OwnerElsewhere
from supervision.csms.relay.records import Records
from supervision.csms.relay.service import RelayService
from supervision.log import Log
from supervision.ocpp_cs import MAX_MESSAGE_BYTES
from supervision.store.db import Database, StoreUnavailableError

log = Log("supervision.ocpp_relay")
T = TypeVar("T")

OPEN_TIMEOUT_S = 10
CLOSE_TIMEOUT_S = 2  # a backend that does not close must not hold up the end of the process
PING_INTERVAL_S = 30
PING_TIMEOUT_S = 20
RETRY_S = 1.0  # of reading the relays, while the database cannot be read


class _Dial(connect):
    """A dial that follows nobody elsewhere: a redirect would lead past the operator's list of hosts."""

    def process_redirect(self, exc: Exception) -> Exception:
        """Return the refusal as it is."""
        return exc


class _SocketLine:
    """A `Line` over a connection of the `websockets` library."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def recv(self) -> str:
        """Return the next text; a binary message is no OCPP and reads as an empty text."""
        try:
            message = await self._socket.recv()
        except ConnectionClosed:
            raise LinkClosedError from None
        return message if isinstance(message, str) else ""

    async def send(self, text: str) -> None:
        """Send one text."""
        try:
            await self._socket.send(text)
        except ConnectionClosed:
            raise LinkClosedError from None


@asynccontextmanager
async def dial(relay: Relay, password: str, version: Version) -> AsyncIterator[_SocketLine]:
    """Open a line for the length of an `async with` block; LineError says why there is none."""
    headers = {} if not password else {"Authorization": _basic(relay.identity, password)}
    dialling = _Dial(
        f"{relay.url}/{quote(relay.identity, safe='')}",
        subprotocols=[Subprotocol(version.value)],
        additional_headers=headers,
        user_agent_header=None,
        proxy=None,
        compression=None,
        max_size=MAX_MESSAGE_BYTES,
        open_timeout=OPEN_TIMEOUT_S,
        close_timeout=CLOSE_TIMEOUT_S,
        ping_interval=PING_INTERVAL_S,
        ping_timeout=PING_TIMEOUT_S,
    )
    try:
        socket = await dialling
    except InvalidStatus:
        raise LineError(Trouble.HANDSHAKE_REFUSED) from None
    except (OSError, TimeoutError, InvalidHandshake):
        raise LineError(Trouble.UNREACHABLE) from None
    async with socket:
        if socket.subprotocol is None:
            raise LineError(Trouble.NO_SUB_PROTOCOL)
        yield _SocketLine(socket)


def _basic(identity: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{identity}:{password}".encode()).decode()


@dataclass(kw_only=True)
class _Running:
    """A relay with its task; `said` wakes it."""

    relay: Relay
    task: asyncio.Task[None]
    said: asyncio.Event


class Relays:
    """All relays of the process. Run it inside the root TaskGroup."""

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        service: RelayService,
        commands: CommandService,
        opinions: Opinions,
        patience: Patience | None = None,
        draw: Callable[[], float] = fraction,
    ) -> None:
        self._db = db
        self._clock = clock
        self._service = service
        self._commands = commands
        self._opinions = opinions
        self._patience = patience or Patience()
        self._draw = draw
        self._running: dict[str, _Running] = {}
        self._listener: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Run what is set up, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            await self._until_read(records.nobody_is_connected)
            while True:
                self._service.changed.clear()
                await self._adjust(tasks, await self._until_read(records.every_relay))
                self._listen_while_needed(tasks)
                await self._service.changed.wait()

    async def _until_read(self, ask: Callable[[Database], Awaitable[T]]) -> T:
        while True:
            try:
                return await ask(self._db)
            except StoreUnavailableError:
                await asyncio.sleep(RETRY_S)

    def _listen_while_needed(self, tasks: asyncio.TaskGroup) -> None:
        """A server without relays must not be woken at every commit."""
        if self._running and self._listener is None:
            self._listener = tasks.create_task(self._listen(), name="relay-listener")
        elif not self._running and self._listener is not None:
            self._listener.cancel()
            self._listener = None

    async def _listen(self) -> None:
        """Wake the relays of a station that has said something; they look again by themselves anyway."""
        with self._db.changes.subscribe() as changes:
            async for topics in changes:
                for running in self._running.values():
                    if running.relay.topic in topics:
                        running.said.set()

    async def _adjust(self, tasks: asyncio.TaskGroup, wanted: list[Relay]) -> None:
        """Stop what is not wanted any more or not like that, then start what is missing."""
        by_station = {relay.charging_station: relay for relay in wanted}
        over = [one for name, one in self._running.items() if by_station.get(name) != one.relay]
        for running in over:
            running.task.cancel()
            del self._running[running.relay.charging_station]
        if over:
            await asyncio.wait([running.task for running in over])
        for name, relay in by_station.items():
            if name not in self._running:
                said = asyncio.Event()
                task = tasks.create_task(self._serve(tasks, relay, said), name=f"relay {name}")
                self._running[name] = _Running(relay=relay, task=task, said=said)

    # --- one relay --------------------------------------------------------------------------------------

    async def _serve(self, tasks: asyncio.TaskGroup, relay: Relay, said: asyncio.Event) -> None:
        elsewhere = OwnerElsewhere(said)
        one = _OneRelay(
            relay,
            said,
            elsewhere,
            records=Records(self._db, relay),
            service=self._service,
            commands=self._commands,
            clock=self._clock,
            patience=self._patience,
            draw=self._draw,
            tasks=tasks,
        )
        with ExitStack() as owners:
            if relay.owner is Owner.THERE:
                owners.enter_context(self._opinions.of_owner(relay.charging_station, elsewhere))
            await one.run()


class _OneRelay:
    """Dials as long as its station is there or has left something to be told."""

    def __init__(
        self,
        relay: Relay,
        said: asyncio.Event,
        elsewhere: OwnerElsewhere,
        *,
        records: Records,
        service: RelayService,
        commands: CommandService,
        clock: Clock,
        patience: Patience,
        draw: Callable[[], float],
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._tasks = tasks
        self._relay = relay
        self._said = said
        self._elsewhere = elsewhere
        self._records = records
        self._service = service
        self._commands = commands
        self._clock = clock
        self._patience = patience
        self._draw = draw
        self._failures = 0
        self._speaks_next: Version | None = None

    async def run(self) -> None:
        while True:
            try:
                await self._carry(await self._wanted_version())
            except StoreUnavailableError:
                log.warning("relay.waits_for_the_database", charging_station=self._relay.charging_station)
                await self._pause()
            except LineError as error:
                await self._end(error.trouble)
            except Exception as error:  # a bug of ours must cost neither the process nor the other relays
                log.error("relay.failed", exc_info=error, charging_station=self._relay.charging_station)
                await self._end(Trouble.OUR_FAULT)

    async def _wanted_version(self) -> Version:
        """Wait until there is something to dial for; return the version of what is to be told next."""
        while True:
            self._said.clear()
            facts = await self._records.station()
            known = facts.version is not None and facts.boot is not None
            if known and facts.version and (facts.online or await self._records.is_behind()):
                return self._speaks_next or facts.version
            try:
                async with asyncio.timeout(self._patience.poll_s):
                    await self._said.wait()
            except TimeoutError:
                continue

    async def _carry(self, version: Version) -> None:
        """Dial and carry; LineError says how the line ended, unless it was no longer wanted."""
        relay = self._relay
        if self._service.refuse(relay.url) is not None:
            raise LineError(Trouble.HOST_NOT_ALLOWED)
        password = self._service.password(relay)
        if password is None:
            raise LineError(Trouble.KEY_LOST)
        async with dial(relay, password, version) as line:
            log.info("relay.connected", charging_station=relay.charging_station, ocpp=version.number)
            courier = Courier(
                line,
                relay,
                version,
                records=self._records,
                commands=self._commands,
                clock=self._clock,
                patience=self._patience,
                said=self._said,
                elsewhere=self._elsewhere,
                proved=self._proved,
                process=self._tasks,
            )
            await _one_error(courier.run())
        self._speaks_next = courier.speaks_next
        await self._records.disconnected()
        log.info("relay.left", charging_station=relay.charging_station)

    def _proved(self) -> None:
        self._failures = 0

    async def _end(self, trouble: Trouble) -> None:
        log.warning("relay.disconnected", charging_station=self._relay.charging_station, reason=trouble.value)
        try:
            await self._records.troubled(trouble, self._clock.now())
        except StoreUnavailableError:
            log.warning("relay.waits_for_the_database", charging_station=self._relay.charging_station)
        await self._pause()

    async def _pause(self) -> None:
        pause_s = self._patience.backoff_s(self._failures, self._draw())
        self._failures += 1
        await self._clock.sleep(pause_s)


async def _one_error(carrying: Awaitable[None]) -> None:
    """Turn the group of errors that ended a line into the one that tells most."""
    try:
        await carrying
    except BaseExceptionGroup as ended:
        for kind in (StoreUnavailableError, LineError, LinkClosedError):
            found = ended.subgroup(kind)
            if found is not None:
                raise _told(_first(found)) from None
        raise


def _told(error: BaseException) -> BaseException:
    return LineError(Trouble.LINE_LOST) if isinstance(error, LinkClosedError) else error


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
