"""What stations say, hear and answer wrongly, each as a pure function of one message; see `personalities`.

A *saying* rewrites the payload of a CALL before it leaves, a *hearing* that of a CALL before it is served, a
*reply* the answer to one; a *reflex* answers a CALL instead of the station, or leaves it to it with None.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from string import hexdigits

from chargepoint_emulator.wire import JsonObject, RpcError, Violation, stamp

Rewrite = Callable[[str, JsonObject], JsonObject]
Reflex = Callable[[str, JsonObject], JsonObject | None]
SILENCE: JsonObject = {"": "no answer at all"}

_READINGS = ("meterValue", "transactionData")
_ENERGY, _POWER, _CURRENT = "Energy.Active.Import.Register", "Power.Active.Import", "Current.Import"


def kind_of(action: str, payload: JsonObject) -> str:
    """Return "start", "values" or "stop" for what tells of a charging transaction, else the action."""
    if action == "TransactionEvent":
        return {"Started": "start", "Updated": "values", "Ended": "stop"}[payload["eventType"]]
    words = {"StartTransaction": "start", "MeterValues": "values", "StopTransaction": "stop"}
    return words.get(action, action)


# -- sayings ----------------------------------------------------------------------------------------------


def timestamps(change: Callable[[str], str]) -> Rewrite:
    """Rewrite every time that is told."""

    def changed(value: object) -> object:
        if isinstance(value, dict):
            return {
                key: change(item) if key == "timestamp" and isinstance(item, str) else changed(item)
                for key, item in value.items()
            }
        return [changed(item) for item in value] if isinstance(value, list) else value

    return lambda _action, payload: _object(changed(payload))


def _object(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


def in_1970(time: str) -> str:
    """A clock that was never set."""
    return "1970-01-01" + time[10:]


def in_2038(time: str) -> str:
    """A clock far ahead."""
    return "2038" + time[4:]


def two_hours_ahead(time: str) -> str:
    """Local time that calls itself UTC."""
    return stamp(datetime.fromisoformat(time) + timedelta(hours=2))


def without_zone(time: str) -> str:
    """No zone at all."""
    return time.removesuffix("Z")


def offset_without_colon(time: str) -> str:
    """An offset as ISO 8601's basic form writes it."""
    return two_hours_ahead(time).removesuffix("Z") + "+0200"


def fields(action: str, **values: object) -> Rewrite:
    """Set fields of one action; None leaves a field out."""

    def rewrite(said: str, payload: JsonObject) -> JsonObject:
        if said != action:
            return payload
        changed = {**payload, **{name: value for name, value in values.items() if value is not None}}
        return {name: value for name, value in changed.items() if values.get(name, 0) is not None}

    return rewrite


def transaction_id(value: int | None) -> Rewrite:
    """What 1.6 messages say the charging transaction's number is; None: nothing."""

    def rewrite(_action: str, payload: JsonObject) -> JsonObject:
        if "transactionId" not in payload:
            return payload
        rest = {name: item for name, item in payload.items() if name != "transactionId"}
        return rest if value is None else {**rest, "transactionId": value}

    return rewrite


def tags(change: Callable[[str], str]) -> Rewrite:
    """Rewrite the badge in every place it is told."""

    def rewrite(_action: str, payload: JsonObject) -> JsonObject:
        told = dict(payload)
        if isinstance(told.get("idTag"), str):
            told["idTag"] = change(told["idTag"])
        if isinstance(told.get("idToken"), dict):
            token = told["idToken"]
            told["idToken"] = {**token, "idToken": change(token["idToken"])}
        return told

    return rewrite


def samples(change: Callable[[JsonObject], JsonObject | None]) -> Rewrite:
    """Rewrite every sampled value; None leaves it out, and a time without any with it."""

    def rewrite(_action: str, payload: JsonObject) -> JsonObject:
        told = dict(payload)
        for name in _READINGS:
            if name in told:
                values = [_changed(value, change) for value in told[name]]
                told[name] = [value for value in values if value["sampledValue"]]
                if not told[name]:
                    del told[name]
        return told

    return rewrite


def _changed(value: JsonObject, change: Callable[[JsonObject], JsonObject | None]) -> JsonObject:
    kept = [changed for one in value["sampledValue"] if (changed := change(one)) is not None]
    return {**value, "sampledValue": kept}


def _times(sample: JsonObject, factor: float) -> JsonObject:
    value = round(float(sample["value"]) * factor, 3)
    return {**sample, "value": str(value) if isinstance(sample["value"], str) else value}


def energy_in_kwh(sample: JsonObject) -> JsonObject:
    """Kilowatt hours that call themselves watt hours."""
    return _times(sample, 0.001) if sample["measurand"] == _ENERGY else sample


def power_in_kw(sample: JsonObject) -> JsonObject:
    """Kilowatts that call themselves watts."""
    return _times(sample, 0.001) if sample["measurand"] == _POWER else sample


def as_number(sample: JsonObject) -> JsonObject:
    """A number where 1.6 wants a text."""
    return {**sample, "value": float(sample["value"])}


def with_spaces(sample: JsonObject) -> JsonObject:
    """Spaces around the value, as a text."""
    return {**sample, "value": f" {sample['value']} "}


def unitless(sample: JsonObject) -> JsonObject:
    """No unit."""
    return {name: item for name, item in sample.items() if name not in {"unit", "unitOfMeasure"}}


def phase_to_neutral(sample: JsonObject) -> JsonObject:
    """A current of L1-N."""
    phase = sample.get("phase")
    return {**sample, "phase": f"{phase}-N"} if phase in {"L1", "L2", "L3"} else sample


def totals_only(sample: JsonObject) -> JsonObject | None:
    """Nothing per phase."""
    return None if "phase" in sample else sample


def phases_only(sample: JsonObject) -> JsonObject | None:
    """Nothing in total but the register."""
    return sample if "phase" in sample or sample["measurand"] == _ENERGY else None


def with_hertz(sample: JsonObject) -> JsonObject:
    """A current in hertz."""
    return {**sample, "unit": "Hz"} if sample["measurand"] == _CURRENT and "unit" in sample else sample


def no_start_register(action: str, payload: JsonObject) -> JsonObject:
    """The start tells no register: null in 1.6, none in 2.0.1."""
    if action == "StartTransaction":
        return {**payload, "meterStart": None}
    if kind_of(action, payload) == "start":
        return {name: item for name, item in payload.items() if name != "meterValue"}
    return payload


def no_connector(_action: str, payload: JsonObject) -> JsonObject:
    """2.0.1 events that name the EVSE alone."""
    if "evse" not in payload:
        return payload
    return {**payload, "evse": {"id": payload["evse"]["id"]}}


def one_transaction_id(_action: str, payload: JsonObject) -> JsonObject:
    """Every charging transaction of 2.0.1 is called "1"."""
    if "transactionInfo" not in payload:
        return payload
    return {**payload, "transactionInfo": {**payload["transactionInfo"], "transactionId": "1"}}


def long_serial(action: str, payload: JsonObject) -> JsonObject:
    """A serial number of 33 characters and a field of the vendor's own."""
    if action != "BootNotification":
        return payload
    if "chargingStation" in payload:
        return {**payload, "chargingStation": {**payload["chargingStation"], "serialNumber": "S" * 33}}
    return {**payload, "chargePointSerialNumber": "S" * 33, "vendorMood": "good"}


def never_available(action: str, payload: JsonObject) -> JsonObject:
    """A connector that is never free again."""
    if action != "StatusNotification" or not payload.get("connectorId"):
        return payload
    if payload.get("status") == "Available":
        return {**payload, "status": "Finishing"}
    return {**payload, "connectorStatus": "Occupied"} if "connectorStatus" in payload else payload


def unknown_error(action: str, payload: JsonObject) -> JsonObject:
    """An error code that is no word of the standard."""
    if action == "StatusNotification" and "errorCode" in payload:
        return {**payload, "errorCode": "Error"}
    return payload


# -- hearings ---------------------------------------------------------------------------------------------


def schedules(change: Callable[[JsonObject], JsonObject]) -> Rewrite:
    """Read the schedule of every charging profile in another way."""

    def rewrite(action: str, payload: JsonObject) -> JsonObject:
        if action != "SetChargingProfile":
            return payload
        key = "csChargingProfiles" if "csChargingProfiles" in payload else "chargingProfile"
        profile = dict(payload.get(key, {}))
        schedule = profile.get("chargingSchedule")
        if isinstance(schedule, dict):
            profile["chargingSchedule"] = change(schedule)
        elif isinstance(schedule, list):
            profile["chargingSchedule"] = [change(one) for one in schedule]
        return {**payload, key: profile}

    return rewrite


def first_period(schedule: JsonObject) -> JsonObject:
    """Only the first period is obeyed."""
    return {**schedule, "chargingSchedulePeriod": schedule["chargingSchedulePeriod"][:1]}


def _periods(schedule: JsonObject, change: Callable[[JsonObject], JsonObject]) -> JsonObject:
    return {
        **schedule,
        "chargingSchedulePeriod": [change(one) for one in schedule["chargingSchedulePeriod"]],
    }


def no_number_phases(schedule: JsonObject) -> JsonObject:
    """The number of phases is not read."""
    return _periods(schedule, lambda one: {name: one[name] for name in one if name != "numberPhases"})


def whole_amperes(schedule: JsonObject) -> JsonObject:
    """Tenths are not read."""
    return _periods(schedule, lambda one: {**one, "limit": int(one["limit"])})


def watts_of_one_phase(schedule: JsonObject) -> JsonObject:
    """Watts are taken for those of one phase: three times too much on three."""
    if schedule.get("chargingRateUnit") != "W":
        return schedule
    amperes = _periods(schedule, lambda one: {**one, "limit": round(one["limit"] / 230, 1)})
    return {**amperes, "chargingRateUnit": "A"}


def starts_when_heard(action: str, payload: JsonObject) -> JsonObject:
    """StartSchedule is not read: every schedule runs from the start of the charging transaction."""
    if action != "SetChargingProfile":
        return payload
    key = "csChargingProfiles" if "csChargingProfiles" in payload else "chargingProfile"
    heard = schedules(lambda one: {name: one[name] for name in one if name != "startSchedule"})(
        action, payload
    )
    return {**heard, key: {**heard[key], "chargingProfileKind": "Relative"}}


# -- reflexes and replies -----------------------------------------------------------------------------------


def always(answer: JsonObject, *actions: str) -> Reflex:
    """Answer these CALLs so, whatever they ask, and do nothing."""
    return lambda action, _payload: answer if action in actions else None


def not_implemented(*actions: str) -> Reflex:
    """Answer these CALLs with NotImplemented."""

    def reflex(action: str, _payload: JsonObject) -> JsonObject | None:
        if action in actions:
            raise RpcError(Violation.NOT_IMPLEMENTED, f"{action} is not known")
        return None

    return reflex


def _profile(payload: JsonObject) -> JsonObject:
    found: JsonObject = payload.get("csChargingProfiles") or payload.get("chargingProfile") or {}
    return found


def rejects_profile(bad: Callable[[JsonObject], bool], status: str = "Rejected") -> Reflex:
    """Answer SetChargingProfile so when the profile is of a kind."""

    def reflex(action: str, payload: JsonObject) -> JsonObject | None:
        return {"status": status} if action == "SetChargingProfile" and bad(_profile(payload)) else None

    return reflex


def whole_station_stays(action: str, payload: JsonObject) -> JsonObject | None:
    """Availability of the whole station cannot be changed."""
    whole = not payload.get("connectorId") and "evse" not in payload
    return {"status": "Rejected"} if action == "ChangeAvailability" and whole else None


def hexadecimal_tags_only(action: str, payload: JsonObject) -> JsonObject | None:
    """A remote start wants a badge in hexadecimal."""
    if action not in {"RemoteStartTransaction", "RequestStartTransaction"}:
        return None
    tag = payload.get("idTag") or payload.get("idToken", {}).get("idToken", "")
    return None if tag and all(letter in hexdigits for letter in tag) else {"status": "Rejected"}


def single_measurand(action: str, payload: JsonObject) -> JsonObject | None:
    """A list of measurands is refused as a whole."""
    if action == "ChangeConfiguration" and "," in str(payload.get("value", "")):
        return {"status": "Rejected"}
    return None


def reboot_required(action: str, answer: JsonObject) -> JsonObject:
    """A changed key counts after the next reboot."""
    accepted = action == "ChangeConfiguration" and answer.get("status") == "Accepted"
    return {"status": "RebootRequired"} if accepted else answer


def rate_unit_words(action: str, answer: JsonObject) -> JsonObject:
    """Other words for A and W, with spaces, in the configuration."""
    if action != "GetConfiguration":
        return answer
    keys = [
        {**key, "value": " A, Power "} if key["key"] == "ChargingScheduleAllowedChargingRateUnit" else key
        for key in answer["configurationKey"]
    ]
    return {**answer, "configurationKey": keys}
