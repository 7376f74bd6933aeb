"""The shell of an emulated charge point: its tasks, its socket, its clock, and the keys a tester presses.

async with Emulator(url="ws://localhost:9000/ocpp", identity="CP1", ocpp="1.6", speed=60) as cp:
    await cp.connected()
    await cp.plug(1, "zoe-52", soc=40)
    await cp.present(1, "04A1B2C3")
    await cp.wait_for(lambda cp: cp.evses[1].power_w > 0)
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from chargepoint_emulator.authorisation import IdToken, id_token
from chargepoint_emulator.cars import Car
from chargepoint_emulator.clock import Calendar, SpeedClock, system_now
from chargepoint_emulator.kinds import KINDS
from chargepoint_emulator.link import (
    Backoff,
    CallRefusedError,
    CannotConnectError,
    Link,
    LinkClosedError,
    RawFrame,
    open_link,
)
from chargepoint_emulator.personalities import PERSONALITIES
from chargepoint_emulator.personality import combined
from chargepoint_emulator.queue import Message
from chargepoint_emulator.station import Dialect, Evse, Reported, Station
from chargepoint_emulator.v16 import Dialect16
from chargepoint_emulator.v201 import Dialect201
from chargepoint_emulator.wire import Answer, Frame, JsonObject, RpcError, instant

DIALECTS: dict[str, Callable[[], Dialect]] = {"1.6": Dialect16, "2.0.1": Dialect201}
_POLL_S = 0.02
_TIME_ACTIONS = frozenset({"BootNotification", "Heartbeat"})


class Emulator:
    """One charge point; a context manager that owns all of its tasks."""

    def __init__(
        self,
        *,
        url: str,
        identity: str,
        ocpp: str = "1.6",
        password: str | None = None,
        evses: int = 1,
        kind: str = "ac22",
        car: str = "zoe-52",
        personality: str | Sequence[str] = "good",
        speed: float = 1.0,
        meter_interval_s: int = 60,
        register_wh: float = 0.0,
        retry_s: tuple[float, float] = (0.1, 30.0),
        call_timeout_s: float = 30.0,
        frames_kept: int = 1000,
        seed: int | None = None,
        on_event: Callable[[str, Reported], None] | None = None,
    ) -> None:
        """Describe a station; ``retry_s`` is in real seconds, ``meter_interval_s`` in emulated ones.

        Several names as ``personality`` give one station with all of their faults.
        """
        self.identity = identity
        self.speed = speed
        self.default_car = car
        self.frames: deque[RawFrame] = deque(maxlen=frames_kept)
        self.clock = SpeedClock(speed=speed)
        self._url = url
        self._call_timeout_s = call_timeout_s
        chance = random.Random(seed if seed is not None else identity)  # noqa: S311 - guards nothing
        self._backoff = Backoff(first_s=retry_s[0], most_s=retry_s[1], chance=chance)
        names = [personality] if isinstance(personality, str) else personality
        character = combined(PERSONALITIES[name] for name in names)
        self.station = Station(
            identity=identity,
            dialect=DIALECTS[ocpp](),
            kind=KINDS[kind],
            evses=evses,
            personality=character,
            calendar=Calendar(
                origin=system_now(), tolerance_s=max(1.0, 0.05 * speed), skew_s=character.clock_skew_s
            ),
            new_id=lambda: str(uuid.uuid4()),
            meter_interval_s=meter_interval_s,
            register_wh=register_wh,
            report=(lambda reported: on_event(identity, reported)) if on_event else None,
        )
        self.station.secret = (password or "").encode()
        self._cars: dict[int, Car] = {}
        self._link: Link | None = None
        self._offline_until_s = 0.0
        self._wake = asyncio.Event()
        self._work = asyncio.Event()
        self._online_again = asyncio.Event()
        self._waiters: list[asyncio.Future[None]] = []
        self._tasks: asyncio.TaskGroup | None = None
        self._runner: asyncio.Task[None] | None = None

    # -- life ---------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Power up."""
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        self._runner = self._tasks.create_task(self.run(), name=self.identity)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Power down: the connection is closed, nothing of the emulator is left running.

        An error of the caller's passes as it is; only an error of the emulator itself comes as a group.
        """
        if self._runner:
            self._runner.cancel()
        if self._tasks:
            if kind is not None and issubclass(kind, asyncio.CancelledError):
                await self._tasks.__aexit__(kind, error, trace)
            else:
                await self._tasks.__aexit__(None, None, None)

    async def run(self) -> None:
        """Live until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._drive())
            tasks.create_task(self._keep_connected())
            if self.station.personality.second_socket_after_s is not None:
                tasks.create_task(self._connect_again(self.station.personality.second_socket_after_s))

    # -- what a tester sees -------------------------------------------------------------------------------

    @property
    def evses(self) -> Mapping[int, Evse]:
        """The EVSEs by number, as they are now."""
        self._advance()
        return self.station.evses

    @property
    def online(self) -> bool:
        """Whether the station is connected and accepted."""
        return self.station.online

    async def connected(self) -> None:
        """Wait until the station is connected and accepted."""
        await self.wait_for(lambda cp: cp.online)

    async def wait_for(self, predicate: Callable[[Emulator], bool], *, within_s: float = 30.0) -> None:
        """Wait until a condition holds; raises TimeoutError after ``within_s`` real seconds."""
        async with asyncio.timeout(within_s):
            while not self._holds(predicate):
                waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiters.append(waiter)
                await asyncio.wait([waiter], timeout=_POLL_S)

    def _holds(self, predicate: Callable[[Emulator], bool]) -> bool:
        self._advance()
        return predicate(self)

    # -- the keys -----------------------------------------------------------------------------------------

    async def plug(self, evse: int, car: Car | str | None = None, *, soc: float | None = None) -> Car:
        """Plug a car in: a :class:`Car`, a model, or the car that was here last. ``soc`` is in percent.

        Where a car is plugged in already it stays, and is returned.
        """
        standing = self.evses[evse].car
        if standing is not None:
            self.station.report("already_plugged", evse=evse)
            return standing
        if isinstance(car, Car):
            chosen = car
        elif car is None and soc is None and evse in self._cars:
            chosen = self._cars[evse]
        else:
            chosen = Car(model=car or self.default_car, soc=50.0 if soc is None else soc)
        self._cars[evse] = chosen
        self._do(lambda: self.station.plug(evse, chosen))
        return chosen

    async def unplug(self, evse: int) -> Car | None:
        """Take the cable out and return the car."""
        car: list[Car | None] = []
        self._do(lambda: car.append(self.station.unplug(evse)))
        return car[0]

    async def present(self, evse: int, token: IdToken | str) -> str:
        """Show a token; return the status it was given ("Accepted", "Invalid", ...)."""
        shown = id_token(token) if isinstance(token, str) else token
        status: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def told(word: str) -> None:
            if not status.done():
                status.set_result(word)

        self._do(lambda: self.station.present(evse, shown, told))
        return await status

    async def fault(self, evse: int, error_code: str = "OtherError") -> None:
        """Break an EVSE."""
        self._do(lambda: self.station.fault(evse, error_code))

    async def repair(self, evse: int) -> None:
        """Mend an EVSE."""
        self._do(lambda: self.station.repair(evse))

    async def go_offline(self, seconds: float = float("inf")) -> None:
        """Lose the line for a number of emulated seconds."""
        self._offline_until_s = self.clock.uptime_s() + seconds
        self._online_again.clear()
        await self.drop_connection()

    async def go_online(self) -> None:
        """Give the line back."""
        self._offline_until_s = 0.0
        self._online_again.set()

    async def drop_connection(self) -> None:
        """Break the connection without a word; the station reconnects by itself."""
        if self._link:
            self._link.drop()
            self._do(self.station.disconnected)

    async def reboot(self, reason: str = "PowerUp") -> None:
        """Switch off and on: the station boots anew once its line is back."""
        self.station.reboot_reason = reason
        if self._link:
            self._link.drop()
        else:
            self._do(self.station.reboot)

    def drive(self, evse: int, energy_wh: float) -> None:
        """Let the car that was last at an EVSE use energy on the road."""
        if evse in self._cars:
            self._cars[evse].drive(energy_wh)

    # -- inside -------------------------------------------------------------------------------------------

    def _do(self, action: Callable[[], object]) -> None:
        """Do something to the station, as of now."""
        self._advance()
        action()
        self._settled()

    def _advance(self) -> None:
        self.station.advance(self.clock.uptime_s())

    def _settled(self) -> None:
        """Wake whoever may have something to do after a change."""
        self._wake.set()
        self._work.set()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _drive(self) -> None:
        while True:
            self._wake.clear()
            self._advance()
            self._work.set()
            await self._sleep_until(self.station.next_event_s())

    async def _sleep_until(self, uptime_s: float) -> None:
        left_s = None if uptime_s == float("inf") else self.clock.real_seconds_until(uptime_s)
        try:
            async with asyncio.timeout(left_s):
                await self._wake.wait()
        except TimeoutError:
            self._settled()

    async def _keep_connected(self) -> None:
        while True:
            await self._until_online()
            try:
                link = await self._open()
            except CannotConnectError as error:
                self.station.report("cannot_connect", why=str(error))
            else:
                await self._converse(link)
                if self.station.personality.changes_version and self.station.idle:
                    self._change_version()
            await asyncio.sleep(self._backoff.next_s())

    async def _connect_again(self, after_s: float) -> None:
        """Open a second socket beside the first, say nothing on it, and keep it as long as it lives."""
        await asyncio.sleep(after_s)
        try:
            link = await self._open()
        except CannotConnectError as error:
            self.station.report("cannot_connect", why=str(error))
            return
        try:
            await link.read(lambda _: Answer(payload={}, silent=True), lambda: None)
        finally:
            await link.close()

    def _change_version(self) -> None:
        spoken = self.station.dialect.subprotocol
        self.station.speak(next(one for make in DIALECTS.values() if (one := make()).subprotocol != spoken))

    async def _until_online(self) -> None:
        while (left_s := self.clock.real_seconds_until(self._offline_until_s)) > 0:
            try:
                async with asyncio.timeout(None if left_s == float("inf") else left_s):
                    await self._online_again.wait()
            except TimeoutError:
                return

    async def _open(self) -> Link:
        return await open_link(
            url=self._url,
            identity=self.identity,
            subprotocol=self.station.dialect.subprotocol,
            password=self.station.secret,
            frames=self.frames,
            call_timeout_s=self._call_timeout_s,
            ping_interval_s=self.station.configuration.number("ping_s"),
            personality=self.station.personality,
            speed=self.speed,
        )

    async def _converse(self, link: Link) -> None:
        """Talk until the connection ends."""
        if self.clock.uptime_s() < self._offline_until_s:
            link.drop()
            return
        self._link = link
        self._do(self.station.connected)
        try:
            async with asyncio.TaskGroup() as tasks:
                sender = tasks.create_task(self._send(link))
                await link.read(self._serve, self._settled)
                sender.cancel()
        finally:
            self._link = None
            self._do(self._lost)
            await link.close()

    def _lost(self) -> None:
        self.station.disconnected()
        if self.station.reboot_reason:
            self.station.reboot()

    def _serve(self, frame: Frame) -> Answer:
        self._advance()
        return self.station.serve(frame)

    async def _send(self, link: Link) -> None:
        """Send what is ready, one CALL at a time."""
        while True:
            self._advance()
            message = self.station.ready()
            if message is not None:
                await self._call(link, message)
            elif self.station.reboot_reason or self.station.reconnect_wanted:
                await link.close()
                return
            else:
                self._work.clear()
                await self._work.wait()

    async def _call(self, link: Link, message: Message) -> None:
        sent_s = self.clock.uptime_s()
        try:
            result = await link.call(message.message_id, message.action, self.station.complete(message))
        except LinkClosedError:
            # The reader sees the same end and stops this task; the message stays queued if it is durable.
            await asyncio.Event().wait()
        except CallRefusedError as error:
            refusal = str(error)
            self._do(lambda: self.station.failed(message, refusal))
        else:
            self._do(lambda: self._answered(message, result, sent_s))

    def _answered(self, message: Message, result: JsonObject, sent_s: float) -> None:
        try:
            self._follow_clock(message, result, sent_s)
            self.station.answered(message, result)
        except RpcError as error:
            self.station.report("malformed_answer", action=message.action, why=error.description)
        if self.station.online:
            self._backoff.reset()

    def _follow_clock(self, message: Message, result: JsonObject, sent_s: float) -> None:
        """Set the calendar, taking the hour as read halfway between question and answer."""
        if message.action in _TIME_ACTIONS:
            server_time = instant(result, "currentTime")
            if server_time:
                self.station.set_time(server_time, uptime_s=(sent_s + self.clock.uptime_s()) / 2)
