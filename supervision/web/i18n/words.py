"""Codes of the domain -> sentences: the only place where a code meets a language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from supervision.kernel.timespan import parse_instant
from supervision.web.i18n import N_, Translator

EVSE_STATUS = {
    "Available": N_("available"),
    "Occupied": N_("occupied"),
    "Preparing": N_("cable plugged"),
    "Charging": N_("charging"),
    "SuspendedEV": N_("paused by the car"),
    "SuspendedEVSE": N_("paused by the plan"),
    "Finishing": N_("finishing"),
    "Reserved": N_("reserved"),
    "Unavailable": N_("out of service"),
    "Faulted": N_("faulted"),
    "Unknown": N_("unknown"),
}
BOOKING_STATE = {
    "booked": N_("booked"),
    "active": N_("in progress"),
    "late": N_("late"),
    "completed": N_("returned"),
    "cancelled": N_("cancelled"),
    "no_show": N_("not taken"),
}
PAYMENT_STATE = {
    "due": N_("to pay"),
    "asked": N_("payment asked"),
    "paid": N_("paid"),
    "declined": N_("payment refused"),
    "cancelled": N_("cancelled"),
    "refund_due": N_("refund on its way"),
    "refunded": N_("refunded"),
    "refund_failed": N_("refund failed"),
    "none": N_("issued"),
}
COMMAND_STATE = {
    "queued": N_("waiting"),
    "answered": N_("answered"),
    "error": N_("refused by the charging station"),
    "timeout": N_("no answer in time"),
    "offline": N_("charging station offline"),
    "refused": N_("not sent"),
}
ALERTS = {
    "late": N_("%(vehicle)s is late by %(late_min)s"),
    "at_risk": N_("%(vehicle)s may not be charged in time"),
    "disobeys": N_("%(charging_station)s does not follow its limit"),
    "faulted": N_("%(charging_station)s reports a fault"),
    "offline": N_("%(charging_station)s is offline"),
    "undelivered": N_("Something could not be delivered"),
    "problem": N_("%(vehicle)s: %(text)s"),
}
ALERT_DETAILS = {
    "late": N_("driver %(driver)s, expected %(end_at)s, next booking %(next_at)s"),
    "at_risk": N_("short of %(shortfall_wh)s for the departure at %(departure_at)s"),
    "disobeys": N_("point %(evse_id)s draws more than its limit: its power is taken off the site's"),
    "faulted": N_("point %(evse_id)s: %(error)s"),
    "offline": N_("no message since %(since)s"),
    "undelivered": N_("%(consumer)s: %(error)s"),
    "problem": N_("reported by %(driver)s"),
}
ACTIONS = {
    "call": N_("Call %(name)s"),
    "messages": N_("See the messages"),
    "reset": N_("Restart"),
    "booking": N_("Open the booking"),
    "plan": N_("Why this charge?"),
}
DONE = {
    "booked": N_("It is booked."),
    "extended": N_("The booking is extended."),
    "cancelled": N_("The booking is cancelled."),
    "started": N_("Have a good trip!"),
    "returned": N_("Thank you, the booking is ended."),
    "reported": N_("Thank you, we have received your report."),
    "acknowledged": N_("You take care of this alert."),
    "closed": N_("The alert is closed."),
    "settled": N_("The charge is settled."),
}
# Doubts of csms.machine, and what the review adds to them.
DOUBTS = {
    "presumed_end": N_("Nobody told the end of this charge; it was presumed:"),
    "start_missing": N_("Its start was never told: only later messages came."),
    "no_start_reading": N_("The counter was not told at the start."),
    "no_stop_reading": N_("The counter was not told at the end: the last reading stands for it."),
    "no_readings": N_("Fewer than two readings of the counter: no energy can be told."),
    "counter_went_back": N_("The counter stood lower at the end than at the start."),
    "counter_reset": N_("The counter began anew during the charge."),
    "implausible_energy": N_("More energy than this point can deliver in the time."),
    "unit_doubtful": N_("A thousand times more or less than the measured power says: a wrong unit."),
    "unknown_token": N_("It was started with a badge that was not accepted."),
    "changed_since_settled": N_("A message came after this charge was settled and changes its energy."),
    "over_long": N_("Nothing was heard of this charge for two days, and it has not ended."),
}
GROUNDS = {
    "superseded": N_("the next charge began at the same point"),
    "idle": N_("the point has been free again since"),
    "never_started": N_("the point is free again and no energy flowed"),
    "gone": N_("the charging station has been away for two weeks"),
    "by_hand": N_("closed by a person"),
}
BASES = {
    "registers": N_("counter at the end less counter at the start"),
    "readings": N_("last reading less first reading"),
    "pieces": N_("what the counter rose by, piece by piece"),
    "unit": N_("the counter, in the unit that the measured power demands"),
}
SETTLED = {
    "accepted": N_("the energy proposed"),
    "entered": N_("another energy"),
    "none": N_("no energy"),
}
TOKEN_STATUS = {
    "Accepted": N_("accepted"),
    "Invalid": N_("unknown or not allowed"),
    "Blocked": N_("blocked"),
    "Expired": N_("expired"),
    "ConcurrentTx": N_("already charging elsewhere"),
}
PURPOSES = {
    "show": N_("shown"),
    "start": N_("start"),
    "stop": N_("stop"),
}
# Refusals of the domain packages (kernel.errors.Refused.code) and of the pages themselves.
REFUSALS = {
    "already_credited": N_("This invoice is already taken back."),
    "bad_credentials": N_("E-mail address or password is wrong."),
    "bad_energy": N_("Choose how to settle, and give the energy as a whole number of Wh."),
    "bad_time": N_("This is not a valid day or time."),
    "booking_over": N_("This booking ended at %(end_at)s."),
    "booking_unknown": N_("Nothing was found under this address."),
    "chain_too_long": N_("With your bookings before and after, more than %(max_duration_h)s in a row."),
    "charging_transaction_unknown": N_("Nothing was found under this address."),
    "community_unknown": N_("Nothing was found under this address."),
    "driver_unknown": N_("Nothing was found under this address."),
    "end_closed": N_("The station is closed from %(from)s to %(until)s: choose another end."),
    "ends_before_start": N_("The end must come after the start."),
    "energy_missing": N_("Give the energy in Wh."),
    "energy_out_of_range": N_("An energy from 0 to %(most_wh)s is wanted."),
    "in_the_past": N_("This time has passed."),
    "key_missing": N_("The key is not in the box yet."),
    "licence_category": N_("Your driving licence does not cover this car."),
    "licence_expires": N_("Your driving licence expires before the end of the booking (%(valid_until)s)."),
    "licence_missing": N_("Your driving licence is not recorded yet."),
    "no_car": N_("There is no car you may book."),
    "no_tariff": N_("This car has no price yet."),
    "no_proposal": N_("There is no proposal to accept for this charge."),
    "note_missing": N_("Say in a note where this energy comes from."),
    "nothing_to_review": N_("This charge has nothing to settle."),
    "not_a_driver": N_("You are not a driver of %(community)s."),
    "not_charging": N_(
        "The charging station sees no charge yet. Check the cable, or use the other way below."
    ),
    "not_found": N_("Nothing was found under this address."),
    "not_longer": N_("The new end must come after %(end_at)s."),
    "not_plugged": N_("The cable is not plugged in yet."),
    "not_shorter": N_("The new end must come before %(end_at)s."),
    "not_yours": N_("This booking belongs to somebody else."),
    "odometer_went_back": N_("The odometer cannot run backwards: it read %(start_km)s."),
    "off_grid": N_("Times go in steps of %(grid_min)s."),
    "offline": N_("The charging station is offline."),
    "overlap": N_("This car is already taken at that time."),
    "payment_in_progress": N_("The card is being asked: try again in a few minutes."),
    "proposal_changed": N_("The proposal has changed meanwhile: it is %(energy_wh)s now."),
    "start_closed": N_("The station is closed from %(from)s to %(until)s: choose another start."),
    "still_charging": N_("This charge is still running."),
    "too_early_to_start": N_("You can take the car from %(from)s on."),
    "too_far_ahead": N_("Bookings open %(horizon_days)s days ahead."),
    "too_late_to_book": N_("Too late for this start: the first one possible is %(earliest)s."),
    "too_long": N_("A booking lasts at most %(max_duration_h)s in a row."),
    "too_many_attempts": N_("Too many attempts. Try again in %(minutes)s minutes."),
    "too_many_upcoming": N_("%(max_upcoming)s upcoming bookings at most: end or cancel one first."),
    "too_short": N_("A booking lasts at least %(min_duration_min)s."),
    "vehicle_not_back": N_("The car is not back yet from the booking before yours."),
    "vehicle_unknown": N_("There is no such car here."),
    "vehicle_withdrawn": N_("This car is out of service then."),
    "wrong_state": N_("This is no longer possible: the booking is %(status)s."),
}
# Codes of charging.reasons: why a window is served as it is.
REASONS = {
    "over": N_("the car was unplugged at %(until)s"),
    "nothing_needed": N_("no energy is needed before %(until)s"),
    "met": N_("the cheapest time before %(until)s"),
    "met_now": N_("the time until %(until)s leaves no choice of hours"),
    "battery_full": N_("the battery takes no more than %(max_wh)s"),
    "below_minimum_current": N_("the site leaves %(free_a)s, less than this car can use (%(min_a)s)"),
    "too_short": N_("even alone, only %(possible_wh)s fit before %(until)s"),
    "site_limit": N_("limit of the site, shared with the other cars"),
}


@dataclass(frozen=True)
class Words:
    """Sentences for codes in one language; an unknown code is shown as it is, never hidden."""

    words: Translator

    def evse_status(self, code: str) -> str:
        """State of a charging point."""
        return self._of(EVSE_STATUS, code)

    def booking_state(self, code: str) -> str:
        """State of a booking."""
        return self._of(BOOKING_STATE, code)

    def payment_state(self, code: str) -> str:
        """State of the payment of an invoice."""
        return self._of(PAYMENT_STATE, code)

    def command_state(self, code: str) -> str:
        """What became of a command."""
        return self._of(COMMAND_STATE, code)

    def doubt(self, code: str) -> str:
        """Why a person must look at a charge."""
        return self._of(DOUBTS, code)

    def ground(self, code: str) -> str:
        """Why a charge is taken for ended."""
        return self._of(GROUNDS, code)

    def basis(self, code: str) -> str:
        """What a proposed energy rests on."""
        return self._of(BASES, code)

    def settled(self, code: str) -> str:
        """How a person settled a charge."""
        return self._of(SETTLED, code)

    def token_status(self, code: str) -> str:
        """The answer to a badge."""
        return self._of(TOKEN_STATUS, code)

    def purpose(self, code: str) -> str:
        """What a badge was shown for."""
        return self._of(PURPOSES, code)

    def reason(self, code: str, params: Mapping[str, object], now: datetime) -> str:
        """Why a charging window is served as it is."""
        return self._of(REASONS, code, params, now)

    def alert(self, code: str, params: Mapping[str, object], now: datetime) -> str:
        """The alert in one line."""
        return self._of(ALERTS, code, params, now)

    def alert_detail(self, code: str, params: Mapping[str, object], now: datetime) -> str:
        """The circumstances of an alert."""
        return self._of(ALERT_DETAILS, code, params, now)

    def action(self, code: str, params: Mapping[str, object]) -> str:
        """The text of an alert's button."""
        return self._of(ACTIONS, code, params)

    def refusal(self, code: str, params: Mapping[str, object], now: datetime | None = None) -> str:
        """Why something was refused."""
        return self._of(REFUSALS, code, params, now)

    def _of(
        self,
        table: Mapping[str, str],
        code: str,
        params: Mapping[str, object] | None = None,
        now: datetime | None = None,
    ) -> str:
        message = table.get(code)
        if message is None:
            return code.replace("_", " ")
        shown = {name: self.shown(name, value, now) for name, value in (params or {}).items()}
        return self.words.sentence(message, _Missing(shown))

    def shown(self, name: str, value: object, now: datetime | None) -> str:
        """Write a value as its type or the unit at the end of its name (`limit_w`, `late_min`) demands."""
        if value is None:
            return "–"
        if name == "status":
            return self.booking_state(str(value))
        if isinstance(value, str):
            value = _instant_or_text(value, now)
        if isinstance(value, datetime):
            return self.words.near(value, now) if now else self.words.moment(value)
        if isinstance(value, timedelta):
            return self.words.duration(value)
        if isinstance(value, int | float | Fraction):
            return self._quantity(name, float(value))
        return str(value)

    def _quantity(self, name: str, value: float) -> str:
        unit = name.rpartition("_")[2]
        write = self._units().get(unit)
        return write(value) if write else self.words.number(value)

    def _units(self) -> Mapping[str, Callable[[float], str]]:
        words = self.words
        return {
            "w": words.kw,
            "wh": words.kwh,
            "a": words.amps,
            "cents": lambda value: words.euros(round(value)),
            "percent": words.percent,
            "km": lambda value: f"{words.number(value)} km",
            "s": lambda value: f"{words.number(value)} s",
            "min": lambda value: words.duration(timedelta(minutes=value)),
            "h": lambda value: words.duration(timedelta(hours=value)),
        }


def _instant_or_text(text: str, now: datetime | None) -> object:
    """Domain packages write instants as RFC 3339 text; they are shown on the reader's clock."""
    if len(text) < len("2026-11-21T18:00Z") or "T" not in text:
        return text
    try:
        at = parse_instant(text)
    except ValueError:
        return text
    return at if now is None or now.tzinfo is None else at.astimezone(now.tzinfo)


class _Missing(dict[str, str]):
    """A parameter nobody gave is shown as a dash: a sentence about a refusal must never fail."""

    def __missing__(self, key: str) -> str:
        return "–"
