"""Codes of the domain -> sentences: the only place where a code meets a language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

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
    "planned": N_("to pay"),
    "asked": N_("payment asked"),
    "paid": N_("paid"),
    "declined": N_("payment refused"),
    "refunded": N_("refunded"),
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
    "departure_at_risk": N_("%(vehicle)s may not be charged in time"),
    "not_following": N_("%(charging_station)s does not follow its limit"),
    "faulted": N_("%(charging_station)s reports a fault"),
    "offline": N_("%(charging_station)s is offline"),
    "problem": N_("%(vehicle)s: %(text)s"),
    "delivery": N_("A message could not be delivered"),
    "not_plugged": N_("%(vehicle)s came back without charging"),
}
ALERT_DETAILS = {
    "late": N_("driver %(driver)s, expected %(expected_at)s, next booking %(next_at)s"),
    "departure_at_risk": N_("short of %(shortfall_wh)s for the departure at %(departure_at)s"),
    "not_following": N_("limit %(limit_a)s, measured %(measured_a)s: its power is taken off the site's"),
    "faulted": N_("point %(evse)s: %(error)s"),
    "offline": N_("no message since %(since_at)s"),
    "problem": N_("reported by %(driver)s"),
    "delivery": N_("to %(recipient)s after %(attempts)s attempts"),
    "not_plugged": N_("returned by %(driver)s without a charge seen by the charging station"),
}
ACTIONS = {
    "call": N_("Call %(name)s"),
    "messages": N_("See the messages"),
    "reset": N_("Restart"),
    "booking": N_("Open the booking"),
    "plan": N_("Why this charge?"),
    "station": N_("Open the station"),
}
# Refusals of the domain packages (kernel.errors.Refused.code) and of the pages themselves.
REFUSALS = {
    "overlap": N_("This car is already taken at that time."),
    "overlap_with_next": N_("This car is already taken at that time. Next free time: %(next_at)s."),
    "too_short": N_("A booking lasts at least %(min_duration_min)s."),
    "too_long": N_("A booking lasts at most %(max_duration_h)s in a row."),
    "too_far": N_("Bookings open %(horizon_days)s days ahead."),
    "too_late": N_("The start must lie at least %(lead_min)s ahead."),
    "in_the_past": N_("This time has passed."),
    "closed": N_("The station is closed from %(from)s to %(to)s: choose another start or end."),
    "too_many": N_("%(max_upcoming)s upcoming bookings at most: end or cancel one first."),
    "licence_expires": N_("Your driving licence expires before the end of the booking."),
    "licence_missing": N_("Your driving licence is not recorded yet."),
    "not_yours": N_("This booking belongs to somebody else."),
    "not_found": N_("Nothing was found under this address."),
    "wrong_state": N_("This is no longer possible: the booking is %(state)s."),
    "not_started": N_("The car was not taken yet."),
    "not_charging": N_(
        "The charging station sees no charge yet. Check the cable, or use the other way below."
    ),
    "bad_time": N_("This is not a valid day or time."),
    "end_before_start": N_("The end must come after the start."),
    "bad_credentials": N_("E-mail address or password is wrong."),
    "too_many_attempts": N_("Too many attempts. Try again in %(wait_s)s."),
    "form_expired": N_("This form was open for too long. Please try again."),
    "offline": N_("The charging station is offline."),
    "not_allowed": N_("You may not do this."),
    "payment_refused": N_("Your last payment was refused: settle it before booking again."),
    "odometer_backwards": N_("The odometer cannot run backwards: it read %(last_km)s."),
}
# Codes of charging.reasons: why a window is served as it is.
REASONS = {
    "over": N_("the car was unplugged at %(until_at)s"),
    "nothing_needed": N_("no energy is needed before %(until_at)s"),
    "met": N_("the cheapest time before %(until_at)s"),
    "met_now": N_("the time until %(until_at)s leaves no choice of hours"),
    "battery_full": N_("the battery takes no more than %(max_wh)s"),
    "below_minimum_current": N_("the site leaves %(free_a)s, less than this car can use (%(min_a)s)"),
    "too_short": N_("even alone, only %(possible_wh)s fit before %(until_at)s"),
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
        if name == "state":
            return self.booking_state(str(value))
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


class _Missing(dict[str, str]):
    """A parameter nobody gave is shown as a dash: a sentence about a refusal must never fail."""

    def __missing__(self, key: str) -> str:
        return "–"
