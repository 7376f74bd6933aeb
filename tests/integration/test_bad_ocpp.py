"""A whole process among stations that behave badly: each gets its answer, and the good station goes on."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from tests.integration import hostile
from tests.integration.ocpp_client import V16, V201, basic, boot_payload
from tests.serving import SECRET, served

Ready = dict[str, Any]


ROUNDS = 2
MORE_BYTES = 8 * 2**20  # after the first round; two leave a quarter of that where nothing is kept
REFUSALS = ("credentials", "identity", "path", "no-sub-protocol")


@pytest.fixture(scope="module", params=[(), ("--single-port",)], ids=["two ports", "one port"])
def ready(
    request: pytest.FixtureRequest, populated_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ready]:
    """Return the ready line of one process for all these tests; at its end its log must hold no failure."""
    home = tmp_path_factory.mktemp("served")
    shutil.copyfile(populated_template, home / "world.db")
    storage = ("--database", f"sqlite:///{home / 'world.db'}", "--data", str(home))
    with (
        (home / "log").open("w+", encoding="utf-8") as written,
        served(*storage, *request.param, log=written) as (process, line),
    ):
        yield line
        outcomes = counted(line, "ocpp_handshakes_total")
        log = stopped(process, home / "log")
    refused = sum(outcomes.get(f'outcome="{reason}"', 0) for reason in REFUSALS)
    events = [entry["event"] for entry in log]
    assert events.count("ocpp.handshake_refused") == refused
    assert events.count("ocpp.no_common_subprotocol") == outcomes.get('outcome="sub-protocol"', 0)
    assert [entry for entry in log if entry["level"] == "ERROR" or "exception" in entry] == []


def dial(ready: Ready, path: str, protocols: tuple[str, ...], headers: dict[str, str]) -> connect:
    return connect(
        ready["ocpp"].removesuffix("/ocpp") + path,
        subprotocols=[websockets.Subprotocol(name) for name in protocols] or None,
        additional_headers=headers,
        proxy=None,
        max_size=None,
    )


@asynccontextmanager
async def station(ready: Ready, identity: str, protocol: str) -> AsyncIterator[ClientConnection]:
    async with dial(ready, f"/ocpp/{identity}", (protocol,), basic(identity, SECRET)) as socket:
        await asked(socket, [2, "boot", "BootNotification", boot_payload(protocol)])
        yield socket


async def asked(socket: ClientConnection, message: Any) -> list[Any]:
    """Send a frame and return the answer; a CALL of the server in between is refused."""
    await socket.send(message if isinstance(message, str | bytes) else json.dumps(message))
    async with asyncio.timeout(20):
        while True:
            answer: list[Any] = json.loads(await socket.recv())
            if answer[0] != 2:
                return answer
            await socket.send(json.dumps([4, answer[1], "NotSupported", "", {}]))


async def good(socket: ClientConnection) -> None:
    answer = await asked(socket, [2, "good", "Heartbeat", {}])
    assert (answer[:2], list(answer[2])) == ([3, "good"], ["currentTime"])


WRONG_DOORS: list[tuple[str, dict[str, str], int]] = [
    ("/ocpp/NOBODY", basic("NOBODY", SECRET), 401),
    ("/ocpp/CP17", {}, 401),
    ("/ocpp/CP17", basic("CP17", "not-the-password-000"), 401),
    ("/ocpp/CP17", basic("CP18", SECRET), 401),
    ("/ocpp/CP17", basic("CP17", ""), 401),
    ("/ocpp/CP17", {"Authorization": "Basic !!!"}, 401),
    ("/ocpp/CP17", {"Authorization": "Bearer token-of-admin"}, 401),
    ("/ocpp/CP17", {"Authorization": "Basic " + "A" * 4000}, 401),
    ("/ocpp/", {}, 401),
    ("/ocpp/CP17/extra", basic("CP17", SECRET), 401),
    ("/ocpp/CP17%00", basic("CP17", SECRET), 401),
    ("/ocpp/" + "x" * 500, {}, 401),
    ("/nothing/CP17", basic("CP17", SECRET), 404),
]


async def test_wrong_doors_stay_shut_and_are_counted(ready: Ready) -> None:
    async with station(ready, "CP16", V16) as socket:
        before = counted(ready, "ocpp_handshakes_total")
        for path, headers, status in WRONG_DOORS:
            if status == 404 and ready["ocpp"].endswith(ready["http"].rpartition(":")[2] + "/ocpp"):
                continue  # on one port that address is the portal's affair
            with pytest.raises(websockets.InvalidStatus) as refused:
                await dial(ready, path, (V16,), headers)
            assert (path, refused.value.response.status_code) == (path, status)
            asks = refused.value.response.headers.get("WWW-Authenticate", "").startswith("Basic")
            assert asks == (status == 401)
            await good(socket)
        after = counted(ready, "ocpp_handshakes_total")
    assert after['outcome="credentials"'] - before.get('outcome="credentials"', 0) == 8
    assert after['outcome="identity"'] - before.get('outcome="identity"', 0) == 4


async def test_client_that_offers_no_version_is_refused(ready: Ready) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        await dial(ready, "/ocpp/CP17", (), basic("CP17", SECRET))
    assert refused.value.response.status_code == 400


@pytest.mark.parametrize("protocols", [("ocpp1.5",), ("ocpp2.1", "mqtt"), ("OCPP1.6",)])
async def test_without_a_version_we_speak_the_socket_closes(ready: Ready, protocols: tuple[str, ...]) -> None:
    async with station(ready, "CP16", V201) as living:
        async with dial(ready, "/ocpp/CP17", protocols, basic("CP17", SECRET)) as socket:
            async with asyncio.timeout(20):
                await socket.wait_closed()
            assert socket.close_code == 1002
        await good(living)


@pytest.mark.parametrize("protocol", [V16, V201])
async def test_hostile_frames_have_their_outcome_stop_nothing_and_leave_no_memory_behind(
    ready: Ready, protocol: str
) -> None:
    messages = [frame for frame in hostile.load() if not frame.breaks_websocket]

    def another() -> AbstractAsyncContextManager[ClientConnection]:
        return station(ready, "CP17", protocol)

    async with station(ready, "CP16", protocol) as living:
        malformed = sum(counted(ready, "ocpp_malformed_frames_total").values())
        found = await hostile.play_all(another, messages, protocol)
        assert found == {frame.name: frame.expected(protocol) for frame in messages}
        assert sum(counted(ready, "ocpp_malformed_frames_total").values()) - malformed >= 30
        warm = resident_bytes(ready)
        for _ in range(ROUNDS):
            await flood(another, messages, protocol)
        await good(living)
    assert resident_bytes(ready) - warm < MORE_BYTES


async def flood(opened: hostile.Opened, frames: Sequence[hostile.Hostile], protocol: str) -> None:
    """Send all that closes nothing at once on one socket, and what closes it last."""
    for last in [frame for frame in frames if "closed" in frame.row]:
        async with opened() as socket:
            for frame in frames:
                if "closed" not in frame.row:
                    await frame.send(socket, protocol)
            assert (await hostile.play(socket, last, protocol)).closed == last.row["closed"]


def resident_bytes(ready: Ready) -> float:
    text = httpx2.get(ready["http"] + "/metrics").text
    return float(re.findall(r"^process_resident_memory_bytes (\S+)$", text, re.MULTILINE)[0])


@pytest.mark.parametrize("protocol", [V16, V201])
async def test_a_frame_too_large_closes_its_socket_alone(ready: Ready, protocol: str) -> None:
    async with station(ready, "CP16", protocol) as living:
        for size in (70_000, 300_000):
            async with station(ready, "CP17", protocol) as socket:
                await socket.send(
                    json.dumps([2, "big", "DataTransfer", {"vendorId": "V", "data": "x" * size}])
                )
                async with asyncio.timeout(20):
                    await socket.wait_closed()
                assert socket.close_code == 1009
            await good(living)
        async with station(ready, "CP17", protocol) as again:
            await good(again)


async def test_what_is_no_websocket_at_all_disturbs_nobody(ready: Ready) -> None:
    host, _, port = ready["ocpp"].removeprefix("ws://").partition("/")[0].rpartition(":")
    async with station(ready, "CP16", V16) as living:
        for noise in (
            b"",
            b"\x00" * 100,
            b"GET /ocpp/CP17 HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\x02\x00",
            b"A" * 20_000,
        ):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(noise)
            if noise:
                await writer.drain()
                async with asyncio.timeout(20):
                    await reader.read(100) if b"\n" in noise or len(noise) > 10_000 else await asyncio.sleep(
                        0
                    )
            writer.close()
            await good(living)


def counted(ready: Ready, name: str) -> dict[str, float]:
    """Return a counter's values by its labels."""
    found = {}
    for line in httpx2.get(ready["http"] + "/metrics").text.splitlines():
        if line.startswith(name + "{"):
            labels, _, value = line.removeprefix(name + "{").partition("} ")
            found[labels] = float(value)
    return found


def stopped(process: Any, log: Path) -> list[dict[str, Any]]:
    """Stop the process cleanly and return its log, which holds no secret."""
    process.send_signal(signal.SIGTERM)
    process.wait()
    told = log.read_text(encoding="utf-8")
    assert process.returncode == 0, told[-4000:]
    assert SECRET not in told
    return [json.loads(line) for line in told.splitlines()]
