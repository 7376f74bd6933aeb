"""A charge told in any order, with repetitions and losses, is what the same facts tell in their order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from supervision.csms.machine import ChargingTransaction, Doubt, State, apply, fold
from supervision.csms.model import RANK_OF_STOP, Phase, TransactionFact

START = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
POWER_W = 22_000.0


def fact(phase: Phase, number: int, register_wh: int | None) -> TransactionFact:
    """The message of a minute; the end tells the last register alone, as a single reading does."""
    at = START + timedelta(minutes=number)
    return TransactionFact(
        phase=phase,
        rank=RANK_OF_STOP if phase is Phase.ENDED else number,
        at=at,
        received_at=at,
        evse_id=1,
        id_token="04A1" if phase is Phase.STARTED else None,
        first_register_wh=None if phase is Phase.ENDED else register_wh,
        first_read_at=at if phase is Phase.UPDATED else None,
        last_register_wh=register_wh,
        stop_reason="Local" if phase is Phase.ENDED else None,
        charging_state="Charging" if phase is Phase.UPDATED else None,
    )


class Charge(RuleBasedStateMachine):
    """Delivers the messages of one random charge; some never arrive."""

    @initialize(
        registers=st.lists(st.none() | st.integers(0, 100_000), min_size=2, max_size=7),
    )
    def happens(self, registers: list[int | None]) -> None:
        """The registers may be missing, jump and go back: meters do."""
        last = len(registers) - 1
        phases = [Phase.STARTED, *[Phase.UPDATED] * (last - 1), Phase.ENDED]
        self.facts = [
            fact(phase, number, register)
            for number, (phase, register) in enumerate(zip(phases, registers, strict=True))
        ]
        self.delivered: set[int] = set()
        self.row: ChargingTransaction | None = None

    @rule(data=st.data())
    def arrives(self, data: st.DataObject) -> None:
        """Any message, perhaps again."""
        number = data.draw(st.integers(0, len(self.facts) - 1))
        self.delivered.add(number)
        self.row = apply(self.row, self.facts[number], max_power_w=POWER_W)

    @rule()
    @precondition(lambda self: self.row is not None)
    def everything_comes_again(self) -> None:
        """An offline queue sent twice."""
        before = self.row
        for number in sorted(self.delivered):
            self.row = apply(self.row, self.facts[number], max_power_w=POWER_W)
        assert self.row == before

    def told(self) -> list[TransactionFact]:
        return [self.facts[number] for number in sorted(self.delivered)]

    @invariant()
    def order_and_repetition_change_nothing(self) -> None:
        assert self.row == fold(self.told(), max_power_w=POWER_W)

    @invariant()
    def energy_is_stop_minus_start_and_never_below_zero(self) -> None:
        if self.row is None or self.row.energy_wh is None:
            return
        assert self.row.state is State.ENDED
        assert self.row.meter_start_wh is not None
        assert self.row.meter_stop_wh is not None
        assert self.row.energy_wh == self.row.meter_stop_wh - self.row.meter_start_wh >= 0

    @invariant()
    def state_is_ended_exactly_when_the_end_was_told(self) -> None:
        if self.row is not None:
            ended = any(one.phase is Phase.ENDED for one in self.told())
            assert self.row.state is (State.ENDED if ended else State.OPEN)

    @invariant()
    def review_names_the_doubt(self) -> None:
        """Of an ended charge: what was not told, what went back, what no charger delivers."""
        if self.row is None or self.row.state is State.OPEN:
            return
        doubts = set((self.row.review or "").split(","))
        phases = {one.phase: one for one in self.told()}
        assert (Doubt.START_MISSING in doubts) == (Phase.STARTED not in phases)
        assert (Doubt.NO_STOP_READING in doubts) == (phases[Phase.ENDED].last_register_wh is None)
        assert (Doubt.NO_START_READING in doubts) == (Phase.STARTED in phases and self.starts_unread())
        readings = [one.last_register_wh for one in self.told() if one.last_register_wh is not None]
        if len(readings) < 2 or Doubt.NO_START_READING in doubts:
            assert self.row.energy_wh is None
            assert Doubt.NO_READINGS in doubts
        elif readings[-1] < readings[0]:
            assert self.row.energy_wh is None
            assert Doubt.COUNTER_WENT_BACK in doubts
        else:
            assert self.row.energy_wh == readings[-1] - readings[0]
            cap_wh = POWER_W * 1.1 * self.minutes() / 60 + 100
            assert (Doubt.IMPLAUSIBLE_ENERGY in doubts) == (self.row.energy_wh > cap_wh)

    def starts_unread(self) -> bool:
        """No reading but that of the end, or the first one more than a minute after the start."""
        first = [one.at for one in self.told() if one.first_register_wh is not None]
        return not first or first[0] - START > timedelta(minutes=1)

    def minutes(self) -> float:
        assert self.row is not None
        assert self.row.stopped_at is not None
        return (self.row.stopped_at - self.row.started_at).total_seconds() / 60


Charge.TestCase.settings = settings(max_examples=60, stateful_step_count=12)
TestCharge = Charge.TestCase
