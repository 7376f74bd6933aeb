from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from supervision.csms import v16, v201, wire
from supervision.csms.frame import Version
from supervision.csms.masking import mask_frame
from supervision.csms.model import (
    RANK_OF_STOP,
    Boot,
    ConnectorStatus,
    IdTokenDecision,
    IdTokenStatus,
    MeterSample,
    Phase,
    ReadingKind,
    StatusReport,
    TransactionFact,
    measured,
    register_wh,
    trusted_time,
)
from supervision.csms.schemas import violations
from supervision.kernel.errors import FieldError

NOW = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
STAMP = "2026-11-21T18:00:00Z"


def sample(*items: dict[str, Any]) -> MeterSample:
    (read,) = wire.samples([{"timestamp": STAMP, "sampledValue": list(items)}])
    return read


def test_boot_16_reads_vendor_model_serial_and_firmware() -> None:
    payload = {
        "chargePointVendor": "V",
        "chargePointModel": "M ",
        "chargePointSerialNumber": "S",
        "firmwareVersion": "1.2",
    }
    assert v16.boot(payload) == Boot(vendor="V", model="M", serial="S", firmware="1.2")
    assert v16.boot(payload).facts() == {"vendor": "V", "model": "M", "serial": "S", "firmware": "1.2"}


def test_boot_201_reads_the_nested_station() -> None:
    payload = {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}}
    assert v201.boot(payload) == Boot(vendor="V", model="M", reason="PowerUp")


@pytest.mark.parametrize("version", list(Version))
def test_the_boot_answer_is_valid_in_its_version(version: Version) -> None:
    answer = (v16 if version is Version.V16 else v201).boot_answer(NOW, 300)
    assert answer == {"currentTime": STAMP, "interval": 300, "status": "Accepted"}
    assert violations(version, "BootNotification", answer, answer=True) == []


def test_status_16_without_time_or_error_is_read() -> None:
    payload = {"connectorId": 2, "status": "Charging", "errorCode": "NoError"}
    assert v16.status(payload) == StatusReport(
        evse_id=2, connector_id=1, status=ConnectorStatus.CHARGING, error_code=None, at=None
    )


def test_status_201_is_read() -> None:
    payload = {"timestamp": STAMP, "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1}
    assert v201.status(payload) == StatusReport(
        evse_id=1, connector_id=1, status=ConnectorStatus.OCCUPIED, error_code=None, at=NOW
    )


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        (STAMP, NOW),
        ("2026-11-21T19:00:00+01:00", NOW),
        ("2026-11-21T19:00:00+0100", NOW),
        ("2026-11-21T18:00:00", NOW),
        ("2026-11-21T18:00:00.1234567Z", NOW + timedelta(microseconds=123456)),
        ("0001-01-01T00:00:00+23:00", None),
        ("9999999-01-01T00:00:00Z", None),
        ("not a date", None),
        (17, None),
    ],
)
def test_a_timestamp_is_read_or_none(stamp: object, expected: datetime | None) -> None:
    assert wire.moment(stamp) == expected


def test_a_station_time_in_the_future_or_before_2015_is_not_trusted() -> None:
    assert trusted_time(NOW - timedelta(days=3), NOW) == NOW - timedelta(days=3)
    assert trusted_time(NOW + timedelta(minutes=6), NOW) == NOW
    assert trusted_time(datetime(1970, 1, 1, tzinfo=UTC), NOW) == NOW
    assert trusted_time(None, NOW) == NOW


def test_a_bare_value_is_imported_energy_in_wh_at_the_outlet() -> None:
    assert sample({"value": "3500"}).readings == (
        (ReadingKind("Energy.Active.Import.Register", "Wh"), 3_500_000),
    )


@pytest.mark.parametrize(
    ("item", "wh"),
    [
        ({"value": "3.5005", "unit": "kWh"}, 3501),
        ({"value": 3500.4}, 3500),
        ({"value": " 3500 "}, 3500),
        ({"value": 35, "unitOfMeasure": {"unit": "Wh", "multiplier": 2}}, 3500),
        ({"value": 3.5, "unitOfMeasure": {"unit": "kWh"}}, 3500),
        ({"value": "3500", "unit": "Parsec"}, None),
        ({"value": "3500", "location": "Inlet"}, None),
        ({"value": "3500", "measurand": "Energy.Active.Export.Register"}, None),
    ],
)
def test_energy_is_converted_to_wh(item: dict[str, Any], wh: int | None) -> None:
    read = wire.samples([{"timestamp": STAMP, "sampledValue": [item]}])
    assert [register_wh(one) for one in read] == ([] if item.get("unit") == "Parsec" else [wh])


@pytest.mark.parametrize("value", ["", "NaN", "Infinity", "1e308", "abc", None, True, [], "9" * 400])
def test_what_is_no_sane_number_is_no_reading(value: object) -> None:
    assert wire.samples([{"timestamp": STAMP, "sampledValue": [{"value": value}]}]) == ()


def test_power_is_the_total_or_the_sum_of_phases_or_current_times_voltage() -> None:
    def power(value: str, **rest: str) -> dict[str, Any]:
        return {"value": value, "measurand": "Power.Active.Import", **rest}

    def current(value: str, **rest: str) -> dict[str, Any]:
        return {"value": value, "measurand": "Current.Import", "unit": "A", **rest}

    volts = {"value": "235", "measurand": "Voltage", "unit": "V", "phase": "L1-N"}
    assert measured(sample(power("7.36", unit="kW"))).power_w == 7360
    assert measured(sample(power("1000", phase="L1"), power("2000", phase="L2"))).power_w == 3000
    assert measured(sample(current("10", phase="L1"), volts)).power_w == 2350
    assert measured(sample(current("16"))).power_w == 3680
    two = sample(current("10", phase="L1"), current("9.5", phase="L3"))
    assert measured(two).currents_a == (10.0, 0.0, 9.5)
    assert measured(sample(current("3", phase="N"))) == (None, None, None, None)
    assert measured(sample(current("3"), current("4"))).currents_a == (4.0, 0.0, 0.0)
    assert measured(sample({"value": "5"})).power_w is None
    assert measured(sample(power("9e9"))).power_w is None


def test_soc_outside_0_to_100_is_unknown() -> None:
    assert measured(sample({"value": "80.5", "measurand": "SoC", "unit": "Percent"})).soc_percent == 80.5
    assert measured(sample({"value": "180", "measurand": "SoC", "unit": "Percent"})).soc_percent is None


def test_start_16_is_a_fact_of_rank_zero() -> None:
    payload = {"connectorId": 2, "idTag": "04A1", "meterStart": 1000, "timestamp": STAMP}
    assert v16.start(payload, NOW) == TransactionFact(
        phase=Phase.STARTED,
        rank=0,
        at=NOW,
        received_at=NOW,
        evse_id=2,
        connector_id=1,
        id_token="04A1",
        first_register_wh=1000,
        last_register_wh=1000,
    )


def test_the_same_start_has_the_same_key_and_another_meter_another() -> None:
    payload = {"connectorId": 2, "idTag": "04A1", "meterStart": 1000, "timestamp": STAMP}
    assert v16.natural_key_of_start(payload) == v16.natural_key_of_start({**payload, "reservationId": 4})
    assert v16.natural_key_of_start(payload) != v16.natural_key_of_start({**payload, "meterStart": 1001})


@pytest.mark.parametrize("given", [0, -1, None, 2**31, "x"])
def test_an_impossible_transaction_id_is_none(given: object) -> None:
    assert v16.transaction_id({"transactionId": given}) is None


def test_stop_16_without_reason_means_local() -> None:
    fact = v16.stop({"transactionId": 1, "meterStop": 6000, "timestamp": STAMP}, NOW)
    assert (fact.phase, fact.rank, fact.last_register_wh, fact.stop_reason) == (
        Phase.ENDED,
        RANK_OF_STOP,
        6000,
        "Local",
    )
    assert fact.first_register_wh is None


def test_stop_16_takes_the_begin_register_of_its_transaction_data() -> None:
    data = [
        {"timestamp": STAMP, "sampledValue": [{"value": "900", "context": "Transaction.Begin"}]},
        {"timestamp": STAMP, "sampledValue": [{"value": "6000", "context": "Transaction.End"}]},
    ]
    payload = {"transactionId": 1, "meterStop": 6000, "timestamp": STAMP, "transactionData": data}
    assert v16.stop(payload, NOW).first_register_wh == 900


def test_meter_values_16_without_connector_are_refused() -> None:
    with pytest.raises(FieldError):
        v16.meter_values({"meterValue": []})


def event(kind: str, seq: int, *registers: int, **info: object) -> dict[str, Any]:
    return {
        "eventType": kind,
        "timestamp": STAMP,
        "triggerReason": "Trigger",
        "seqNo": seq,
        "transactionInfo": {"transactionId": "tx", **info},
        "evse": {"id": 1, "connectorId": 1},
        "idToken": {"idToken": "04A1", "type": "ISO14443"},
        "meterValue": [{"timestamp": STAMP, "sampledValue": [{"value": wh}]} for wh in registers],
    }


def test_a_201_event_becomes_a_fact() -> None:
    read = v201.transaction_event(event("Started", 0, 1000, chargingState="EVConnected"), NOW)
    assert read.ocpp_transaction_id == "tx"
    assert read.token_type == "ISO14443"
    assert read.fact == TransactionFact(
        phase=Phase.STARTED,
        rank=0,
        at=NOW,
        received_at=NOW,
        evse_id=1,
        connector_id=1,
        id_token="04A1",
        first_register_wh=1000,
        last_register_wh=1000,
        charging_state="EVConnected",
    )


def test_an_end_with_one_reading_tells_no_first_register() -> None:
    one = v201.transaction_event(event("Ended", 9, 6000), NOW).fact
    two = v201.transaction_event(event("Ended", 9, 1000, 6000), NOW).fact
    assert (one.rank, one.first_register_wh, one.last_register_wh) == (RANK_OF_STOP, None, 6000)
    assert (two.first_register_wh, two.first_read_at, two.last_register_wh) == (1000, NOW, 6000)


def test_a_reading_of_the_start_is_known_by_its_event_or_by_its_context() -> None:
    begun = {"value": 1000, "context": "Transaction.Begin"}
    of_start = {"timestamp": STAMP, "sampledValue": [begun]}
    periodic = {"timestamp": STAMP, "sampledValue": [{"value": 2500}]}

    def told(kind: str, *values: object) -> tuple[object, ...]:
        fact = v201.transaction_event({**event(kind, 1), "meterValue": list(values)}, NOW).fact
        return fact.first_register_wh, fact.first_read_at, fact.last_register_wh

    assert told("Started", periodic) == (2500, None, 2500)
    assert told("Updated", periodic) == (2500, NOW, 2500)
    assert told("Updated", of_start) == (1000, None, None)
    assert told("Updated", of_start, periodic) == (1000, None, 2500)
    assert told("Ended", of_start) == (1000, None, None)
    assert told("Ended", of_start, periodic) == (1000, None, 2500)


def test_a_201_event_without_its_id_is_a_field_error() -> None:
    with pytest.raises(FieldError, match="transactionId"):
        v201.transaction_event({**event("Started", 0), "transactionInfo": {}}, NOW)
    with pytest.raises(FieldError, match="eventType"):
        v201.transaction_event({**event("Started", 0), "eventType": "Paused"}, NOW)


@pytest.mark.parametrize("status", list(IdTokenStatus))
def test_every_decision_can_be_written_in_both_versions(status: IdTokenStatus) -> None:
    decision = IdTokenDecision(status=status, parent="GROUP", expires_at=NOW)
    info_16 = v16.id_tag_info(decision)
    info_201 = v201.id_token_info(decision)
    assert info_16 == {"status": status.value, "parentIdTag": "GROUP", "expiryDate": STAMP}
    assert violations(Version.V16, "Authorize", {"idTagInfo": info_16}, answer=True) == []
    assert violations(Version.V201, "Authorize", {"idTokenInfo": info_201}, answer=True) == []


@pytest.mark.parametrize(
    "frame",
    [
        '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"S3CRET"}]',
        '[2,"1","SetVariables",{"setVariableData":[{"attributeValue":"S3CRET","component":{"name":"SecurityCtrlr"},'
        '"variable":{"name":"BasicAuthPassword"}}]}]',
        '[2,"1","GetDiagnostics",{"location":"ftp://user:S3CRET@host/x"}]',
        '[2,"1","SetNetworkProfile",{"connectionData":{"vpn":{"user":"u","password":"S3CRET"}}}]',
        '[3,"1",{"configurationKey":[{"key":"AuthorizationKey","readonly":false,"value":"S3CRET"}]}]',
        '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"S3CRET"',
    ],
)
def test_a_secret_leaves_no_trace_in_a_stored_frame(frame: str) -> None:
    masked = mask_frame(frame)
    assert "S3CRET" not in masked
    assert "***" in masked


def test_a_frame_without_secrets_is_stored_as_received() -> None:
    frame = '[2, "1", "ChangeConfiguration", {"key": "HeartbeatInterval", "value": "300"}]'
    assert mask_frame(frame) == frame
