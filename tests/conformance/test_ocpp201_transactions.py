"""OCPP 2.0.1, blocks E, I and J: where charges start and stop, what they cost, what meters say and sign."""

from __future__ import annotations

from typing import Any

import pytest

from supervision.store import schema
from supervision.store.db import Database
from tests.conformance.play import ACCEPTED, MORNING, NOON, Json, charge, kept_as_given, rows
from tests.conformance.test_ocpp201 import CS, EVSE, TOKEN, begun, ended, event, show, tell
from tests.integration.ocpp_client import V201, ChargePoint, Server

FREE: Json = {"totalCost": 0.0}
OCMF = 'OCMF|{"FV":"1.0","GI":"V","RD":[{"RV":1.0,"RU":"kWh"}]}|{"SA":"ECDSA-secp256r1-SHA256","SD":"30"}'


def signed(wh: int, context: str, data: str = OCMF, at: str = MORNING) -> list[Json]:
    """A register with the text its meter signed."""
    seal = {
        "signedMeterData": data,
        "signingMethod": "ECDSA-secp256r1-SHA256",
        "encodingMethod": "OCMF",
        "publicKey": "MFkw",
    }
    return [
        {
            "timestamp": at,
            "sampledValue": [{"value": wh, "context": context, "signedMeterValue": seal}],
        }
    ]


async def seals(db: Database) -> list[tuple[Any, ...]]:
    """What is kept of signed values."""
    return [
        (row["charging_transaction_id"], row["evse_id"], row["context"], row["encoding"], row["data"])
        for row in await rows(db, schema.signed_meter_values)
    ]


# --- E: where a charge starts ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trigger", "state"),
    [
        pytest.param("ChargingStateChanged", "EVConnected", id="TC_E_01"),
        pytest.param("ChargingStateChanged", "Charging", id="TC_E_02"),
    ],
)
async def test_badge_and_cable_before_the_charge_starts(
    server: Server, sqlite_db: Database, trigger: str, state: str
) -> None:
    """PowerPathClosed and EnergyTransfer: the badge was accepted before and comes again with the start."""
    async with server.station(CS, V201) as point:
        await tell(point, "Occupied")
        assert await show(point) == {"idTokenInfo": ACCEPTED}
        answer = await event(point, "Started", 0, trigger, 1000, idToken=TOKEN, info={"chargingState": state})
        assert answer == {"idTokenInfo": ACCEPTED}
        assert (
            await event(point, "Updated", 1, "ChargingStateChanged", info={"chargingState": "Charging"}) == {}
        )
    row = await charge(sqlite_db)
    assert (row["state"], row["charging_state"], row["authorisation"]) == ("open", "Charging", "Accepted")
    assert (row["evse_id"], row["meter_start_wh"], row["review"]) == (1, 1000, None)


async def test_TC_E_09_cable_starts_the_charge_and_the_badge_follows(
    server: Server, sqlite_db: Database
) -> None:
    async with server.station(CS, V201) as point:
        await tell(point, "Occupied")
        connected = {"chargingState": "EVConnected"}
        assert await event(point, "Started", 0, "CablePluggedIn", 1000, info=connected) == {}
        assert (await charge(sqlite_db))["authorisation"] is None
        assert await event(point, "Updated", 1, "Authorized", idToken=TOKEN) == {"idTokenInfo": ACCEPTED}
        assert (
            await event(point, "Updated", 2, "ChargingStateChanged", info={"chargingState": "Charging"}) == {}
        )
    row = await charge(sqlite_db)
    assert (row["authorisation"], row["person_id"], row["id_token"]) == ("Accepted", "m1", TOKEN["idToken"])


async def test_TC_E_10_badge_starts_the_charge_and_the_cable_follows(
    server: Server, sqlite_db: Database
) -> None:
    async with server.station(CS, V201) as point:
        answer = await event(point, "Started", 0, "Authorized", 1000, idToken=TOKEN, evse={"id": 1})
        assert answer == {"idTokenInfo": ACCEPTED}
        await tell(point, "Occupied")
        plugged = {"chargingState": "EVConnected"}
        assert await event(point, "Updated", 1, "CablePluggedIn", info=plugged) == {}
        assert (
            await event(point, "Updated", 2, "ChargingStateChanged", info={"chargingState": "Charging"}) == {}
        )
    row = await charge(sqlite_db)
    assert (row["state"], row["connector_id"], row["charging_state"]) == ("open", 1, "Charging")


async def test_TC_E_11_signed_start_value_starts_the_charge(server: Server, sqlite_db: Database) -> None:
    async with server.station(CS, V201) as point:
        assert await show(point) == {"idTokenInfo": ACCEPTED}
        answer = await event(
            point,
            "Started",
            0,
            "SignedDataReceived",
            idToken=TOKEN,
            meterValue=signed(1000, "Transaction.Begin"),
        )
        assert answer == {"idTokenInfo": ACCEPTED}
    row = await charge(sqlite_db)
    assert (row["state"], row["meter_start_wh"]) == ("open", 1000)
    assert await seals(sqlite_db) == [(row["id"], 1, "Transaction.Begin", "OCMF", OCMF)]


async def test_TC_E_12_car_in_the_bay_starts_the_charge(server: Server, sqlite_db: Database) -> None:
    async with server.station(CS, V201) as point:
        assert await event(point, "Started", 0, "EVDetected", info={"chargingState": "Idle"}) == {}
        assert await event(point, "Updated", 1, "Authorized", 1000, idToken=TOKEN) == {
            "idTokenInfo": ACCEPTED
        }
        await tell(point, "Occupied")
        assert (
            await event(point, "Updated", 2, "ChargingStateChanged", info={"chargingState": "Charging"}) == {}
        )
    row = await charge(sqlite_db)
    assert (row["state"], row["authorisation"], row["meter_start_wh"]) == ("open", "Accepted", 1000)


# --- E: where a charge stops ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trigger", "reason", "state"),
    [
        pytest.param("StopAuthorized", "Local", "EVConnected", id="TC_E_08"),
        pytest.param("EVCommunicationLost", "EVDisconnected", "Idle", id="TC_E_14"),
        pytest.param("ChargingStateChanged", "StoppedByEV", "SuspendedEV", id="TC_E_22"),
    ],
)
async def test_charge_ends_where_the_station_says(
    server: Server, sqlite_db: Database, trigger: str, reason: str, state: str
) -> None:
    async with server.station(CS, V201) as point:
        await begun(point)
        assert (
            await event(point, "Updated", 1, "ChargingStateChanged", info={"chargingState": "Charging"}) == {}
        )
        told = {"stoppedReason": reason, "chargingState": state}
        extra: Json = {"idToken": TOKEN} if trigger == "StopAuthorized" else {}
        answer = await event(point, "Ended", 2, trigger, 6000, info=told, **extra)
        assert answer == FREE | ({"idTokenInfo": ACCEPTED} if extra else {})
    await ended(sqlite_db, reason)
    assert (await charge(sqlite_db))["charging_state"] == state


async def test_TC_E_19_charge_goes_on_until_the_bay_is_empty(server: Server, sqlite_db: Database) -> None:
    async with server.station(CS, V201) as point:
        await begun(point)
        stopped = {"chargingState": "EVConnected"}
        answer = await event(point, "Updated", 1, "StopAuthorized", 6000, idToken=TOKEN, info=stopped)
        assert answer == {"idTokenInfo": ACCEPTED}
        assert await event(point, "Updated", 2, "EVCommunicationLost", info={"chargingState": "Idle"}) == {}
        assert (await charge(sqlite_db))["state"] == "open"
        left = {"stoppedReason": "Local", "chargingState": "Idle"}
        assert await event(point, "Ended", 3, "EVDeparted", 6000, info=left) == FREE
    await ended(sqlite_db, "Local")


# --- I: what it costs -----------------------------------------------------------------------------------


async def test_TC_I_01_running_cost_is_told_on_an_operator_s_word(
    server: Server, sqlite_db: Database
) -> None:
    """A charge of a shared car costs its driver nothing, also while it runs."""
    async with server.station(CS, V201) as point:
        await begun(point)
    await kept_as_given(server, CS, V201, "CostUpdated", {"totalCost": 0.0, "transactionId": "tx-1"}, {})
    assert (await charge(sqlite_db))["state"] == "open"


async def test_TC_I_02_final_cost_is_told_with_the_end_and_only_then(
    server: Server, sqlite_db: Database
) -> None:
    async with server.station(CS, V201) as point:
        await begun(point)
        assert await event(point, "Updated", 1, "MeterValuePeriodic", 3000) == {}
        assert (
            await event(point, "Ended", 2, "EVCommunicationLost", 6000, info={"stoppedReason": "Local"})
            == FREE
        )
    await ended(sqlite_db, "Local")


# --- J: what the meter says and signs ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trigger", "context"),
    [
        pytest.param("MeterValueClock", "Sample.Clock", id="TC_J_04"),
        pytest.param("MeterValuePeriodic", "Sample.Periodic", id="TC_J_11"),
    ],
)
async def test_signed_values_are_kept_as_they_came_and_counted_by_their_number(
    server: Server, sqlite_db: Database, trigger: str, context: str
) -> None:
    digits = "0" + "7" * 40  # a signature may look like a number
    async with server.station(CS, V201) as point:
        await begun(point)
        for _ in range(2):  # the second is a repetition
            assert await event(point, "Updated", 1, trigger, meterValue=signed(3000, context)) == {}
        closing = signed(6000, "Transaction.End", digits, NOON)
        answer = await event(
            point, "Ended", 2, "EVCommunicationLost", meterValue=closing, info={"stoppedReason": "Local"}
        )
        assert answer == FREE
    await ended(sqlite_db, "Local")
    row = await charge(sqlite_db)
    assert await seals(sqlite_db) == [
        (row["id"], 1, context, "OCMF", OCMF),
        (row["id"], 1, "Transaction.End", "OCMF", digits),
    ]


async def begin_values(point: ChargePoint, seq: int, kind: str, trigger: str, **more: Any) -> Json:
    """The register of the beginning, marked as such."""
    value = [{"timestamp": MORNING, "sampledValue": [{"value": 1000, "context": "Transaction.Begin"}]}]
    return await event(point, kind, seq, trigger, meterValue=value, **more)


async def test_TC_J_07_begin_values_come_with_the_start(server: Server, sqlite_db: Database) -> None:
    async with server.station(CS, V201) as point:
        answer = await begin_values(point, 0, "Started", "CablePluggedIn", idToken=TOKEN)
        assert answer == {"idTokenInfo": ACCEPTED}
    row = await charge(sqlite_db)
    assert (row["evse_id"], row["meter_start_wh"]) == (1, 1000)
    (sample,) = await rows(sqlite_db, schema.meter_values)
    assert (sample["evse_id"], sample["register_wh"], sample["charging_transaction_id"]) == (
        1,
        1000,
        row["id"],
    )


async def test_TC_J_08_begin_values_come_when_the_evse_is_known(server: Server, sqlite_db: Database) -> None:
    async with server.station(CS, V201) as point:
        started = {
            "eventType": "Started",
            "timestamp": MORNING,
            "triggerReason": "Authorized",
            "seqNo": 0,
            "transactionInfo": {"transactionId": "tx-1"},
            "idToken": TOKEN,
        }
        assert await point.answer("TransactionEvent", started) == {"idTokenInfo": ACCEPTED}
        row = await charge(sqlite_db)
        assert (row["evse_id"], row["meter_start_wh"]) == (0, None)
        assert await begin_values(point, 1, "Updated", "CablePluggedIn", evse=EVSE) == {}
        assert await event(point, "Ended", 2, "StopAuthorized", 6000, info={"stoppedReason": "Local"}) == FREE
    await ended(sqlite_db, "Local")
    assert (await charge(sqlite_db))["evse_id"] == 1
