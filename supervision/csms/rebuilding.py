"""Charging transactions from nothing but the journal of frames and of decisions: nothing else decides them.

Reads frames of one station in order and folds them as the live handlers do, without database or clock; a
decision taken here (ADR 17) comes after the frames that were known then. Only what these journals can say is
compared: doubts about badges and about readings as a whole (`csms.deciding.reviewed`) are judged elsewhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from supervision.csms import machine, v16, v201
from supervision.csms.frame import Call, CallResult, Version, read_frame
from supervision.csms.machine import ChargingTransaction, Doubt
from supervision.csms.model import Decision, Phase, TransactionFact, register_wh, trusted_time
from supervision.csms.schemas import read_leniently
from supervision.kernel.errors import FieldError
from supervision.kernel.timespan import to_millis


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalFrame:
    """One row of the journal."""

    at: datetime
    direction: str
    text: str
    id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalDecision:
    """One row of the journal of decisions, with the OCPP id of its charging transaction."""

    after_frame: int
    ocpp_transaction_id: str
    decision: Decision


@dataclass
class _Station:
    """What has been rebuilt so far; starts wait for the answer that gives them their id (1.6)."""

    version: Version
    max_power_w: Mapping[int, float]
    rows: dict[str, ChargingTransaction] = field(default_factory=dict)
    starts: dict[str, TransactionFact] = field(default_factory=dict)

    def fold(self, key: str, fact: TransactionFact) -> None:
        row = self.rows.get(key)
        evse_id = (row.evse_id if row is not None else 0) or fact.evse_id or 0
        self.rows[key] = machine.apply(row, fact, max_power_w=self.max_power_w.get(evse_id))

    def decide(self, entry: JournalDecision) -> None:
        row = self.rows[entry.ocpp_transaction_id]
        power_w = self.max_power_w.get(row.evse_id)
        self.rows[entry.ocpp_transaction_id] = machine.decide(row, entry.decision, max_power_w=power_w)


def rebuild(
    frames: Iterable[JournalFrame],
    version: Version,
    max_power_w: Mapping[int, float],
    decisions: Iterable[JournalDecision] = (),
) -> dict[str, ChargingTransaction]:
    """Fold one station's journals into its charging transactions, by OCPP transaction id."""
    station = _Station(version, max_power_w)
    waiting = deque(decisions)
    for frame in frames:
        while waiting and waiting[0].after_frame < frame.id:
            station.decide(waiting.popleft())
        read = read_frame(frame.text, version)
        if frame.direction == "in" and isinstance(read, Call):
            _take(station, read, frame.at)
        elif frame.direction == "out" and isinstance(read, CallResult):
            _answered(station, read)
    for entry in waiting:
        station.decide(entry)
    return station.rows


JUDGED_ELSEWHERE = frozenset(
    {Doubt.UNKNOWN_TOKEN, Doubt.COUNTER_RESET, Doubt.UNIT_DOUBTFUL, Doubt.TOO_LITTLE}
)


def comparable(row: ChargingTransaction) -> ChargingTransaction:
    """Return a stored charging transaction without the doubts that these journals cannot say."""
    doubts = [doubt for doubt in (row.review or "").split(",") if doubt not in JUDGED_ELSEWHERE]
    return replace(row, review=",".join(doubts) or None)


def _take(station: _Station, call: Call, at: datetime) -> None:
    if (station.version, call.action) not in _READERS:
        return
    payload = read_leniently(station.version, call.action, call.payload, answer=False).payload
    try:
        _READERS[station.version, call.action](station, call, payload, at)
    except FieldError:
        return  # kept with its problem and answered with the fallback: no effect then, none now


def _answered(station: _Station, result: CallResult) -> None:
    fact = station.starts.pop(result.message_id, None)
    number = result.payload.get("transactionId")
    if fact is None or not isinstance(number, int) or number <= 0 or str(number) in station.rows:
        return
    power_w = station.max_power_w.get(fact.evse_id or 0)
    ended = machine.begun_by(station.rows, fact, max_power_w=power_w)
    if ended is not None:
        station.rows[str(number)] = station.rows.pop(ended)
    station.fold(str(number), fact)


def _start(station: _Station, call: Call, payload: dict[str, Any], at: datetime) -> None:
    station.starts[call.message_id] = v16.start(payload, at)


def _meter_values(station: _Station, _call: Call, payload: dict[str, Any], at: datetime) -> None:
    report = v16.meter_values(payload)
    if report.ocpp_transaction_id not in station.rows:
        return
    for sample in report.samples:
        register, moment = register_wh(sample), trusted_time(sample.at, at)
        if register is not None:
            fact = TransactionFact(
                phase=Phase.UPDATED,
                rank=to_millis(moment),
                at=moment,
                received_at=at,
                last_register_wh=register,
            )
            station.fold(report.ocpp_transaction_id, fact)


def _stop(station: _Station, _call: Call, payload: dict[str, Any], at: datetime) -> None:
    number = v16.transaction_id(payload)
    fact = v16.stop(payload, at)
    key = v16.natural_key_of_stop(payload)
    known = str(number) if number is not None and str(number) in station.rows else key
    if known == key and key not in station.rows:
        which = machine.stopped_by if number is None else machine.repeated_by
        known = which(station.rows, fact) or key
    station.fold(known, fact)


def _transaction_event(station: _Station, _call: Call, payload: dict[str, Any], at: datetime) -> None:
    event = v201.transaction_event(payload, at)
    station.fold(event.ocpp_transaction_id, event.fact)


_READERS = {
    (Version.V16, "StartTransaction"): _start,
    (Version.V16, "MeterValues"): _meter_values,
    (Version.V16, "StopTransaction"): _stop,
    (Version.V201, "TransactionEvent"): _transaction_event,
}
