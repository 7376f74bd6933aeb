"""The websocket of a station: opening it, one outstanding CALL, and how long to wait before trying again."""

from __future__ import annotations

import asyncio
import base64
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.frames import Frame as WebSocketFrame
from websockets.frames import Opcode
from websockets.http11 import Request
from websockets.typing import Subprotocol

from chargepoint_emulator.personality import Personality
from chargepoint_emulator.wire import (
    CALL,
    CALLERROR,
    SPELLING_16,
    Answer,
    Frame,
    JsonObject,
    RpcError,
    call_text,
    error_text,
    read_frame,
    result_text,
)

MAX_FRAME_BYTES = 1 << 20
CLOSE_TIMEOUT_S = 2.0


class LinkClosedError(Exception):
    """The connection is gone; a pending CALL has no answer."""


class CallRefusedError(Exception):
    """The CALL was answered by a CALLERROR, or not in time; the text says which."""


class CannotConnectError(Exception):
    """The connection could not be opened; the text says why, without any secret."""


@dataclass(frozen=True, kw_only=True)
class RawFrame:
    """A frame as it went over the wire."""

    sent: bool
    text: str


class Backoff:
    """Waiting times that double from ``first_s`` to ``most_s``, each shortened by chance."""

    def __init__(self, *, first_s: float, most_s: float, chance: random.Random) -> None:
        """Start with the first."""
        self._first_s, self._most_s, self._chance = first_s, most_s, chance
        self._attempts = 0

    def next_s(self) -> float:
        """Return the next waiting time."""
        full_s = min(self._most_s, self._first_s * 2.0 ** min(self._attempts, 30))
        self._attempts += 1
        return full_s * (0.5 + 0.5 * self._chance.random())

    def reset(self) -> None:
        """Start again after a success."""
        self._attempts = 0


class Link:
    """An open connection that speaks OCPP-J."""

    def __init__(
        self,
        socket: ClientConnection,
        *,
        frames: deque[RawFrame],
        call_timeout_s: float,
        personality: Personality,
        answer_delay_s: float,
    ) -> None:
        """Wrap a socket; what goes over it is noted in ``frames``. ``answer_delay_s`` is in real seconds."""
        self._personality = personality
        self._answer_delay_s = answer_delay_s
        self._deaf = False
        self._socket = socket
        self._frames = frames
        self._call_timeout_s = call_timeout_s
        self._pending: tuple[str, asyncio.Future[Frame]] | None = None

    async def call(self, message_id: str, action: str, payload: JsonObject) -> JsonObject:
        """Make a CALL and return its result; the caller makes one at a time."""
        answer = asyncio.get_running_loop().create_future()
        self._pending = (message_id, answer)
        try:
            for text in self._personality.noise:
                await self._send(text)
            told = None if self._personality.null_payloads and not payload else payload
            await self._send(call_text(message_id, action, told))
            async with asyncio.timeout(self._call_timeout_s):
                frame: Frame = await answer
        except TimeoutError as error:
            raise CallRefusedError("no answer") from error
        finally:
            self._pending = None
        if frame.kind == CALLERROR:
            raise CallRefusedError(frame.name)
        return frame.body

    async def read(self, serve: Callable[[Frame], Answer], settled: Callable[[], None]) -> None:
        """Serve CALLs and hand out answers until the connection ends; then fail the pending CALL."""
        try:
            while True:
                text = await self._socket.recv()
                if isinstance(text, str):
                    self._frames.append(RawFrame(sent=False, text=text))
                    await self._take(read_frame(text), serve)
                    settled()
        except (ConnectionClosed, LinkClosedError):
            return
        finally:
            self._fail_pending()

    async def _take(self, frame: Frame | None, serve: Callable[[Frame], Answer]) -> None:
        if frame is None:
            return
        if frame.kind == CALL:
            await self._answer(frame, serve)
        elif self._pending and self._pending[0] == frame.message_id and not self._pending[1].done():
            self._pending[1].set_result(frame)

    async def _answer(self, frame: Frame, serve: Callable[[Frame], Answer]) -> None:
        try:
            answer = serve(frame)
        except RpcError as error:
            old = (self._socket.subprotocol == "ocpp1.6") is not self._personality.other_spelling
            code = SPELLING_16.get(error.violation, error.violation.value) if old else error.violation.value
            await self._send(error_text(frame.message_id, code, error.description))
            return
        await asyncio.sleep(self._answer_delay_s)
        if not answer.silent:
            await self._send(result_text(frame.message_id, answer.payload))
        if answer.then:
            answer.then()

    def go_deaf(self) -> None:
        """Neither read nor write any more, and leave the connection open: a half-open socket."""
        self._deaf = True
        self._socket.transport.pause_reading()

    async def _send(self, text: str) -> None:
        if self._deaf:
            return
        try:
            await self._socket.send(text)
        except ConnectionClosed as error:
            raise LinkClosedError from error
        self._frames.append(RawFrame(sent=True, text=text))

    def _fail_pending(self) -> None:
        if self._pending and not self._pending[1].done():
            self._pending[1].set_exception(LinkClosedError())

    def drop(self) -> None:
        """Break the connection without a word, as a lost line does."""
        self._socket.transport.abort()

    async def close(self) -> None:
        """Close the connection in good order."""
        await self._socket.close()


async def open_link(
    *,
    url: str,
    identity: str,
    subprotocol: str,
    password: bytes,
    frames: deque[RawFrame],
    call_timeout_s: float,
    ping_interval_s: float | None,
    personality: Personality,
    speed: float,
) -> Link:
    """Open the connection of a station; a faulty one spells its names and its sub-protocols in its own way.

    Raises:
        CannotConnectError: no connection, a refused handshake, or no common sub-protocol.
    """
    socket = await open_socket(
        url=url,
        identity=identity,
        subprotocol=subprotocol,
        password=password,
        ping_interval_s=ping_interval_s,
        personality=personality,
    )
    link = Link(
        socket,
        frames=frames,
        call_timeout_s=call_timeout_s,
        personality=personality,
        answer_delay_s=personality.answer_delay_s / speed,
    )
    if personality.deaf_after_s is not None:
        asyncio.get_running_loop().call_later(personality.deaf_after_s, link.go_deaf)
    return link


async def open_socket(
    *,
    url: str,
    identity: str,
    subprotocol: str,
    password: bytes,
    ping_interval_s: float | None,
    personality: Personality,
) -> ClientConnection:
    """Open the websocket: ``url``/``identity``, Basic authentication when there is a password."""
    secret = password.hex().encode() if personality.hex_password else password
    offered = (subprotocol,) if personality.offers is None else personality.offers
    spelt = "".join(f"%{byte:02X}" for byte in identity.encode())
    try:
        socket = await connect(
            f"{url.rstrip('/')}/{spelt if personality.spells_identity else quote(identity, safe='')}",
            subprotocols=[Subprotocol(name) for name in offered] or None,
            additional_headers={"Authorization": _basic(identity, secret)} if password else {},
            create_connection=ClientConnection if personality.connection_header else _ForgetfulConnection,
            compression=None,
            ping_interval=ping_interval_s or None,
            max_size=MAX_FRAME_BYTES,
            close_timeout=CLOSE_TIMEOUT_S,
            proxy=None,
        )
    except InvalidStatus as error:
        raise CannotConnectError(f"HTTP {error.response.status_code}") from error
    except (OSError, InvalidHandshake, TimeoutError) as error:
        raise CannotConnectError(type(error).__name__) from error
    if socket.subprotocol != subprotocol and personality.offers != ():
        await socket.close()
        raise CannotConnectError("no common sub-protocol")
    if not personality.answers_pings:
        _keep_pongs_back(socket)
    return socket


class _ForgetfulConnection(ClientConnection):
    """Asks for a WebSocket without `Connection: Upgrade`."""

    def __init__(self, protocol: ClientProtocol, **options: Any) -> None:
        self._whole_request = protocol.connect
        protocol.connect = self._request  # type: ignore[method-assign]
        super().__init__(protocol, **options)

    def _request(self) -> Request:
        made = self._whole_request()
        del made.headers["Connection"]
        return made


def _keep_pongs_back(socket: ClientConnection) -> None:
    send_frame = socket.protocol.send_frame

    def send_no_pong(frame: WebSocketFrame) -> None:
        if frame.opcode is not Opcode.PONG:
            send_frame(frame)

    socket.protocol.send_frame = send_no_pong  # type: ignore[method-assign]


def _basic(identity: str, password: bytes) -> str:
    return "Basic " + base64.b64encode(identity.encode() + b":" + password).decode()
