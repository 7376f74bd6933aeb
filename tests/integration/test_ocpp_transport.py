from __future__ import annotations

import asyncio
import socket as sockets
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import pytest
import websockets
from sqlalchemy import select, text, update
from starlette.applications import Starlette
from starlette.websockets import WebSocket

from supervision.app import web_server
from supervision.clock import FixedClock
from supervision.csms.frame import Version
from supervision.csms.link import LinkClosedError, Peer, Take
from supervision.csms.store import Station
from supervision.ocpp_cs import (
    CentralSystem,
    Refusal,
    basic_password,
    choose_version,
    identity_in,
    link_from_starlette,
)
from supervision.store.db import Database, Tx
from supervision.store.schema import charging_stations, outbox_events
from tests import factories
from tests.integration.ocpp_client import (
    SECRET,
    V16,
    V201,
    Server,
    basic,
    boot_payload,
    central_system,
    dial,
    refused_with,
    until,
    write_stations,
)


@pytest.fixture
async def server(sqlite_db: Database, clock: FixedClock) -> AsyncIterator[Server]:
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, clock) as running:
        yield running


@pytest.mark.parametrize(
    ("target", "identity"),
    [
        ("/ocpp/CP16", "CP16"),
        ("/ocpp/CP%2D16", "CP-16"),
        ("/ocpp/a.b_c~d-e", "a.b_c~d-e"),
        ("/ocpp/", None),
        ("/ocpp/" + "x" * 49, None),
        ("/ocpp/CP16?x=1", None),
        ("/ocpp/CP16/", None),
        ("/ocpp/CP%2F16", None),
        ("/ocpp/CP%0016", None),
        ("/ocpp/CP%2516", None),
        ("/ocpp/%FF", None),
        ("/ocpp/RDAM%20123", None),
        ("/other/CP16", None),
    ],
)
def test_one_parser_reads_the_identity(target: str, identity: str | None) -> None:
    assert identity_in(target) == identity


@pytest.mark.parametrize(
    ("header", "password"),
    [
        (basic("CP16", SECRET)["Authorization"], SECRET.encode()),
        (basic("CP16", "a:b")["Authorization"], b"a:b"),
        (basic("OTHER", SECRET)["Authorization"], None),
        ("Basic ###", None),
        ("Bearer abc", None),
        ("Basic Q1AxNg==", None),
        (None, None),
    ],
)
def test_the_user_of_basic_authorization_must_be_the_identity(
    header: str | None, password: bytes | None
) -> None:
    assert basic_password(header, "CP16") == password


def test_the_first_known_subprotocol_of_the_station_is_chosen() -> None:
    assert choose_version(["ocpp2.1", V201, V16]) == Version.V201
    assert choose_version(["soap"]) is None


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/CP16", basic("CP16", "not-the-password-00")),
        ("/CP16", basic("CS201", SECRET)),
        ("/CP16", {}),
        ("/NOBODY", basic("NOBODY", SECRET)),
        ("/CP%2F16", basic("CP/16", SECRET)),
    ],
)
async def test_bad_credentials_and_unknown_stations_get_the_same_401(
    server: Server, path: str, headers: dict[str, str]
) -> None:
    answer = await refused_with(server, path, additional_headers=headers)
    assert answer == (401, b"Unauthorized\n")


async def test_an_unknown_station_gets_404_when_the_operator_wants_it(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, clock, unknown_is_404=True) as server:
        assert (await refused_with(server, "/NOBODY", additional_headers=basic("NOBODY", SECRET)))[0] == 404


async def test_the_hex_spelling_of_a_key_is_the_same_key(server: Server) -> None:
    async with dial(server, "/CP16", additional_headers=basic("CP16", SECRET.encode().hex())) as socket:
        assert socket.subprotocol == V16


async def test_a_station_of_profile_0_needs_no_password(server: Server, sqlite_db: Database) -> None:
    async def unit(tx: Tx) -> None:
        await factories.charging_station(tx, identity="OPEN", security_profile=0)

    await sqlite_db.write(factories.TESTS, unit)
    async with dial(server, "/OPEN") as socket:
        assert socket.subprotocol == V16


async def first_line(server: Server, headers: str) -> str:
    """The first line that answers a handshake with these headers and the right password."""
    host, _, port = server.url.removeprefix("ws://").partition("/")[0].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        authorization = basic("CP16", SECRET)["Authorization"]
        common = f"host: localhost\r\nauthorization: {authorization}\r\nsec-websocket-protocol: ocpp1.6\r\n"
        key = "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        writer.write(f"GET /ocpp/CP16 HTTP/1.1\r\n{common}{key}{headers}\r\n".encode())
        return (await reader.readline()).decode().strip()
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("headers", "answer"),
    [
        ("Upgrade: websocket\r\n", "101 Switching Protocols"),
        ("UPGRADE: WebSocket\r\nCONNECTION: UPGRADE\r\n", "101 Switching Protocols"),
        ("Upgrade: websocket\r\nConnection: keep-alive\r\n", "101 Switching Protocols"),
        ("Connection: Upgrade\r\n", "426 Upgrade Required"),
        ("Upgrade: h2c\r\n", "426 Upgrade Required"),
    ],
)
async def test_3_a_handshake_without_its_connection_header_is_understood(
    server: Server, headers: str, answer: str
) -> None:
    assert await first_line(server, headers) == f"HTTP/1.1 {answer}"


async def test_client_that_offers_no_subprotocol_at_all_is_refused(server: Server) -> None:
    """TC_088, TC_B_58: it is no charging station; but its password is asked for first."""
    answer = await refused_with(server, "/CP16", subprotocols=None, additional_headers=basic("CP16", SECRET))
    assert answer == (400, b"Bad Request\n")
    assert (await refused_with(server, "/CP16", subprotocols=None))[0] == 401


async def test_without_a_common_subprotocol_the_handshake_completes_and_closes(server: Server) -> None:
    """1.6J 3.2."""
    headers = basic("CP16", SECRET)
    protocols = [websockets.Subprotocol("ocpp1.5")]
    async with dial(server, "/CP16", subprotocols=protocols, additional_headers=headers) as socket:
        assert socket.subprotocol is None
        with pytest.raises(websockets.ConnectionClosed):
            await socket.recv()
        assert socket.close_code == 1002


async def test_a_frame_too_large_closes_with_1009(server: Server) -> None:
    async with server.station() as point:
        await point.socket.send("x" * 70_000)
        await point.socket.wait_closed()
        assert point.socket.close_code == 1009


async def test_a_binary_message_is_ignored(server: Server) -> None:
    async with server.station() as point:
        await point.socket.send(b"\xff\xfe")
        assert "currentTime" in await point.answer("Heartbeat", {})


async def test_a_newer_socket_from_the_same_address_replaces_the_older(server: Server) -> None:
    async with server.station() as old, server.station() as new:
        await old.socket.wait_closed()
        assert old.socket.close_code == 1000
        assert server.central.connected("CP16")
        assert "currentTime" in await new.answer("Heartbeat", {})


async def test_many_quick_reconnects_leave_the_last_socket_registered(server: Server) -> None:
    for _ in range(30):
        async with server.station(boot=False):
            assert server.central.connected("CP16")
    async with server.station() as last:
        assert server.central.connected("CP16")
        assert "currentTime" in await last.answer("Heartbeat", {})


class OtherAddress:
    """An older socket from elsewhere that answers pings, or does not."""

    def __init__(self, *, lives: bool) -> None:
        self.peer = Peer(address="192.0.2.7")
        self.closed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._lives = lives

    async def recv(self) -> str:
        await self.closed
        raise LinkClosedError

    def listen(self, take: Take | None) -> None:
        pass  # it offers nothing

    async def send(self, text: str) -> None:
        raise AssertionError(text)

    async def close(self, code: int, reason: str) -> None:
        if not self.closed.done():
            self.closed.set_result(code)

    async def alive(self, timeout_s: float) -> bool:
        return self._lives


async def attend_elsewhere(server: Server, link: OtherAddress) -> None:
    station = await server.central.service.authenticate("CP16", SECRET.encode())
    assert isinstance(station, Station)
    await server.central.attend(station, Version.V16, link)


@pytest.mark.parametrize("lives", [True, False])
async def test_a_living_socket_elsewhere_is_kept_and_a_dead_one_replaced(server: Server, lives: bool) -> None:
    old = OtherAddress(lives=lives)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(attend_elsewhere(server, old))
        await until(lambda: server.central.connected("CP16"))
        if lives:
            status, _ = await refused_with(server, "/CP16", additional_headers=basic("CP16", SECRET))
            assert status == 409
            await old.close(1000, "")
        else:
            async with server.station() as new:
                assert await old.closed == 1000
                assert "currentTime" in await new.answer("Heartbeat", {})


async def test_a_wrong_password_never_disturbs_the_living_socket(server: Server) -> None:
    async with server.station() as point:
        for _ in range(20):
            await refused_with(server, "/CP16", additional_headers=basic("CP16", "x" * 20))
        assert "currentTime" in await point.answer("Heartbeat", {})


async def test_a_stopping_server_closes_with_1001_and_notes_who_was_there(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, clock) as server:
        socket = await dial(server, "/CP16", additional_headers=basic("CP16", SECRET))
        await until(lambda: server.central.connected("CP16"))
    await socket.wait_closed()
    assert socket.close_code == 1001
    async with sqlite_db.read(factories.TESTS) as reader:
        names = [row["name"] for row in await reader.all(select(outbox_events.c.name))]
    assert names == ["ChargingStationConnected", "ChargingStationDisconnected"]


async def test_after_a_crash_nobody_counts_as_connected(sqlite_db: Database, clock: FixedClock) -> None:
    await write_stations(sqlite_db)

    async def unit(tx: Tx) -> None:
        await tx.execute(update(charging_stations).values(connected_at=factories.NOW, disconnected_at=None))

    await sqlite_db.write(factories.TESTS, unit)
    async with central_system(sqlite_db, clock), sqlite_db.read(factories.TESTS) as reader:
        found = await reader.all(select(charging_stations.c.disconnected_at))
    gone = [row["disconnected_at"] for row in found]
    assert gone == [clock.now(), clock.now()]


async def test_when_the_database_cannot_commit_sockets_close_and_handshakes_get_503(
    server: Server, sqlite_db: Database
) -> None:
    """An offline station keeps its queue; a CALLERROR would lose the charging transaction."""

    async def set_read_only(tx: Tx, *, on: bool) -> None:
        await tx.execute(text(f"PRAGMA query_only={'ON' if on else 'OFF'}"))

    async with server.station() as point:
        await sqlite_db.write(factories.TESTS, lambda tx: set_read_only(tx, on=True))
        await point.socket.send('[2,"m","StartTransaction",{"connectorId":1,"idTag":"04A1B2C3"}]')
        await point.socket.wait_closed()
        assert point.socket.close_code == 1011
    assert (await refused_with(server, "/CP16", additional_headers=basic("CP16", SECRET)))[0] == 503
    with pytest.raises(Refusal):
        await server.central.admit("/ocpp/CP16", None, "192.0.2.1", offers=True)


async def test_the_single_port_serves_the_same_sessions(sqlite_db: Database, clock: FixedClock) -> None:
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, clock) as beside:
        central: CentralSystem = beside.central
        web = web_server(Starlette(routes=[central.route()]))
        bound = sockets.create_server(("127.0.0.1", 0))
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(web.serve(sockets=[bound]))
            await until(lambda: web.started)
            server = Server(central, f"ws://127.0.0.1:{bound.getsockname()[1]}/ocpp")
            assert (await refused_with(server, "/CP16"))[0] == HTTPStatus.UNAUTHORIZED
            async with server.station(boot=False) as point:
                assert (await point.answer("BootNotification", boot_payload(V16)))["status"] == "Accepted"
                assert central.connected("CP16")
            web.should_exit = True
            await serving


@pytest.mark.parametrize(("proxy", "status"), [("127.0.0.1", None), ("192.0.2.1", 401)])
async def test_the_single_port_believes_the_proxy_of_the_house_about_tls(
    sqlite_db: Database, clock: FixedClock, proxy: str, status: int | None
) -> None:
    await write_stations(sqlite_db)

    async def raise_profile(tx: Tx) -> None:
        await tx.execute(update(charging_stations).values(security_profile=2))

    await sqlite_db.write(factories.TESTS, raise_profile)
    headers = basic("CP16", SECRET) | {"X-Forwarded-Proto": "https"}
    async with central_system(sqlite_db, clock, trusted_proxy=proxy) as beside:
        web = web_server(Starlette(routes=[beside.central.route()]))
        bound = sockets.create_server(("127.0.0.1", 0))
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(web.serve(sockets=[bound]))
            await until(lambda: web.started)
            server = Server(beside.central, f"ws://127.0.0.1:{bound.getsockname()[1]}/ocpp")
            if status is None:
                async with dial(server, "/CP16", additional_headers=headers):
                    pass
            else:
                assert (await refused_with(server, "/CP16", additional_headers=headers))[0] == status
            web.should_exit = True
            await serving


async def test_on_the_single_port_closing_a_socket_whose_other_end_is_gone_hurts_nobody() -> None:
    """The replaced socket is closed by a task that the whole process depends on."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message["type"])
        if message["type"] == "websocket.close":
            raise OSError("the other end is gone")

    websocket = WebSocket({"type": "websocket", "headers": [], "path": "/ocpp/CP16"}, receive, send)
    await websocket.accept()
    await link_from_starlette(websocket).close(1000, "replaced by a newer connection")
    assert sent == ["websocket.accept", "websocket.close"]
