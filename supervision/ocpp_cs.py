"""The central system's shell: accept, authenticate, negotiate, read in order, answer, close.

One URL for both OCPP versions, ``/ocpp/<identity>``, on a port of its own (`CentralSystem.serve`) or on the
web port (`CentralSystem.route`). What frames mean is decided in `supervision.csms`; here is only transport.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote
from weakref import WeakKeyDictionary

from starlette.responses import PlainTextResponse
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.datastructures import MultipleValuesError
from websockets.exceptions import ConnectionClosed
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import Event
from websockets.typing import Subprotocol

from supervision.csms import metrics
from supervision.csms.admission import PLAIN, Channel, Denial
from supervision.csms.adoption import AdoptionService
from supervision.csms.conversation import Conversation
from supervision.csms.frame import MAX_FRAME_BYTES, Version
from supervision.csms.link import Link, LinkClosedError, Peer, Take
from supervision.csms.registry import Connection
from supervision.csms.relay.opinions import Opinions
from supervision.csms.service import CentralService
from supervision.csms.store import Station
from supervision.csms.tls import StationTls, channel_of
from supervision.csms.vigil import PING_S, Vigil
from supervision.log import Log
from supervision.store.db import StoreUnavailableError

log = Log("supervision.ocpp_cs")

PATH = "/ocpp/"
REALM = 'Basic realm="ocpp", charset="UTF-8"'
_IDENTITY = re.compile(r"[A-Za-z0-9._~-]{1,48}")

MAX_MESSAGE_BYTES = MAX_FRAME_BYTES + 1024  # a little more, so that the frame's reader can say why
OPEN_TIMEOUT_S = 20  # of 10 000 that dial at once a shorter one breaks off thousands, which then dial again
WRITE_TIMEOUT_S = 10
SHORT_TEXT = 4096  # characters: far below what the transport buffers before it makes a sender wait
LIVENESS_S = 5  # how long an older socket has to prove that it lives
SETTLE_S = 2.0  # no CALL of ours earlier after a reconnect without boot: it sends some stations into a loop
PROBE_S = 1.0
REFUSALS_LOGGED = 60  # per minute, over all addresses


def identity_in(target: str) -> str | None:
    """Return the identity a request target names; the only parser of it. None when it names none.

    Percent-decoded once, 1 to 48 characters of the set no two parsers read differently; no query.
    """
    if not target.startswith(PATH):
        return None
    try:
        identity = unquote(target.removeprefix(PATH), errors="strict")
    except UnicodeDecodeError:
        return None
    return identity if _IDENTITY.fullmatch(identity) else None


def basic_password(header: str | None, identity: str) -> bytes | None:
    """Return the password of a Basic authorization whose user is the identity; None otherwise."""
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return password if colon and user == identity.encode() else None


def choose_version(offered: Sequence[str]) -> Version | None:
    """Return the first offered sub-protocol we speak: the station's order is its preference."""
    known = {version.value: version for version in Version}
    return next((known[name] for name in offered if name in known), None)


class Refusal(Exception):  # noqa: N818 - an answer, not an error
    """A handshake that is not granted."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class SecurePort:
    """A bound socket where stations of security profiles 2 and 3 connect."""

    bound: socket.socket
    tls: StationTls


class OfferingConnection(ServerConnection):
    """A connection that may hand over a whole text before it queues it for `recv`.

    It takes whatever the station says for a sign of life, where the library takes pongs alone.
    """

    take: Callable[[str], bool] | None = None
    queued = 0  # messages for `recv` that are not dealt with yet
    heard = True  # a frame of any kind, in this round of the vigil
    heartbeat_s = 0.0  # how often the station was told to say something
    vigil: Vigil | None = None

    def process_event(self, event: Event) -> None:
        """Called by the library for each frame, in order."""
        self.heard = True
        if isinstance(event, Frame) and event.opcode in DATA_OPCODES:
            whole_text = event.fin and event.opcode is Opcode.TEXT
            if self.take is not None and not self.queued and whole_text and self._offer(self.take, event):
                return
            self.queued += event.fin
        super().process_event(event)

    async def keepalive(self) -> None:
        """Run by the library while it is open: ping, and break off when nothing is heard for long."""
        ping_s = self.ping_interval or PING_S
        pong: Awaitable[float] | None = None
        while True:
            await asyncio.sleep(ping_s)
            self.vigil = self.vigil or Vigil(ping_s=ping_s, heartbeat_s=self.heartbeat_s)
            ponged = isinstance(pong, asyncio.Future) and pong.done()
            heard, self.heard = self.heard, False
            if self.vigil.round(heard=heard, ponged=ponged):
                self.transport.abort()  # a Close would wait for an answer
            elif pong is None or ponged:
                pong = await self.ping()  # one at a time: those that are never answered would pile up

    @staticmethod
    def _offer(take: Callable[[str], bool], event: Frame) -> bool:
        try:
            text = bytes(event.data).decode()
        except UnicodeDecodeError:
            return False  # `recv` closes the connection as the standard wants
        return take(text)


class WebsocketsLink:
    """A `Link` over a connection of the `websockets` library."""

    def __init__(self, connection: OfferingConnection) -> None:
        self._socket = connection
        self._dealing = False  # with the message `recv` returned last
        self.peer = Peer(address=_address(connection))

    async def recv(self) -> str:
        """Return the next text; a binary message is no OCPP and reads as an empty text."""
        self._socket.queued -= self._dealing
        self._dealing = False
        try:
            message = await self._socket.recv()
        except ConnectionClosed:
            raise LinkClosedError from None
        self._dealing = True
        return message if isinstance(message, str) else ""

    def listen(self, take: Take | None) -> None:
        """Offer texts while the station reads its answers: an answer sent at once waits for nobody."""
        if take is None:
            self._socket.take = None
            return

        def offer(text: str) -> bool:
            return not self._socket.transport.get_write_buffer_size() and take(text, self._answer)

        self._socket.take = offer

    def _answer(self, text: str) -> None:
        broadcast((self._socket,), text)

    async def send(self, text: str) -> None:
        """Send within the write timeout; a station that does not read is as good as gone."""
        try:
            if len(text) < SHORT_TEXT and not self._socket.transport.get_write_buffer_size():
                await self._socket.send(text)  # an empty buffer takes it at once
                return
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await self._socket.send(text)
        except TimeoutError:
            self._socket.transport.abort()
            raise LinkClosedError from None
        except ConnectionClosed:
            raise LinkClosedError from None

    async def close(self, code: int, reason: str) -> None:
        """Close with a code and a reason."""
        await self._socket.close(code, reason)

    async def alive(self, timeout_s: float) -> bool:
        """Ping and wait for the pong."""
        try:
            async with asyncio.timeout(timeout_s):
                await (await self._socket.ping())
        except (TimeoutError, ConnectionClosed):
            return False
        return True


def _address(socket: ServerConnection) -> str:
    remote = socket.remote_address
    return str(remote[0]) if isinstance(remote, tuple) else "local"


class StarletteLink:
    """A `Link` over Starlette's WebSocket, for one port for everything."""

    def __init__(self, websocket: WebSocket) -> None:
        self._socket = websocket
        self.peer = Peer(address=websocket.client.host if websocket.client else "local")

    async def recv(self) -> str:
        """Return the next text."""
        try:
            return await self._socket.receive_text()
        except KeyError:  # a binary message
            return ""
        except (WebSocketDisconnect, RuntimeError):
            raise LinkClosedError from None

    def listen(self, take: Take | None) -> None:
        """ASGI hands messages to a task and nothing else."""

    async def send(self, text: str) -> None:
        """Send within the write timeout."""
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await self._socket.send_text(text)
        except (TimeoutError, WebSocketDisconnect, RuntimeError):
            raise LinkClosedError from None

    async def close(self, code: int, reason: str) -> None:
        """Close; a socket already closed, by us or by the other end, stays so."""
        try:
            await self._socket.close(code, reason)
        except (WebSocketDisconnect, RuntimeError):
            return

    async def alive(self, timeout_s: float) -> bool:  # noqa: ARG002 - ASGI knows no ping
        """Nothing can be proved through ASGI: the newer socket wins."""
        return False


def link_from_starlette(websocket: WebSocket) -> Link:
    """Wrap an accepted Starlette WebSocket."""
    return StarletteLink(websocket)


class CentralSystem:
    """Listens for charging stations.

    Run `serve` (own port) or `run` (beside `route`, single port) inside the root TaskGroup. `rate_per_s` and
    `burst` bound what is read of one station: a flood waits in its own socket, nothing is refused.
    """

    def __init__(
        self,
        service: CentralService,
        *,
        settle_s: float = SETTLE_S,
        rate_per_s: float = 50,
        burst: int = 500,
        ping_s: float = PING_S,
        unknown_is_404: bool = False,
        trusted_proxy: str = "",
        adoption: AdoptionService | None = None,
        opinions: Opinions | None = None,
    ) -> None:
        self.service = service
        self._opinions = opinions
        self._trusted_proxy = trusted_proxy
        self._adoption = adoption
        self.registry = service.registry
        self._settle_s = settle_s
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._ping_s = ping_s
        self._unknown_status = HTTPStatus.NOT_FOUND if unknown_is_404 else HTTPStatus.UNAUTHORIZED
        self._admitted: WeakKeyDictionary[ServerConnection, Station] = WeakKeyDictionary()
        self._unavailable = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._refusals: tuple[int, int] = (0, 0)
        self.listening = False

    def connected(self, identity: str) -> bool:
        """Tell whether a station has an open socket now."""
        return self.registry.connected(identity)

    # --- running ------------------------------------------------------------------------------------------

    async def serve(
        self, bound: socket.socket | None, *, ready: Callable[[], None], secure: SecurePort | None = None
    ) -> None:
        """Listen on the bound sockets until cancelled, then close every connection with 1001.

        Without a plain socket (it is on the web port), or without a secure one, the other stands alone.
        """
        await self.service.recover()
        async with asyncio.TaskGroup() as tasks, AsyncExitStack() as listeners:
            tasks.create_task(self._background(), name="ocpp-background")
            if bound is not None:
                await listeners.enter_async_context(self._listen(bound))
            if secure is not None:
                await listeners.enter_async_context(
                    self._listen(secure.bound, ssl=secure.tls, ssl_handshake_timeout=OPEN_TIMEOUT_S)
                )
            self.listening = True
            ready()
            await asyncio.get_running_loop().create_future()

    def _listen(self, bound: socket.socket, **tls: Any) -> AbstractAsyncContextManager[Server]:
        return serve(
            self._handle,
            sock=bound,
            process_request=self._process_request,
            select_subprotocol=_select_subprotocol,
            create_connection=OfferingConnection,
            compression=None,
            max_size=MAX_MESSAGE_BYTES,
            max_queue=8,
            open_timeout=OPEN_TIMEOUT_S,
            ping_interval=self._ping_s,
            ping_timeout=None,
            server_header=None,
            **tls,
        )

    async def run(self, *, ready: Callable[[], None], secure: SecurePort | None = None) -> None:
        """What must go on beside `route`: expiring commands, waiting for the database, the port with TLS."""
        await self.serve(None, ready=ready, secure=secure)

    async def _background(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self.service.commands.run(), name="ocpp-commands")
            await self._watch_database()

    async def _watch_database(self) -> None:
        """While the database cannot commit every handshake is refused; offline stations keep their queue."""
        while True:
            await self._unavailable.wait()
            await asyncio.sleep(PROBE_S)
            try:
                await self.service.probe()
            except StoreUnavailableError:
                continue
            self._unavailable.clear()
            log.info("ocpp.database_is_back")

    def _lost_database(self) -> None:
        if not self._unavailable.is_set():
            log.error("ocpp.database_cannot_commit")
        self._unavailable.set()

    # --- handshake ----------------------------------------------------------------------------------------

    async def admit(
        self,
        target: str,
        authorization: str | None,
        address: str,
        *,
        offers: bool,
        channel: Channel = PLAIN,
    ) -> Station:
        """Authenticate, then look at live sockets; raise `Refusal` with the HTTP status.

        `offers` tells whether the client names any sub-protocol; one that does not is no charging station.
        """
        if self._unavailable.is_set():
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "database")
        if not target.startswith(PATH):
            raise Refusal(HTTPStatus.NOT_FOUND, "path")
        identity = identity_in(target)
        if identity is None:
            raise Refusal(self._unknown_status, "identity")
        try:
            password = basic_password(authorization, identity)
            station = await self.service.authenticate(identity, password, channel)
        except StoreUnavailableError:
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "database") from None
        if isinstance(station, Denial):
            raise Refusal(self._unknown_status, station.value)
        if not offers:
            raise Refusal(HTTPStatus.BAD_REQUEST, "no-sub-protocol")
        await self._yield_to_living(identity, address)
        return station

    async def _yield_to_living(self, identity: str, address: str) -> None:
        """A second socket with the right password from elsewhere does not push out one that lives."""
        old = self.registry.get(identity)
        if old is None or old.link.peer.address == address:
            return
        if await old.link.alive(LIVENESS_S):
            log.error("ocpp.second_socket_refused", charging_station=identity, address=address)
            raise Refusal(HTTPStatus.CONFLICT, "another address is connected")

    async def _process_request(self, socket: ServerConnection, request: Request) -> Response | None:
        _complete(request)
        try:
            authorization = request.headers.get("Authorization")
        except MultipleValuesError:
            authorization = None
        try:
            self._admitted[socket] = await self.admit(
                request.path,
                authorization,
                _address(socket),
                offers=_offers(request),
                channel=self._channel(socket, request),
            )
        except Refusal as refusal:
            self._note_refusal(refusal, request.path, _address(socket))
            self._note_stranger(refusal, request.path, _address(socket), _offered(request), authorization)
            response = socket.respond(refusal.status, f"{refusal.status.phrase}\n")
            if refusal.status is HTTPStatus.UNAUTHORIZED:
                response.headers["WWW-Authenticate"] = REALM
            return response
        return None

    def _channel(self, socket: ServerConnection, request: Request) -> Channel:
        channel = channel_of(socket.transport.get_extra_info("ssl_object"))
        forwarded = request.headers.get_all("X-Forwarded-Proto")
        return channel if channel.encrypted else self._forwarded(_address(socket), forwarded)

    def _forwarded(self, address: str, protocols: Sequence[str]) -> Channel:
        """The proxy of the house may end TLS for passwords; a certificate it cannot vouch for."""
        by_proxy = bool(self._trusted_proxy) and address == self._trusted_proxy
        return Channel(encrypted=by_proxy and [*protocols] in (["https"], ["wss"]))

    def _note_refusal(self, refusal: Refusal, target: str, address: str) -> None:
        """Count every refusal; log at most so many a minute."""
        metrics.HANDSHAKES.labels(refusal.reason).inc()
        minute = int(asyncio.get_running_loop().time() // 60)
        logged = self._refusals[1] + 1 if self._refusals[0] == minute else 1
        self._refusals = (minute, logged)
        if logged <= REFUSALS_LOGGED:
            path = target.partition("?")[0][:80]
            log.warning("ocpp.handshake_refused", reason=refusal.reason, path=path, address=address)

    def _note_stranger(
        self,
        refusal: Refusal,
        target: str,
        address: str,
        offered: Sequence[str],
        authorization: str | None,
    ) -> None:
        """Let whoever adopts unknown stations know of this one; not of the password it may have sent."""
        identity = identity_in(target)
        if self._adoption is not None and refusal.reason == "credentials" and identity is not None:
            self._adoption.note(identity, address, offered, sent_password=authorization is not None)

    async def _handle(self, socket: ServerConnection) -> None:
        station = self._admitted.pop(socket)
        version = choose_version([socket.subprotocol] if socket.subprotocol else [])
        if version is None:
            self._note_no_version(station)
            await socket.close(1002, "no common sub-protocol")
            return
        assert isinstance(socket, OfferingConnection)  # noqa: S101 - that is what `serve` was told to make
        socket.heartbeat_s = self.service.boot_interval_s
        await self.attend(station, version, WebsocketsLink(socket))

    def _note_no_version(self, station: Station) -> None:
        metrics.HANDSHAKES.labels("sub-protocol").inc()
        log.warning("ocpp.no_common_subprotocol", charging_station=station.identity)

    def route(self) -> WebSocketRoute:
        """Return the route that serves charging stations on the web port; `run` must run beside it."""
        return WebSocketRoute(PATH + "{identity:path}", self._endpoint)

    async def _endpoint(self, websocket: WebSocket) -> None:
        address = websocket.client.host if websocket.client else "local"
        target = _target(websocket)
        try:
            station = await self.admit(
                target,
                websocket.headers.get("authorization"),
                address,
                offers=bool(websocket.scope.get("subprotocols")),
                channel=self._forwarded(address, websocket.headers.getlist("x-forwarded-proto")),
            )
        except Refusal as refusal:
            self._note_refusal(refusal, target, address)
            self._note_stranger(
                refusal,
                target,
                address,
                websocket.scope.get("subprotocols", []),
                websocket.headers.get("authorization"),
            )
            headers = {"WWW-Authenticate": REALM} if refusal.status is HTTPStatus.UNAUTHORIZED else None
            answer = PlainTextResponse(f"{refusal.status.phrase}\n", refusal.status, headers)
            await websocket.send_denial_response(answer)
            return
        version = choose_version(websocket.scope.get("subprotocols", []))
        await websocket.accept(subprotocol=None if version is None else version.value)
        if version is None:
            self._note_no_version(station)
            await websocket.close(1002, "no common sub-protocol")
            return
        await self.attend(station, version, link_from_starlette(websocket))

    # --- one socket ---------------------------------------------------------------------------------------

    async def attend(self, station: Station, version: Version, link: Link) -> None:
        """Serve one authenticated and negotiated socket until it closes."""
        try:
            connection, replaced = await self.service.connect(station, version, link)
        except StoreUnavailableError:
            self._lost_database()
            await link.close(1013, "try again later")
            return
        if replaced is not None:
            self._drop(replaced)
        metrics.HANDSHAKES.labels("accepted").inc()
        log.info("ocpp.connected", charging_station=station.identity, ocpp=version.number)
        try:
            await self._converse(connection)
        finally:
            await self._leave(connection)

    async def _converse(self, connection: Connection) -> None:
        conversation = Conversation(
            self.service,
            connection,
            settle_s=self._settle_s,
            rate_per_s=self._rate_per_s,
            burst=self._burst,
            opinions=self._opinions,
        )
        try:
            await conversation.run()
        except* LinkClosedError:
            pass  # the usual end
        except* StoreUnavailableError:
            self._lost_database()
            await connection.link.close(1011, "cannot store")

    def _drop(self, replaced: Connection) -> None:
        """Close an older socket without waiting for it: half-open ones take their time."""
        replaced.outbound.close()
        if self._tasks is not None:
            self._tasks.create_task(replaced.link.close(1000, "replaced by a newer connection"))

    async def _leave(self, connection: Connection) -> None:
        try:
            await self.service.disconnect(connection)
        except StoreUnavailableError:
            self._lost_database()
        log.info("ocpp.disconnected", charging_station=connection.station.identity)


def _complete(request: Request) -> None:
    """Some stations forget `Connection: Upgrade`: asking for a websocket says the same (quirk 3)."""
    asks = [value.strip().lower() for value in request.headers.get_all("Upgrade")]
    told = ",".join(request.headers.get_all("Connection")).lower()
    if asks == ["websocket"] and "upgrade" not in told:
        request.headers["Connection"] = "Upgrade"


def _offers(request: Request) -> bool:
    return "Sec-WebSocket-Protocol" in request.headers


def _offered(request: Request) -> list[str]:
    lines = request.headers.get_all("Sec-WebSocket-Protocol")
    return [name.strip() for line in lines for name in line.split(",")]


def _select_subprotocol(_socket: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """None completes the handshake without the header, as 1.6J 3.2 wants; it is closed right after."""
    version = choose_version(offered)
    return None if version is None else Subprotocol(version.value)


def _target(websocket: WebSocket) -> str:
    """The request target as it stood on the wire, so that one parser reads it on either port."""
    raw: bytes = websocket.scope.get("raw_path") or websocket.scope["path"].encode()
    query: bytes = websocket.scope.get("query_string", b"")
    return raw.decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")
