"""A full day of a charge point that is not ours, in both versions, checked by its own strict schemas.

The day lies in the past, as a station's clock tells it: a morning charge stopped by the driver, a remote
one at noon, an evening one through an outage with everything repeated, and a restart at night.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from supervision.clock import SystemClock
from tests.e2e.foreign import peer as peers
from tests.e2e.foreign.messages import COMMANDS_16, COMMANDS_201, REPORTS_16, REPORTS_201, answers
from tests.e2e.foreign.peer import Peer
from tests.process import BADGE, SECRET, Server, service

MIDNIGHT = (SystemClock().now() - timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


def at(hour: float) -> str:
    """Return an instant of the day as a station writes it."""
    return (MIDNIGHT + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve two charging stations, one for each version."""
    running = Server(tmp_path_factory.mktemp("day"))
    running.set_up(service("CP16", "CS201"))
    running.start()
    yield running
    assert running.stop() == 0


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    """Run the charge point; whatever broke a schema or the protocol, either way, fails the test."""
    async with peers.running() as running:
        yield running
        assert running.invalid == []


class Central:
    """The API of the server, for one station, without holding up the loop."""

    def __init__(self, server: Server, identity: str) -> None:
        self._server = server
        self._identity = identity

    async def command(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Send a CALL through the command queue and return what became of it."""
        path, body = f"/charging-stations/{self._identity}/commands", {"action": action, "payload": payload}
        code, told = await asyncio.to_thread(self._server.api, "POST", path, {**body, "timeout_s": 20})
        assert code == 200, told
        result: dict[str, Any] = told
        return result

    async def ledger(self) -> list[tuple[int, int, int, str]]:
        """Return (start Wh, stop Wh, energy Wh, reason) of every charging transaction, oldest first."""
        path = f"/charging-transactions?charging_station={self._identity}"
        rows = await asyncio.to_thread(self._server.items, path)
        rows.sort(key=lambda row: str(row["started_at"]))
        return [
            (row["meter_start_wh"], row["meter_stop_wh"], row["energy_wh"], row["stop_reason"])
            for row in rows
        ]

    async def station(self) -> dict[str, Any]:
        """Return the station as the API shows it."""
        code, told = await asyncio.to_thread(self._server.api, "GET", f"/charging-stations/{self._identity}")
        assert code == 200, told
        result: dict[str, Any] = told
        return result


# --- OCPP 1.6 -------------------------------------------------------------------------------------------


class Station16:
    """What a 1.6 station does, in its own words."""

    def __init__(self, peer: Peer, server: Server) -> None:
        self.peer = peer
        self.url = server.ocpp

    async def power_up(self) -> None:
        """Connect, boot and report the state of both connectors."""
        assert await self.peer.connect(self.url, "CP16", SECRET, "ocpp1.6", answers(COMMANDS_16)) == "ocpp1.6"
        boot = await self.peer.call("BootNotification", chargePointVendor="Other", chargePointModel="Box")
        assert (boot["status"], boot["interval"]) == ("Accepted", 300)
        now = datetime.fromisoformat(boot["currentTime"])
        assert abs(SystemClock().now() - now) < timedelta(minutes=1)
        for connector in (0, 1):
            await self.status("Available", 0, connector)

    async def status(self, word: str, hour: float, connector: int = 1) -> None:
        """Report a connector."""
        report = {"connectorId": connector, "errorCode": "NoError", "status": word, "timestamp": at(hour)}
        assert await self.peer.call("StatusNotification", **report) == {}

    async def start(self, hour: float, meter_wh: int, badge: str = BADGE) -> dict[str, Any]:
        """Start a charge and return the whole answer."""
        started: dict[str, Any] = await self.peer.call(
            "StartTransaction", connectorId=1, idTag=badge, meterStart=meter_wh, timestamp=at(hour)
        )
        return started

    async def values(self, number: int, hour: float, meter_wh: int, power_w: int) -> None:
        """Report the meter."""
        sampled = [
            {"value": str(meter_wh), "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
            {"value": str(power_w), "measurand": "Power.Active.Import", "unit": "W"},
        ]
        meter_value = [{"timestamp": at(hour), "sampledValue": sampled}]
        values = {"connectorId": 1, "transactionId": number, "meterValue": meter_value}
        assert await self.peer.call("MeterValues", **values) == {}

    async def stop(self, number: int, hour: float, meter_wh: int, reason: str) -> None:
        """Stop a charge."""
        stop = {"transactionId": number, "meterStop": meter_wh, "timestamp": at(hour), "reason": reason}
        answer = await self.peer.call("StopTransaction", **stop, idTag=BADGE)
        assert answer == {"idTagInfo": {"status": "Accepted"}}


async def test_full_day_of_a_strict_16_station(server: Server, peer: Peer) -> None:
    station, central = Station16(peer, server), Central(server, "CP16")
    await station.power_up()
    assert set(await peer.call("Heartbeat")) == {"currentTime"}

    # 07:00 a manager plugs in, a stranger's badge is told off, a charge runs for two hours.
    await station.status("Preparing", 7)
    assert await peer.call("Authorize", idTag="5TRANGER") == {"idTagInfo": {"status": "Invalid"}}
    assert await peer.call("Authorize", idTag=BADGE.lower()) == {"idTagInfo": {"status": "Accepted"}}
    first = await station.start(7, 100_000)
    assert first["idTagInfo"] == {"status": "Accepted"}
    await station.status("Charging", 7)
    for quarter in range(1, 9):
        await station.values(first["transactionId"], 7 + quarter / 4, 100_000 + 2750 * quarter, 11_000)
    assert (await central.station())["evses"][0]["power_w"] == 11_000
    await station.status("SuspendedEV", 9)
    await station.stop(first["transactionId"], 9, 122_000, "EVDisconnected")
    await station.status("Finishing", 9)
    await station.status("Available", 9)

    # 12:00 the supervision starts and stops a charge.
    told = await central.command("RemoteStartTransaction", {"idTag": BADGE, "connectorId": 1})
    assert (told["state"], told["response"]) == ("answered", {"status": "Accepted"})
    second = await station.start(12, 122_000)
    told = await central.command("RemoteStopTransaction", {"transactionId": second["transactionId"]})
    assert told["state"] == "answered"
    await station.stop(second["transactionId"], 12.5, 125_500, "Remote")

    # 18:00 the line is cut during a charge; everything is sent later, and some of it twice.
    third = await station.start(18, 125_500)
    await peer.close()
    await station.power_up()
    assert (await station.start(18, 125_500))["transactionId"] == third["transactionId"]
    for _ in range(2):
        await station.values(third["transactionId"], 19, 136_500, 11_000)
        await station.stop(third["transactionId"], 20, 147_500, "Local")
    offline = await station.start(20.5, 147_500, "5TRANGER")
    assert offline["idTagInfo"] == {"status": "Invalid"}
    await peer.call(
        "StopTransaction", transactionId=offline["transactionId"], meterStop=147_600, timestamp=at(20.6),
        reason="DeAuthorized",
    )  # fmt: skip

    # 23:00 a reset from the supervision.
    assert (await central.command("Reset", {"type": "Soft"}))["response"] == {"status": "Accepted"}
    await peer.close()
    await station.power_up()
    assert await central.ledger() == [
        (100_000, 122_000, 22_000, "EVDisconnected"),
        (122_000, 125_500, 3_500, "Remote"),
        (125_500, 147_500, 22_000, "Local"),
        (147_500, 147_600, 100, "DeAuthorized"),
    ]


async def test_every_command_reaches_a_strict_16_station(server: Server, peer: Peer) -> None:
    station, central = Station16(peer, server), Central(server, "CP16")
    await station.power_up()
    for action, (payload, answer) in COMMANDS_16.items():
        told = await central.command(action, payload)
        assert (action, told["state"], told["response"]) == (action, "answered", answer)
        await peer.took(action, payload)


async def test_every_report_of_a_strict_16_station_is_answered(server: Server, peer: Peer) -> None:
    await Station16(peer, server).power_up()
    for action, payload in REPORTS_16.items():
        assert "code" not in await peer.call(action, **payload), action


# --- OCPP 2.0.1 -----------------------------------------------------------------------------------------


class Station201:
    """What a 2.0.1 station does, in its own words."""

    def __init__(self, peer: Peer, server: Server) -> None:
        self.peer = peer
        self.url = server.ocpp

    async def power_up(self, reason: str = "PowerUp") -> None:
        """Connect, boot and report the connector."""
        protocol = await self.peer.connect(self.url, "CS201", SECRET, "ocpp2.0.1", answers(COMMANDS_201))
        assert protocol == "ocpp2.0.1"
        device = {"vendorName": "Other", "model": "Box", "serialNumber": "1", "firmwareVersion": "2"}
        boot = await self.peer.call("BootNotification", reason=reason, chargingStation=device)
        assert (boot["status"], boot["interval"]) == ("Accepted", 300)
        await self.status("Available", 0)

    async def status(self, word: str, hour: float) -> None:
        """Report the connector."""
        report = {"timestamp": at(hour), "connectorStatus": word, "evseId": 1, "connectorId": 1}
        assert await self.peer.call("StatusNotification", **report) == {}

    async def event(self, kind: str, name: str, seq: int, hour: float, meter_wh: int, **more: Any) -> Any:
        """Report an event of a charge."""
        info = {"transactionId": name, **more.pop("info", {})}
        sampled = [
            {
                "value": meter_wh,
                "measurand": "Energy.Active.Import.Register",
                "unitOfMeasure": {"unit": "Wh"},
                "context": {"Started": "Transaction.Begin", "Ended": "Transaction.End"}.get(
                    kind, "Sample.Periodic"
                ),
            },
            {
                "value": 11.0,
                "measurand": "Power.Active.Import",
                "unitOfMeasure": {"unit": "W", "multiplier": 3},
            },
        ]
        return await self.peer.call(
            "TransactionEvent",
            **{
                "eventType": kind,
                "timestamp": at(hour),
                "triggerReason": {"Started": "Authorized", "Updated": "MeterValuePeriodic"}.get(
                    kind, "StopAuthorized"
                ),
                "seqNo": seq,
                "transactionInfo": info,
                "evse": {"id": 1, "connectorId": 1},
                "meterValue": [{"timestamp": at(hour), "sampledValue": sampled}],
                **more,
            },
        )


TOKEN = {"idToken": BADGE, "type": "ISO14443"}
STRANGER = {"idToken": "5TRANGER", "type": "ISO14443"}


async def test_full_day_of_a_strict_201_station(server: Server, peer: Peer) -> None:
    station, central = Station201(peer, server), Central(server, "CS201")
    await station.power_up()
    assert set(await peer.call("Heartbeat")) == {"currentTime"}

    # 07:00 a manager plugs in, a stranger's badge is told off, a charge runs for two hours.
    await station.status("Occupied", 7)
    assert (await peer.call("Authorize", idToken=STRANGER))["idTokenInfo"]["status"] == "Invalid"
    assert (await peer.call("Authorize", idToken=TOKEN))["idTokenInfo"]["status"] == "Accepted"
    started = await station.event(
        "Started", "day-1", 0, 7, 100_000, idToken=TOKEN, info={"chargingState": "EVConnected"}
    )
    assert started["idTokenInfo"]["status"] == "Accepted"
    for quarter in range(1, 9):
        await station.event(
            "Updated",
            "day-1",
            quarter,
            7 + quarter / 4,
            100_000 + 2750 * quarter,
            info={"chargingState": "Charging"},
        )
    assert (await central.station())["evses"][0]["power_w"] == 11_000
    await station.event("Ended", "day-1", 9, 9, 122_000, info={"stoppedReason": "EVDisconnected"})
    await station.status("Available", 9)

    # 12:00 the supervision starts and stops a charge.
    order = {"idToken": TOKEN, "remoteStartId": 7, "evseId": 1}
    assert (await central.command("RequestStartTransaction", order))["response"] == {"status": "Accepted"}
    await station.event(
        "Started", "day-2", 0, 12, 122_000, idToken=TOKEN, triggerReason="RemoteStart",
        info={"chargingState": "Charging", "remoteStartId": 7},
    )  # fmt: skip
    assert (await central.command("RequestStopTransaction", {"transactionId": "day-2"}))[
        "state"
    ] == "answered"
    await station.event(
        "Ended", "day-2", 1, 12.5, 125_500, triggerReason="RemoteStop", info={"stoppedReason": "Remote"}
    )

    # 18:00 the line is cut during a charge; what happened is sent later, out of order and twice.
    await station.event("Started", "day-3", 0, 18, 125_500, idToken=TOKEN, info={"chargingState": "Charging"})
    await peer.close()
    await station.power_up("PowerUp")
    for _ in range(2):
        await station.event("Updated", "day-3", 2, 19.5, 142_000, offline=True)
        await station.event("Updated", "day-3", 1, 19, 136_500, offline=True)
        await station.event("Ended", "day-3", 3, 20, 147_500, offline=True, info={"stoppedReason": "Local"})
    refused = await station.event("Started", "day-4", 0, 20.5, 147_500, offline=True, idToken=STRANGER)
    assert refused["idTokenInfo"]["status"] == "Invalid"
    await station.event(
        "Ended", "day-4", 1, 20.6, 147_600, offline=True, info={"stoppedReason": "DeAuthorized"}
    )

    # 23:00 a reset from the supervision.
    assert (await central.command("Reset", {"type": "OnIdle"}))["response"] == {"status": "Accepted"}
    await peer.close()
    await station.power_up("ScheduledReset")
    assert await central.ledger() == [
        (100_000, 122_000, 22_000, "EVDisconnected"),
        (122_000, 125_500, 3_500, "Remote"),
        (125_500, 147_500, 22_000, "Local"),
        (147_500, 147_600, 100, "DeAuthorized"),
    ]


async def test_every_command_reaches_a_strict_201_station(server: Server, peer: Peer) -> None:
    station, central = Station201(peer, server), Central(server, "CS201")
    await station.power_up()
    for action, (payload, answer) in COMMANDS_201.items():
        told = await central.command(action, payload)
        assert (action, told["state"], told["response"]) == (action, "answered", answer)
        await peer.took(action, payload)


async def test_every_report_of_a_strict_201_station_is_answered(server: Server, peer: Peer) -> None:
    await Station201(peer, server).power_up()
    for action, payload in REPORTS_201.items():
        assert "code" not in await peer.call(action, **payload), action


async def test_wrong_password_is_refused(server: Server) -> None:
    async with peers.running() as peer:
        told = await peer.connect(server.ocpp, "CP16", "not-the-password-00", "ocpp1.6", {})
        assert told["error"]["message"] == "Error: Unauthorized"
