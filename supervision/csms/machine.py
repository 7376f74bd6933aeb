"""The life of a charging transaction as a fold: facts in any order, any number of times, one result.

Every field is decided by the rank of the fact that told it, never by the order of arrival, so that
duplicates, offline replays and swapped messages change nothing. Ended is terminal for the state; late facts
still complete the registers. Nothing is ever refused: what cannot be trusted is named in `review`.

Beside the facts of the station stand the decisions taken here (ADR 17): a presumed end, which any newer fact
withdraws, and a person's settlement, which no fact overwrites and which is held up again when one changes
what it was based on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from supervision.csms.model import Decision, Phase, PresumedEnd, TransactionFact
from supervision.kernel.timespan import to_millis

Key = TypeVar("Key", str, int)

POWER_MARGIN = 1.1  # meters and chargers may exceed their nominal power a little
SLACK_WH = 100  # resolution of coarse meters over short charges
NEAR_START = timedelta(minutes=1)  # a first reading by then misses at most 0.4 kWh at 22 kW


class State(StrEnum):
    """Open until an end was told."""

    OPEN = "open"
    ENDED = "ended"


class Doubt(StrEnum):
    """Why a person must look before money is taken."""

    START_MISSING = "start_missing"  # only later messages arrived: the row is reconstructed
    NO_START_READING = "no_start_reading"  # none, or the first reading came when energy had flowed
    NO_STOP_READING = "no_stop_reading"  # the last periodic reading stands for the end
    NO_READINGS = "no_readings"  # less than two readings of the counter: no energy
    COUNTER_WENT_BACK = "counter_went_back"
    IMPLAUSIBLE_ENERGY = "implausible_energy"  # more than the EVSE can deliver in the time
    UNKNOWN_TOKEN = "unknown_token"  # noqa: S105 - started though the badge was not accepted
    PRESUMED_END = "presumed_end"  # no end was told: `presumed` says why one is assumed
    COUNTER_RESET = "counter_reset"  # the counter began anew during the charge
    UNIT_DOUBTFUL = "unit_doubtful"  # a thousand times more or less than the measured power says
    TOO_LITTLE = "too_little"  # less than any car takes in that time: the counter may count in kWh
    CHANGED_SINCE_SETTLED = "changed_since_settled"  # a later fact changed what a person had settled


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingTransaction:
    """All that is known of one charging transaction. Registers and energy in Wh.

    `measured_wh` is what the registers say, `energy_wh` what counts: the same, or what a person settled.
    `settled_from_wh` is what the registers said at that moment. `meter_start_read_at` is when the register
    that stands for the start was read, None where the station says that it is the one of the start.
    """

    evse_id: int = 0
    connector_id: int = 1
    state: State = State.OPEN
    started_at: datetime
    started_received_at: datetime
    stopped_at: datetime | None = None
    stopped_received_at: datetime | None = None
    id_token: str | None = None
    charging_state: str | None = None
    stop_reason: str | None = None
    meter_start_wh: int | None = None
    meter_start_read_at: datetime | None = None
    meter_stop_wh: int | None = None
    meter_last_wh: int | None = None
    measured_wh: int | None = None
    energy_wh: int | None = None
    review: str | None = None
    presumed: str | None = None
    settled: str | None = None
    settled_wh: int | None = None
    settled_from_wh: int | None = None
    start_told: bool = False
    stop_register_told: bool = False
    start_rank: int | None = None  # rank of the fact that told meter_start_wh
    last_rank: int | None = None  # rank of the fact that told meter_last_wh
    token_rank: int | None = None
    state_rank: int | None = None  # rank of the fact that told charging_state


def apply(
    row: ChargingTransaction | None, fact: TransactionFact, *, max_power_w: float | None = None
) -> ChargingTransaction:
    """Fold one fact into the row (None: the first fact heard of)."""
    told = _with_place(row or _blank(fact), fact)
    told = _with_token(told, fact)
    told = _with_registers(told, fact)
    told = _with_phase(told, fact)
    return judge(told, max_power_w=max_power_w)


def decide(
    row: ChargingTransaction, decision: Decision, *, max_power_w: float | None = None
) -> ChargingTransaction:
    """Apply what was decided here; an end that was told is never replaced by a presumed one."""
    if not isinstance(decision, PresumedEnd):
        row = replace(
            row,
            settled=decision.how.value,
            settled_wh=decision.energy_wh,
            settled_from_wh=row.measured_wh,
        )
    elif row.state is State.OPEN:
        row = replace(
            row,
            state=State.ENDED,
            stopped_at=max(decision.at, row.started_at),
            stop_reason=f"Presumed {decision.ground.value.replace('_', ' ')}",
            presumed=decision.ground.value,
        )
    return judge(row, max_power_w=max_power_w)


def fold(facts: Iterable[TransactionFact], *, max_power_w: float | None = None) -> ChargingTransaction | None:
    """Fold all facts of one charging transaction."""
    row: ChargingTransaction | None = None
    for fact in facts:
        row = apply(row, fact, max_power_w=max_power_w)
    return row


def stopped_by(rows: Mapping[Key, ChargingTransaction], stop: TransactionFact) -> Key | None:
    """Tell which charge of a station a stop without a usable id (0, -1, null) ends.

    One that ended by this very stop (it is repeated), else the open one it can be, else the one whose end is
    only presumed; None where there is a choice.
    """
    may = {
        key: row
        for key, row in rows.items()
        if row.started_at <= stop.at and (stop.id_token is None or _same(row.id_token, stop.id_token))
    }
    repeated = [key for key, row in may.items() if _ended_by(row, stop)]
    going = [key for key, row in may.items() if row.state is State.OPEN]
    presumed = [key for key, row in may.items() if row.presumed is not None]
    found = repeated or going or presumed
    return found[0] if len(found) == 1 else None


def repeated_by(rows: Mapping[Key, ChargingTransaction], stop: TransactionFact) -> Key | None:
    """Tell which charge has ended by this very stop already; None when none, or more than one, has."""
    found = [key for key, row in rows.items() if _ended_by(row, stop)]
    return found[0] if len(found) == 1 else None


def begun_by(
    rows: Mapping[Key, ChargingTransaction], start: TransactionFact, *, max_power_w: float | None = None
) -> Key | None:
    """Tell to which charge, reconstructed from a stop that came before it, a 1.6 start belongs.

    Nothing of the wire ties the two: the stop was sent before the number of its charge was known. They belong
    together where they make one charge without a doubt, and either the badge is the same, so that nobody pays
    for another, or the stop repeats the register of the start. None where there is none, or a choice.
    """
    found = [
        key
        for key, row in rows.items()
        if _ended_unbegun(row) and _share(row, start) and _is_sound(row, start, max_power_w)
    ]
    return found[0] if len(found) == 1 else None


def _ended_unbegun(row: ChargingTransaction) -> bool:
    return row.state is State.ENDED and row.presumed is None and not row.start_told


def _share(row: ChargingTransaction, start: TransactionFact) -> bool:
    if row.id_token is not None:
        return start.id_token is not None and _same(start.id_token, row.id_token)
    return row.meter_start_wh is not None and row.meter_start_wh == start.first_register_wh


def _is_sound(row: ChargingTransaction, start: TransactionFact, max_power_w: float | None) -> bool:
    unsettled = replace(row, settled=None)
    told = apply(unsettled, start, max_power_w=max_power_w)
    return row.stopped_at is not None and start.at <= row.stopped_at and told.review is None


def _ended_by(row: ChargingTransaction, stop: TransactionFact) -> bool:
    if row.stopped_at is None or row.presumed is not None:
        return False
    same_instant = to_millis(row.stopped_at) == to_millis(stop.at)  # a row keeps no more than milliseconds
    return same_instant and row.meter_last_wh == stop.last_register_wh


def _same(one: str | None, other: str) -> bool:
    return one is not None and one.casefold() == other.casefold()


def _blank(fact: TransactionFact) -> ChargingTransaction:
    return ChargingTransaction(started_at=fact.at, started_received_at=fact.received_at)


def _with_place(row: ChargingTransaction, fact: TransactionFact) -> ChargingTransaction:
    """The EVSE may be told later than the start (2.0.1 E03); once told it stays."""
    if row.evse_id != 0 or not fact.evse_id:
        return row
    return replace(row, evse_id=fact.evse_id, connector_id=fact.connector_id or 1)


def _with_token(row: ChargingTransaction, fact: TransactionFact) -> ChargingTransaction:
    """The first badge told is the one that charges; a later one only stops."""
    if fact.id_token is None or (row.token_rank is not None and row.token_rank <= fact.rank):
        return row
    return replace(row, id_token=fact.id_token, token_rank=fact.rank)


def _with_registers(row: ChargingTransaction, fact: TransactionFact) -> ChargingTransaction:
    if fact.first_register_wh is not None and _tells_start_better(fact, row):
        row = replace(
            row,
            meter_start_wh=fact.first_register_wh,
            meter_start_read_at=fact.first_read_at,
            start_rank=fact.rank,
        )
    if fact.last_register_wh is not None and (row.last_rank is None or fact.rank > row.last_rank):
        row = replace(row, meter_last_wh=fact.last_register_wh, last_rank=fact.rank)
    return row


def _tells_start_better(fact: TransactionFact, row: ChargingTransaction) -> bool:
    """A register said to be the one of the start is better than any that is not; else the earlier."""
    of_start, known_of_start = fact.first_read_at is None, row.meter_start_read_at is None
    if row.start_rank is None or of_start != known_of_start:
        return row.start_rank is None or of_start
    return fact.rank < row.start_rank


def _with_phase(row: ChargingTransaction, fact: TransactionFact) -> ChargingTransaction:
    if fact.phase is Phase.STARTED and not row.start_told:
        row = replace(row, started_at=fact.at, started_received_at=fact.received_at, start_told=True)
    elif not row.start_told and fact.at < row.started_at:
        row = replace(row, started_at=fact.at, started_received_at=fact.received_at)
    if fact.charging_state is not None and (row.state_rank is None or fact.rank >= row.state_rank):
        row = replace(row, state_rank=fact.rank, charging_state=fact.charging_state)
    if fact.phase is Phase.ENDED and (row.state is State.OPEN or row.presumed is not None):
        return replace(
            row,
            state=State.ENDED,
            presumed=None,
            stopped_at=fact.at,
            stopped_received_at=fact.received_at,
            stop_reason=fact.stop_reason,
            stop_register_told=fact.last_register_wh is not None,
        )
    return _resumed(row) if _contradicts(row, fact) else row


def _contradicts(row: ChargingTransaction, fact: TransactionFact) -> bool:
    """A charge that tells of a later instant had not ended there."""
    return row.presumed is not None and row.stopped_at is not None and fact.at > row.stopped_at


def _resumed(row: ChargingTransaction) -> ChargingTransaction:
    return replace(row, state=State.OPEN, presumed=None, stopped_at=None, stop_reason=None)


def judge(row: ChargingTransaction, *, max_power_w: float | None) -> ChargingTransaction:
    """Derive stop register, energy and doubts from what was told and settled; idempotent."""
    if row.state is State.OPEN:
        going = replace(row, meter_stop_wh=None, measured_wh=None)
        return _counted(going, [] if row.start_told else [Doubt.START_MISSING])
    two_readings = not _starts_unread(row) and (
        row.stop_register_told or (row.last_rank or 0) > (row.start_rank or 0)
    )
    stop_wh = row.meter_last_wh if two_readings or row.stop_register_told else None
    measured_wh: int | None = None
    if two_readings and stop_wh is not None and row.meter_start_wh is not None:
        measured_wh = stop_wh - row.meter_start_wh
    gone_back = (measured_wh or 0) < 0
    ended = replace(row, meter_stop_wh=stop_wh, measured_wh=None if gone_back else measured_wh)
    return _counted(ended, _doubts(ended, gone_back=gone_back, max_power_w=max_power_w))


def _starts_unread(row: ChargingTransaction) -> bool:
    """No register tells where the charge began: there is none, or it was read when energy may have flowed.

    Of a charge whose start was never told nothing else is known than its first reading (`START_MISSING`).
    """
    read_at = row.meter_start_read_at
    late = row.start_told and read_at is not None and read_at - row.started_at > NEAR_START
    return row.meter_start_wh is None or late


def _counted(row: ChargingTransaction, doubts: list[Doubt]) -> ChargingTransaction:
    """What counts is what was measured, unless a person settled something else."""
    if row.settled is None:
        return replace(row, energy_wh=row.measured_wh, review=",".join(doubts) or None)
    changed = row.state is State.OPEN or row.measured_wh != row.settled_from_wh
    return replace(
        row, energy_wh=row.settled_wh, review=Doubt.CHANGED_SINCE_SETTLED.value if changed else None
    )


def _doubts(row: ChargingTransaction, *, gone_back: bool, max_power_w: float | None) -> list[Doubt]:
    checks = (
        (Doubt.PRESUMED_END, row.presumed is not None),
        (Doubt.START_MISSING, not row.start_told),
        (Doubt.NO_START_READING, row.start_told and _starts_unread(row)),
        (Doubt.NO_STOP_READING, not row.stop_register_told),
        (Doubt.COUNTER_WENT_BACK, gone_back),
        (Doubt.NO_READINGS, row.measured_wh is None and not gone_back),
        (Doubt.IMPLAUSIBLE_ENERGY, _implausible(row, max_power_w)),
    )
    return [doubt for doubt, present in checks if present]


def _implausible(row: ChargingTransaction, max_power_w: float | None) -> bool:
    """More energy than power times time allows (the lifetime-counter trap: 7 783 kWh on one bill).

    The longer of the station's own duration and the server's is used: an offline station delivers the whole
    charge in one second of ours, a station whose clock was set in between in one second of its own.
    """
    if row.measured_wh is None or row.stopped_at is None:
        return False
    cap_wh = most_wh(row, max_power_w)
    return cap_wh is not None and row.measured_wh > cap_wh


def most_wh(row: ChargingTransaction, max_power_w: float | None) -> float | None:
    """The most an EVSE of this power can have delivered during the charge."""
    return None if max_power_w is None else max_power_w * POWER_MARGIN * lasted_h(row) + SLACK_WH


def lasted_h(row: ChargingTransaction) -> float:
    """Hours from start to end: the longer of the station's own time and the server's."""
    told = received = 0.0
    if row.stopped_at is not None:
        told = (row.stopped_at - row.started_at).total_seconds()
    if row.stopped_received_at is not None:
        received = (row.stopped_received_at - row.started_received_at).total_seconds()
    return max(told, received, 0.0) / 3600
