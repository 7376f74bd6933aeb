"""A station without wires for the tests: answers its CALLs from a table and keeps what it said."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from chargepoint_emulator.authorisation import id_token
from chargepoint_emulator.cars import Car
from chargepoint_emulator.clock import Calendar
from chargepoint_emulator.evse import State
from chargepoint_emulator.kinds import KINDS
from chargepoint_emulator.personalities import PERSONALITIES
from chargepoint_emulator.station import Dialect, Station
from chargepoint_emulator.v16 import Dialect16
from chargepoint_emulator.v201 import Dialect201
from chargepoint_emulator.wire import Frame, JsonObject, stamp

EPOCH = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
DIALECTS: dict[str, Callable[[], Dialect]] = {"1.6": Dialect16, "2.0.1": Dialect201}


def at(seconds: float) -> str:
    return stamp(EPOCH + timedelta(seconds=seconds))


def nothing(_: JsonObject) -> JsonObject:
    return {}


class Bench:
    """One station on its table; ``said`` is what it sent, answered at once (``errors``: refused)."""

    def __init__(
        self,
        *,
        ocpp: str = "1.6",
        kind: str = "ac22",
        evses: int = 1,
        personality: str = "good",
        sample_s: int = 0,
    ) -> None:
        numbers = count(1)
        character = PERSONALITIES[personality]
        self.said: list[tuple[str, JsonObject]] = []
        self.presented: list[str] = []
        self.errors: dict[str, str] = {}
        info = "idTagInfo" if ocpp == "1.6" else "idTokenInfo"
        transaction_ids = count(101)
        self.answers: dict[str, Callable[[JsonObject], JsonObject]] = {
            "BootNotification": lambda _: {"status": "Accepted", "currentTime": at(0), "interval": 86_400},
            "Authorize": lambda _: {info: {"status": "Accepted"}},
            "StartTransaction": lambda _: {
                "transactionId": next(transaction_ids),
                "idTagInfo": {"status": "Accepted"},
            },
        }
        self.station = Station(
            identity="CP1",
            dialect=DIALECTS[ocpp](),
            kind=KINDS[kind],
            evses=evses,
            personality=character,
            calendar=Calendar(origin=EPOCH, skew_s=character.clock_skew_s),
            new_id=lambda: f"id-{next(numbers)}",
            meter_interval_s=sample_s,
        )

    def connect(self) -> None:
        self.station.connected()
        self.flush()

    def flush(self) -> None:
        """Answer all that is ready, like a central system without delay."""
        while (message := self.station.ready()) is not None:
            self.said.append((message.action, self.station.complete(message)))
            if message.action in self.errors:
                self.station.failed(message, self.errors[message.action])
            else:
                self.station.answered(message, self.answers.get(message.action, nothing)(message.payload))

    def run(self, seconds: float) -> None:
        """Let time pass, stopping wherever the station has something to do, as the shell does."""
        end_s = self.station.uptime_s + seconds
        while self.station.uptime_s < end_s:
            self.station.advance(min(end_s, self.station.next_event_s()))
            self.flush()

    def plug(self, evse: int = 1, *, soc: float = 40, model: str = "zoe-52") -> Car:
        car = Car(model=model, soc=soc)
        self.station.plug(evse, car)
        self.flush()
        return car

    def unplug(self, evse: int = 1) -> None:
        self.station.unplug(evse)
        self.flush()

    def badge(self, token: str = "04A1B2C3", evse: int = 1) -> str:
        self.station.present(evse, id_token(token), self.presented.append)
        self.flush()
        return self.presented[-1]

    def call(self, action: str, payload: JsonObject) -> JsonObject:
        """Make a CALL to the station."""
        answer = self.station.serve(Frame(kind=2, message_id="1", name=action, body=payload))
        if answer.then:
            answer.then()
        self.flush()
        return answer.payload

    def limit(self, *limits: tuple[int, float], evse: int = 1, **changes: Any) -> JsonObject:
        """Send a 1.6 default profile."""
        wire: JsonObject = {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {
                "startSchedule": at(0),
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": s, "limit": a} for s, a in limits],
            },
            **changes,
        }
        return self.call("SetChargingProfile", {"connectorId": evse, "csChargingProfiles": wire})

    def of(self, action: str) -> list[JsonObject]:
        return [payload for name, payload in self.said if name == action]

    def state(self, evse: int = 1) -> State:
        return self.station.evses[evse].state

    def statuses(self) -> list[str]:
        return [payload["status"] for payload in self.of("StatusNotification") if payload["connectorId"]]
