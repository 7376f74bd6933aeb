"""Getting to know a charger: a table of steps, what each asks, waits for and concludes (pure).

Each step sends at most one command and then looks at what the station says until it can conclude or its
time is over. The later steps need a car that charges; without one they are left out. Currents are amperes per
phase.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from supervision.kernel.timespan import format_instant
from supervision.kernel.units import watts

PROFILE_ID = 9_001  # the planner uses others, the limit set by hand 9000
LOW_A = 6.0
LEAST_HIGH_A = 8.0  # below that two currents cannot be told apart
SETTLE = timedelta(seconds=20)
BEGUN = timedelta(minutes=10)
MARGIN_A = 1.0
DISOBEDIENT_SAMPLES = 2  # one may be from before the station followed
IDLE_W = 200
DRAWING_W = 700
MOST_OFFSET_S = 10.0
CAPABILITIES_201 = (
    ("SmartChargingCtrlr", "Available"),
    ("LocalAuthListCtrlr", "Available"),
    ("ReservationCtrlr", "Available"),
    ("DisplayMessageCtrlr", "Available"),
    ("TariffCostCtrlr", "Available"),
    ("MonitoringCtrlr", "Available"),
)


class StepName(StrEnum):
    """The steps in their order."""

    FEATURES = "features"
    MEASURANDS = "measurands"
    CLOCK = "clock"
    CAR = "car"
    LOW = "low"
    HIGH = "high"
    PAUSE = "pause"
    WAKE = "wake"
    CLEAR = "clear"
    DONE = "done"


class Verdict(StrEnum):
    """What was concluded; unknown where it could not be tried."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a meter said; None where it did not."""

    at: datetime
    measurands: tuple[str, ...] = ()
    power_w: int | None = None
    register_wh: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """The running charging transaction that the probe steers."""

    evse_id: int
    ocpp_transaction_id: str
    phases: int
    high_a: float  # the highest current that the EVSE and the site allow now


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is known at this moment; `samples` are those received since the step began."""

    ocpp: str
    now: datetime
    since: datetime
    response: Mapping[str, Any] | None = None  # of the step's command; None: none yet, or none came
    is_over: bool = False  # the command has ended, one way or the other
    samples: tuple[Sample, ...] = ()
    clock_offset_s: float | None = None
    charge: Charge | None = None
    stack_level: int = 1
    unit: str = "A"

    @property
    def is_accepted(self) -> bool:
        """Tell whether the station took the command."""
        return (self.response or {}).get("status") == "Accepted"

    @property
    def settled(self) -> tuple[Sample, ...]:
        """Samples with a power, taken once the car had time to follow."""
        return tuple(
            sample
            for sample in self.samples
            if sample.power_w is not None and sample.at >= self.since + SETTLE
        )


Findings = Mapping[str, Any]
Command = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One row of the table.

    `judge` returns findings once it can conclude, None to wait on; `otherwise` holds when the time is over.
    """

    timeout_s: int
    command: Callable[[Situation], Command | None]
    judge: Callable[[Situation], Findings | None]
    otherwise: Findings
    needs_charge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a probe is."""

    step: StepName
    since: datetime
    findings: Mapping[str, Any] = field(default_factory=dict)


def begin(now: datetime) -> Progress:
    """Start a probe."""
    return Progress(step=StepName.FEATURES, since=now)


def advance(progress: Progress, situation: Situation) -> Progress:
    """Return the progress after looking at the situation; the same when there is nothing to conclude yet."""
    if progress.step is StepName.DONE:
        return progress
    step = STEPS[progress.step]
    if step.needs_charge and situation.charge is None:  # the car left meanwhile
        return _next(progress, dict.fromkeys(step.otherwise, Verdict.UNKNOWN), situation.now)
    found = step.judge(situation)
    if found is None and situation.now - progress.since >= timedelta(seconds=step.timeout_s):
        found = step.otherwise
        if step.needs_charge and not situation.is_accepted:  # it was never asked: that proves nothing
            found = dict.fromkeys(found, Verdict.UNKNOWN)
    return progress if found is None else _next(progress, found, situation.now)


def _next(progress: Progress, found: Findings, now: datetime) -> Progress:
    order = list(StepName)
    following = order[order.index(progress.step) + 1]
    without_car = progress.step is StepName.CAR and found.get("car") == Verdict.NO
    return replace(
        progress,
        step=StepName.DONE if without_car else following,
        since=now,
        findings={**progress.findings, **found},
    )


# --- the steps ----------------------------------------------------------------------------------------


def _ask_features(situation: Situation) -> Command:
    if situation.ocpp == "1.6":
        return "GetConfiguration", {}
    wanted = [
        {"component": {"name": component}, "variable": {"name": variable}}
        for component, variable in CAPABILITIES_201
    ]
    return "GetVariables", {"getVariableData": wanted}


def _features(situation: Situation) -> Findings | None:
    if not situation.is_over:
        return None
    response = situation.response or {}
    if situation.ocpp == "1.6":
        told = {item.get("key"): item.get("value") for item in response.get("configurationKey") or []}
        listed = str(told.get("SupportedFeatureProfiles") or "")
        features = [part.strip() for part in listed.split(",") if part.strip()]
        return {"features": sorted(features), "keys": sorted(str(key) for key in told)}
    available = [
        item["component"]["name"].removesuffix("Ctrlr")
        for item in response.get("getVariableResult") or []
        if item.get("attributeStatus") == "Accepted" and str(item.get("attributeValue")).casefold() == "true"
    ]
    return {"features": sorted(available), "keys": []}


def _trigger(message: str) -> Callable[[Situation], Command]:
    def command(situation: Situation) -> Command:
        evse_id = 1 if situation.charge is None else situation.charge.evse_id
        evse: dict[str, Any] = {"id": evse_id}
        if message == "StatusNotification":
            evse["connectorId"] = 1
        place = {"connectorId": evse_id} if situation.ocpp == "1.6" else {"evse": evse}
        return "TriggerMessage", {"requestedMessage": message, **place}

    return command


def _measurands(situation: Situation) -> Findings | None:
    told = {name for sample in situation.samples for name in sample.measurands}
    if told:
        return {"measurands": sorted(told), "triggers": Verdict.YES}
    refused = situation.is_over and not situation.is_accepted
    return {"measurands": [], "triggers": Verdict.NO} if refused else None


def _clock(situation: Situation) -> Findings | None:
    refused = situation.is_over and not situation.is_accepted
    if situation.clock_offset_s is None and not refused:
        return None
    offset_s = situation.clock_offset_s
    right = None if offset_s is None else abs(offset_s) <= MOST_OFFSET_S
    word = Verdict.UNKNOWN if right is None else Verdict.YES if right else Verdict.NO
    return {"clock_offset_s": offset_s, "clock": word}


def _car(situation: Situation) -> Findings | None:
    return None if situation.charge is None else {"car": Verdict.YES, "evse": situation.charge.evse_id}


def _limit(current_of: Callable[[Charge], float]) -> Callable[[Situation], Command | None]:
    def command(situation: Situation) -> Command | None:
        charge = situation.charge
        return None if charge is None else limit_command(situation, charge, current_of(charge))

    return command


def _low(situation: Situation) -> Findings | None:
    if situation.is_over and not situation.is_accepted:
        return {"obeys_low": Verdict.NO}
    last = _last(situation)
    if last is None or situation.charge is None:
        return None
    if last <= watts(LOW_A + MARGIN_A, situation.charge.phases):
        return {"obeys_low": Verdict.YES}
    return {"obeys_low": Verdict.NO} if len(situation.settled) >= DISOBEDIENT_SAMPLES else None


def _high(situation: Situation) -> Findings | None:
    charge = situation.charge
    if charge is None or charge.high_a < LEAST_HIGH_A:
        return {"obeys_high": Verdict.UNKNOWN}
    last = _last(situation)
    if last is None:
        return None
    if last > watts(charge.high_a + MARGIN_A, charge.phases):
        return {"obeys_high": Verdict.NO} if len(situation.settled) >= DISOBEDIENT_SAMPLES else None
    return {"obeys_high": Verdict.YES} if last > watts(LOW_A + MARGIN_A, charge.phases) else None


def _pause(situation: Situation) -> Findings | None:
    if situation.is_over and not situation.is_accepted:
        return {"pauses": Verdict.NO}
    last = _last(situation)
    return {"pauses": Verdict.YES} if last is not None and last <= IDLE_W else None


def _wake(situation: Situation) -> Findings | None:
    last = _last(situation)
    return {"wakes": Verdict.YES} if last is not None and last >= DRAWING_W else None


def _cleared(situation: Situation) -> Findings | None:
    return {} if situation.is_over else None


def _clear_command(situation: Situation) -> Command:
    payload = {"id": PROFILE_ID} if situation.ocpp == "1.6" else {"chargingProfileId": PROFILE_ID}
    return "ClearChargingProfile", payload


def _last(situation: Situation) -> int | None:
    return situation.settled[-1].power_w if situation.settled else None


STEPS: Mapping[StepName, Step] = {
    StepName.FEATURES: Step(
        timeout_s=60, command=_ask_features, judge=_features, otherwise={"features": [], "keys": []}
    ),
    StepName.MEASURANDS: Step(
        timeout_s=60,
        command=_trigger("MeterValues"),
        judge=_measurands,
        otherwise={"measurands": [], "triggers": Verdict.NO},
    ),
    StepName.CLOCK: Step(
        timeout_s=60,
        command=_trigger("StatusNotification"),
        judge=_clock,
        otherwise={"clock_offset_s": None, "clock": Verdict.UNKNOWN},
    ),
    StepName.CAR: Step(timeout_s=1800, command=lambda _: None, judge=_car, otherwise={"car": Verdict.NO}),
    StepName.LOW: Step(
        timeout_s=180,
        command=_limit(lambda _: LOW_A),
        judge=_low,
        otherwise={"obeys_low": Verdict.UNKNOWN},
        needs_charge=True,
    ),
    StepName.HIGH: Step(
        timeout_s=180,
        command=_limit(lambda charge: charge.high_a),
        judge=_high,
        otherwise={"obeys_high": Verdict.UNKNOWN},  # the car may want no more
        needs_charge=True,
    ),
    StepName.PAUSE: Step(
        timeout_s=180,
        command=_limit(lambda _: 0.0),
        judge=_pause,
        otherwise={"pauses": Verdict.NO},
        needs_charge=True,
    ),
    StepName.WAKE: Step(
        timeout_s=300,
        command=_limit(lambda charge: charge.high_a),
        judge=_wake,
        otherwise={"wakes": Verdict.NO},
        needs_charge=True,
    ),
    StepName.CLEAR: Step(timeout_s=60, command=_clear_command, judge=_cleared, otherwise={}),
}


def limit_command(situation: Situation, charge: Charge, current_a: float) -> Command:
    """Limit the running charge alone, in the unit that the station takes.

    It begins well in the past of the station's own clock: one that is behind would otherwise wait with it.
    """
    behind_s = min(0.0, situation.clock_offset_s or 0.0)
    begin_at = situation.now - BEGUN + timedelta(seconds=behind_s)
    in_watts = situation.unit == "W"
    limit = float(watts(current_a, charge.phases)) if in_watts else current_a
    charging_schedule = {
        "startSchedule": format_instant(begin_at),
        "chargingRateUnit": situation.unit,
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
    }
    common = {
        "stackLevel": situation.stack_level,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Absolute",
    }
    if situation.ocpp == "1.6":
        profile = {
            "chargingProfileId": PROFILE_ID,
            "transactionId": int(charge.ocpp_transaction_id),
            **common,
            "chargingSchedule": charging_schedule,
        }
        return "SetChargingProfile", {"connectorId": charge.evse_id, "csChargingProfiles": profile}
    profile = {
        "id": PROFILE_ID,
        "transactionId": charge.ocpp_transaction_id,
        **common,
        "chargingSchedule": [{"id": 1, **charging_schedule}],
    }
    return "SetChargingProfile", {"evseId": charge.evse_id, "chargingProfile": profile}


# --- conclusions --------------------------------------------------------------------------------------


def meter_word(samples: Sequence[Sample]) -> str:
    """Judge the counter over the whole probe: ok, missing, went_back, or implausible beside the power.

    Energy is held against power times time only where both were told and half a kilowatt-hour should have
    flowed.
    """
    registers = [(one.at, one.register_wh) for one in samples if one.register_wh is not None]
    if not registers:
        return "missing"
    if any(after[1] < before[1] for before, after in pairwise(registers)):
        return "went_back"
    expected_wh, counted_wh = _expected_wh(samples), registers[-1][1] - registers[0][1]
    if expected_wh >= 500 and not 0.5 <= counted_wh / expected_wh <= 2:  # noqa: PLR2004 - a factor of two
        return "implausible"
    return "ok"


def _expected_wh(samples: Sequence[Sample]) -> float:
    told = [(one.at, one.power_w) for one in samples if one.power_w is not None]
    return sum(
        (after[0] - before[0]).total_seconds() / 3600 * (before[1] + after[1]) / 2
        for before, after in pairwise(told)
    )


def lesson(findings: Findings) -> dict[str, Any]:
    """What the planner reads today of a charger: whether it takes profiles; {} when that was not proved."""
    words = {findings.get("obeys_low"), findings.get("obeys_high")}
    if Verdict.NO in words:
        return {"steerable": False}
    return {"steerable": True} if findings.get("obeys_low") == Verdict.YES else {}
