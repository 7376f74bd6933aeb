"""Stations that talk without pause, repeat what was not confirmed, and remember what was.

They are as bad as real ones: some messages come twice although they were confirmed, some charges are told in
another order than they happened, and now and then a station breaks its line in the middle of a question,
lives on without it for some charges, and tells them afterwards in one burst.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import random
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection, connect

from tests.process import BADGE, SECRET

Message = tuple[str, dict[str, Any]]
Answer = dict[str, Any]
Script = Generator[Message, Answer, Any]
PAUSE_S = 0.02  # before trying to connect again
DOUBLED = 0.08  # of the messages come again after they were confirmed
SHUFFLED = 0.2  # of the charges are told out of order
LINE_BREAKS = 0.004  # of the questions get no answer because the station breaks the line


@dataclass
class Server:
    """Where the server listens now; None while it is dead."""

    url: str | None = None


@dataclass(frozen=True)
class Confirmed:
    """A CALL that got its CALLRESULT."""

    message_id: str
    action: str
    payload: dict[str, Any]
    answer: dict[str, Any]


@dataclass
class Charge:
    """What a station knows of one of its charges, all of it confirmed."""

    name: str  # the transaction id as text
    meter_start_wh: int
    meter_stop_wh: int | None = None
    samples: list[tuple[str, int]] = field(default_factory=list)  # (timestamp, register)


class Station:
    """One station with one outstanding CALL; its script goes on only when a message is confirmed."""

    protocol = ""

    def __init__(self, identity: str, *, since: datetime, rng: random.Random) -> None:
        self.identity = identity
        self.confirmed: list[Confirmed] = []
        self.charges: list[Charge] = []
        self.repeated = self.doubled = self.shuffled = self.breaks = 0
        self._since = since
        self._rng = rng
        self._seconds = itertools.count()
        self._ids = itertools.count(1)
        self._meter_wh = 1000
        self._offline_charges = 0  # still to tell of those that happened without a line
        self._ending = asyncio.Event()
        self._script = self.script()
        self._next: Message | None = next(self._script)
        self._tried = False

    def finish(self) -> None:
        """Begin no other charge; `run` ends when the present one is confirmed to its end."""
        self._ending.set()

    def script(self) -> Script:
        """Charge after charge until told to finish."""
        while not self._ending.is_set():
            yield from self.charge()
            self._offline_charges = max(0, self._offline_charges - 1)

    def tell(self, message: Message) -> Script:
        """One message, perhaps twice: the second answer must be the first."""
        answer = yield message
        if self._rng.random() < DOUBLED:
            self.doubled += 1
            again = yield message
            assert again == answer, (message, answer, again)
        return answer

    def in_any_order(self, messages: list[Message]) -> Script:
        """All messages, now and then not in their order."""
        if self._rng.random() < SHUFFLED:
            self.shuffled += 1
            self._rng.shuffle(messages)
        for message in messages:
            yield from self.tell(message)
        return {}

    def charge(self) -> Script:
        """One charge: yield each message, take its answer."""
        raise NotImplementedError

    def boot(self) -> Message:
        """The first message of a connection."""
        raise NotImplementedError

    def at(self) -> str:
        """Return the station's next instant; no two messages share one."""
        moment = self._since + timedelta(seconds=next(self._seconds))
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    def energy(self) -> int:
        """Charge a little and return the register."""
        self._meter_wh += self._rng.randint(1, 500)
        return self._meter_wh

    async def run(self, server: Server) -> None:
        """Talk to whatever server there is, until finished."""
        token = base64.b64encode(f"{self.identity}:{SECRET}".encode()).decode()
        while self._next is not None:
            if server.url is None:
                await asyncio.sleep(PAUSE_S)
                continue
            try:
                async with connect(
                    f"{server.url}/{self.identity}",
                    subprotocols=[websockets.Subprotocol(self.protocol)],
                    additional_headers={"Authorization": f"Basic {token}"},
                    proxy=None,
                ) as socket:
                    await self._talk(socket)
            except (OSError, EOFError, websockets.WebSocketException):
                await asyncio.sleep(PAUSE_S)

    async def _talk(self, socket: ClientConnection) -> None:
        await self._call(socket, *self.boot())
        while self._next is not None:
            self.repeated += self._tried
            self._tried = True
            answer = await self._call(socket, *self._next)
            self._tried = False
            try:
                self._next = self._script.send(answer)
            except StopIteration:
                self._next = None

    async def _call(self, socket: ClientConnection, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        name = f"{self.identity}-{next(self._ids)}"
        await socket.send(json.dumps([2, name, action, payload]))
        if self._rng.random() < LINE_BREAKS:
            self.breaks += 1
            self._offline_charges = self._rng.randint(1, 5)
            socket.transport.abort()
        while True:
            message = json.loads(await socket.recv())
            if message[0] == 2:  # a command of the central system: this station knows none
                await socket.send(json.dumps([4, message[1], "NotSupported", "", {}]))
            elif message[1] == name:
                assert message[0] == 3, message
                self.confirmed.append(Confirmed(name, action, payload, message[2]))
                answer: dict[str, Any] = message[2]
                return answer


class Station16(Station):
    """OCPP 1.6."""

    protocol = "ocpp1.6"

    def boot(self) -> Message:
        return "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}

    def charge(self) -> Script:
        meter_wh = self.energy()
        start = {"connectorId": 1, "idTag": BADGE, "meterStart": meter_wh, "timestamp": self.at()}
        number = (yield from self.tell(("StartTransaction", start)))["transactionId"]
        charge = Charge(str(number), meter_wh)
        self.charges.append(charge)
        yield "StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Charging"}
        later: list[Message] = []
        for _ in range(self._rng.randint(0, 6)):
            at, meter_wh = self.at(), self.energy()
            sampled = [{"value": str(meter_wh), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}]
            value = {"timestamp": at, "sampledValue": sampled}
            later.append(("MeterValues", {"connectorId": 1, "transactionId": number, "meterValue": [value]}))
            charge.samples.append((at, meter_wh))
        charge.meter_stop_wh = self.energy()
        stop = {"transactionId": number, "meterStop": charge.meter_stop_wh, "timestamp": self.at()}
        later.append(("StopTransaction", stop))
        yield from self.in_any_order(later)


class Station201(Station):
    """OCPP 2.0.1."""

    protocol = "ocpp2.0.1"

    def boot(self) -> Message:
        return "BootNotification", {
            "reason": "PowerUp",
            "chargingStation": {"vendorName": "V", "model": "M"},
        }

    def charge(self) -> Script:
        name = f"{self.identity}-charge-{len(self.charges)}"
        meter_wh = self.energy()
        charge = Charge(name, meter_wh)
        self.charges.append(charge)
        events = [self._event("Started", name, 0, self.at(), meter_wh)]
        updates = self._rng.randint(0, 6)
        for seq in range(1, updates + 1):
            at, meter_wh = self.at(), self.energy()
            events.append(self._event("Updated", name, seq, at, meter_wh))
            charge.samples.append((at, meter_wh))
        charge.meter_stop_wh = self.energy()
        events.append(self._event("Ended", name, updates + 1, self.at(), charge.meter_stop_wh))
        yield from self.in_any_order(events)

    def _event(self, kind: str, name: str, seq: int, at: str, meter_wh: int) -> Message:
        measured = {"value": meter_wh, "measurand": "Energy.Active.Import.Register"}
        return "TransactionEvent", {
            "eventType": kind,
            "timestamp": at,
            "triggerReason": {"Started": "Authorized", "Updated": "MeterValuePeriodic"}.get(
                kind, "Deauthorized"
            ),
            "seqNo": seq,
            "offline": self._offline_charges > 0,
            "transactionInfo": {"transactionId": name},
            "evse": {"id": 1, "connectorId": 1},
            "idToken": {"idToken": BADGE, "type": "ISO14443"},
            "meterValue": [{"timestamp": at, "sampledValue": [measured]}],
        }
