"""Stations that send MeterValues as fast as they are answered, at next to no cost of their own.

A library's client would cost as much as the server it measures. This one knows just enough of RFC 6455:
frames with a mask of zero, so that the payload stands in them as it is, and answers that are counted,
not read.
"""

from __future__ import annotations

import asyncio
import base64
import os
import resource
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

SECRET = "0123456789abcdef0123"
SIZE = 1000  # bytes of one MeterValues CALL, as a station sends with eight sampled values

_FROM = datetime(2026, 1, 1, tzinfo=UTC)
_SAMPLES = ",".join(
    f'{{"value":"{value}","context":"Sample.Periodic","measurand":"{measurand}"{phase},"unit":"{unit}"}}'
    for value, measurand, phase, unit in [
        ("1234567", "Energy.Active.Import.Register", "", "Wh"),
        ("10974", "Power.Active.Import", "", "W"),
        ("15.9", "Current.Import", ',"phase":"L1"', "A"),
        ("15.8", "Current.Import", ',"phase":"L2"', "A"),
        ("16.0", "Current.Import", ',"phase":"L3"', "A"),
        ("231.4", "Voltage", ',"phase":"L1-N"', "V"),
        ("230.9", "Voltage", ',"phase":"L2-N"', "V"),
        ("229.8", "Voltage", ',"phase":"L3-N"', "V"),
    ]
)


def meter_values(number: int) -> bytes:
    """Return CALL `number`: always SIZE bytes, never twice the same instant."""
    at = (_FROM + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = (
        f'[2,"{number:012}","MeterValues",{{"connectorId":1,"meterValue":[{{"timestamp":"{at}",'
        f'"sampledValue":[{_SAMPLES}]}}]}}]'
    )
    return text.encode().ljust(SIZE)


_CLOSE, _PING = 8, 9


def pong(payload: bytes) -> bytes:
    """Answer a ping of at most 125 bytes."""
    return b"\x8a" + bytes([0x80 | len(payload)]) + b"\0\0\0\0" + payload


def frame(payload: bytes) -> bytes:
    """Wrap a payload of 126 to 65535 bytes into a masked text frame."""
    return b"\x81\xfe" + len(payload).to_bytes(2, "big") + b"\0\0\0\0" + payload


@dataclass
class Count:
    """What the stations saw together."""

    answers: int = 0
    refused: list[bytes] = field(default_factory=list)


class Socket(asyncio.Protocol):
    """One websocket; `open` is done when the server has taken it, `answered` is told each text."""

    def __init__(self, identity: str, port: int) -> None:
        self._identity = identity
        self._port = port
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        basic = base64.b64encode(f"{self._identity}:{SECRET}".encode()).decode()
        transport.write(
            f"GET /ocpp/{self._identity} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: ocpp1.6\r\nAuthorization: Basic {basic}\r\n\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits for the upgrade."""
        if not self.open.done():
            self.open.set_exception(ConnectionError(f"closed before the upgrade: {exc}"))

    def data_received(self, data: bytes) -> None:
        """Take the answer to the upgrade, then every text."""
        self._buffer += data
        if not self.open.done():
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                self.open.set_exception(ConnectionError(head.decode(errors="replace")))
                return
            self._buffer = rest
            self.open.set_result(None)
        while (taken := self._take()) is not None:
            self._deal_with(*taken)

    def answered(self, text: bytes) -> None:
        """Take one text."""

    def closed(self) -> None:
        """Hear that the server ends the connection."""

    def _deal_with(self, opcode: int, payload: bytes) -> None:
        if opcode == _PING and self._transport is not None:
            self._transport.write(pong(payload))
        elif opcode == _CLOSE:
            self.closed()
        else:
            self.answered(payload)

    def _take(self) -> tuple[int, bytes] | None:
        """Return opcode and payload of the server's next whole frame, all of them short and unmasked."""
        if len(self._buffer) < 2:
            return None
        opcode, length, start = self._buffer[0] & 0x0F, self._buffer[1], 2
        if length == 126:
            length, start = int.from_bytes(self._buffer[2:4], "big"), 4
        if len(self._buffer) < start + length:
            return None
        payload, self._buffer = self._buffer[start : start + length], self._buffer[start + length :]
        return opcode, payload

    def write(self, payload: bytes) -> None:
        """Send one text of 126 to 65535 bytes."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame(payload))

    def close(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()


class Station(Socket):
    """One socket with one outstanding CALL."""

    def __init__(self, identity: str, port: int, count: Count) -> None:
        super().__init__(identity, port)
        self._count = count
        self._number = 0

    def answered(self, text: bytes) -> None:
        """Count an answer and send the next CALL."""
        if text.startswith(b"[3,"):
            self._count.answers += 1
            self.send()
        elif not text.startswith(b"[2,"):
            self._count.refused.append(text[:200])

    def send(self) -> None:
        """Send the next CALL."""
        self._number += 1
        self.write(meter_values(self._number))


def identity(number: int) -> str:
    """Return the name of a station."""
    return f"BENCH-{number:05}"


def many_files() -> int:
    """Raise this process's limit of open files as far as it may; return the limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
