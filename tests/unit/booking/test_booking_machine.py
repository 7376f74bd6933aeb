"""Random lives of many bookings of two cars and three drivers, over the autumn DST night.

Whatever order things happen in, no car is promised twice, the buffer stays, nobody holds more than three
bookings, 72 hours or a closed start, and every stored state is one the machine knows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from supervision.accounts.model import Identity
from supervision.booking.model import (
    HOLDING,
    Booking,
    BookingRequest,
    BookingStatus,
    Calendar,
    ReturnEvidence,
)
from supervision.booking.rules import (
    Accepted,
    Decision,
    Situation,
    decide_booking,
    decide_cancel,
    decide_extend,
    decide_give_back,
    decide_late,
    decide_no_show,
    decide_shorten,
    decide_start,
)
from supervision.booking.search import latest_end
from supervision.booking.timing import closure_at
from supervision.kernel.timespan import Timespan
from tests.unit.booking.cases import CAR, DRIVER, community

START = datetime(2026, 10, 24, 4, 0, tzinfo=UTC)
COMMUNITY = community()
CARS = {name: replace(CAR, id=name) for name in ("car-1", "car-2")}
DRIVERS = {name: replace(DRIVER, id=name) for name in ("d1", "d2", "d3")}
BUFFER = timedelta(minutes=30)
STEP = timedelta(minutes=15)

steps = st.integers(min_value=-4, max_value=4 * 80)
lengths = st.integers(min_value=1, max_value=4 * 74)
picks = st.integers(min_value=0, max_value=50)


class Fleet(RuleBasedStateMachine):
    """Every rule asks the pure decision and keeps what it accepts."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.bookings: dict[str, Booking] = {}

    @initialize()
    def begin(self) -> None:
        self.now = START

    @rule(
        car=st.sampled_from(sorted(CARS)),
        driver=st.sampled_from(sorted(DRIVERS)),
        start=steps,
        length=lengths,
    )
    def book(self, car: str, driver: str, start: int, length: int) -> None:
        start_at = self._grid() + STEP * start
        request = BookingRequest(
            vehicle_id=car, driver_id=driver, start_at=start_at, end_at=start_at + STEP * length
        )
        by = Identity(person=DRIVERS[driver])
        name = f"b{len(self.bookings)}"
        self._keep(
            decide_booking(request, self._situation(car, driver), asked_by=by, booking_id=name, now=self.now)
        )

    @precondition(lambda self: self.bookings)
    @rule(pick=picks, steps=steps)
    def extend(self, pick: int, steps: int) -> None:
        self._move(pick, lambda b, s: decide_extend(b, b.end_at + STEP * steps, s, by=_by(b), now=self.now))

    @precondition(lambda self: self.bookings)
    @rule(pick=picks)
    def extend_as_far_as_offered(self, pick: int) -> None:
        booking = self._pick(pick)
        situation = self._situation(booking.vehicle_id, booking.driver_id)
        end = latest_end(booking, situation, now=self.now)
        if end is not None:
            decision = decide_extend(booking, end, situation, by=_by(booking), now=self.now)
            assert isinstance(decision, Accepted)
            self._keep(decision)

    @precondition(lambda self: self.bookings)
    @rule(pick=picks, steps=lengths)
    def shorten(self, pick: int, steps: int) -> None:
        self._move(pick, lambda b, s: decide_shorten(b, b.end_at - STEP * steps, s, by=_by(b), now=self.now))

    @precondition(lambda self: self.bookings)
    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        self._move(pick, lambda b, _: decide_cancel(b, by=_by(b), now=self.now))

    @precondition(lambda self: self.bookings)
    @rule(pick=picks)
    def start(self, pick: int) -> None:
        self._move(pick, lambda b, s: decide_start(b, s, by=_by(b), now=self.now))

    @precondition(lambda self: self.bookings)
    @rule(pick=picks)
    def give_back(self, pick: int) -> None:
        self._move(
            pick, lambda b, _: decide_give_back(b, ReturnEvidence(), COMMUNITY, by=_by(b), now=self.now)
        )

    @rule(steps=st.integers(min_value=1, max_value=40))
    def time_passes(self, steps: int) -> None:
        """Sweeps run often: at each quarter of an hour, and none may be needed twice."""
        for _ in range(steps):
            self.now += STEP
            for booking in list(self.bookings.values()):
                for decision in (
                    decide_no_show(booking, COMMUNITY, now=self.now),
                    decide_late(booking, now=self.now),
                ):
                    if decision is not None:
                        self._keep(decision)

    @invariant()
    def no_car_is_promised_twice_and_the_buffer_stays(self) -> None:
        for car in CARS:
            holding = [b for b in self.bookings.values() if b.vehicle_id == car and b.status in HOLDING]
            for one, other in combinations(holding, 2):
                held = [Timespan(b.start_at, b.end_at + BUFFER) for b in (one, other)]
                assert not held[0].overlaps(held[1]), (one, other)

    @invariant()
    def stored_hold_is_the_end_and_the_buffer(self) -> None:
        for booking in self.bookings.values():
            assert booking.blocked_until >= booking.end_at + BUFFER

    @invariant()
    def nobody_holds_more_than_three(self) -> None:
        for driver in DRIVERS:
            held = [b for b in self.bookings.values() if b.driver_id == driver and b.status in HOLDING]
            assert len(held) <= 3

    @invariant()
    def durations_and_hours_hold(self) -> None:
        for booking in self.bookings.values():
            assert timedelta(minutes=30) <= booking.end_at - booking.start_at <= timedelta(hours=72)
            assert closure_at(booking.start_at, COMMUNITY) is None
            assert closure_at(booking.end_at, COMMUNITY, ending=True) is None

    @invariant()
    def one_driver_at_a_time_has_a_car(self) -> None:
        for car in CARS:
            out = [
                b for b in self.bookings.values() if b.vehicle_id == car and b.status is BookingStatus.ACTIVE
            ]
            assert len(out) <= 1

    def _move(self, pick: int, decide: Callable[[Booking, Situation], Decision]) -> None:
        booking = self._pick(pick)
        decision = decide(booking, self._situation(booking.vehicle_id, booking.driver_id))
        again = decide(booking, self._situation(booking.vehicle_id, booking.driver_id))
        assert decision == again  # deciding changes nothing
        self._keep(decision)

    def _keep(self, decision: Decision) -> None:
        if isinstance(decision, Accepted):
            before = self.bookings.get(decision.booking.id)
            assert before is None or decision.booking.version == before.version + bool(decision.events)
            self.bookings[decision.booking.id] = decision.booking

    def _pick(self, pick: int) -> Booking:
        names = sorted(self.bookings)
        return self.bookings[names[pick % len(names)]]

    def _situation(self, car: str, driver: str) -> Situation:
        mine = [b for b in self.bookings.values() if b.driver_id == driver and b.status in HOLDING]
        of_car = sorted(
            (b for b in self.bookings.values() if b.vehicle_id == car), key=lambda b: (b.start_at, b.id)
        )
        return Situation(
            community=COMMUNITY,
            driver=DRIVERS[driver],
            vehicle=CARS[car],
            calendar=Calendar(bookings=tuple(of_car)),
            upcoming=len(mine),
        )

    def _grid(self) -> datetime:
        return self.now.replace(minute=self.now.minute // 15 * 15)


def _by(booking: Booking) -> Identity:
    return Identity(person=DRIVERS[booking.driver_id])


TestFleet = Fleet.TestCase
TestFleet.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
