"""No station at all: bytes from standard input onto the socket, and what comes back onto standard output.

Each line is one text message, whatever its bytes; a line ``wire: 8184 00000000 ffff8080`` is written below
WebSocket, as these bytes. What arrives is printed a line each; the last line tells how the socket closed.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from chargepoint_emulator.link import CannotConnectError, open_socket
from chargepoint_emulator.personality import Personality

_WIRE = b"wire:"
_SETTLE_S = 0.5  # after the end of the input, for the last answers


async def converse(url: str, identity: str, ocpp: str, password: str | None) -> None:
    """Send lines until the input or the connection ends."""
    try:
        socket = await open_socket(
            url=url,
            identity=identity,
            subprotocol=f"ocpp{ocpp}",
            password=(password or "").encode(),
            ping_interval_s=None,
            personality=Personality(name="raw", help=""),
        )
    except CannotConnectError as error:
        print(f"cannot connect: {error}", flush=True)  # noqa: T201 - what this mode is for
        return
    async with asyncio.TaskGroup() as tasks:
        typing = tasks.create_task(_send(socket))
        await _print(socket)
        typing.cancel()


async def _send(socket: ClientConnection) -> None:
    lines: asyncio.Queue[bytes] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    threading.Thread(target=_read_lines, args=(loop, lines.put_nowait), daemon=True).start()
    try:
        while line := await lines.get():
            await send_line(socket, line.rstrip(b"\r\n"))
        await asyncio.sleep(_SETTLE_S)
        await socket.close()
    except ConnectionClosed:
        return


async def send_line(socket: ClientConnection, line: bytes) -> None:
    """Send one line as a text message, or as bytes of the wire."""
    if line.startswith(_WIRE):
        socket.transport.write(bytes.fromhex(line.removeprefix(_WIRE).decode("ascii")))
    else:
        await socket.send(line, text=True)


def _read_lines(loop: asyncio.AbstractEventLoop, put: Callable[[bytes], None]) -> None:
    for line in sys.stdin.buffer:
        loop.call_soon_threadsafe(put, line)
    loop.call_soon_threadsafe(put, b"")


async def _print(socket: ClientConnection) -> None:
    try:
        while True:
            told = await socket.recv()
            print(told if isinstance(told, str) else told.hex(), flush=True)  # noqa: T201
    except ConnectionClosed:
        print(f"closed {socket.close_code}", flush=True)  # noqa: T201
