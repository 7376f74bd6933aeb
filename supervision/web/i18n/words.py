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
    "sent": N_("sent"),
    "answered": N_("answered"),
    "error": N_("refused by the charging station"),
    "timeout": N_("no answer in time"),
    "offline": N_("charging station offline"),
    "refused": N_("not sent"),
    "cancelled": N_("called off"),
}
# csms.judgement: what an answer means; of "pending", what will show the effect.
VERDICTS = {
    "done": N_("carried out"),
    "refused": N_("not carried out"),
    "partly": N_("done in part"),
    "pending": N_("accepted, not done yet"),
    "charge_start": N_("accepted, waiting for the charge to start"),
    "charge_end": N_("accepted, takes effect when the charge ends"),
    "restart": N_("accepted, waiting for the restart"),
    "message": N_("accepted, waiting for the message"),
    "report": N_("accepted, waiting for the report"),
    "upload": N_("accepted, waiting for the file"),
    "firmware": N_("accepted, waiting for the update"),
    "queued_messages": N_("answered, but messages still wait in the charging station"),
}
STATUS_WORDS = {
    "Accepted": N_("accepted"),
    "AcceptedCanceled": N_("accepted, the one before was given up"),
    "DownloadOngoing": N_("a download is under way"),
    "Duplicate": N_("exists already"),
    "EmptyResultSet": N_("nothing to report"),
    "Failed": N_("failed"),
    "Faulted": N_("faulted"),
    "Invalid": N_("invalid"),
    "InvalidCertificate": N_("the certificate is not valid"),
    "NoAnswer": N_("no answer to this"),
    "NoFile": N_("no file"),
    "NoFirmware": N_("no such update"),
    "NoProfiles": N_("no charging profile"),
    "NoValue": N_("no value given"),
    "NotFound": N_("not found"),
    "NotImplemented": N_("not known to this charging station"),
    "NotSupported": N_("not supported"),
    "NotSupportedAttributeType": N_("kind of value not supported"),
    "NotSupportedMessageFormat": N_("text format not supported"),
    "NotSupportedPriority": N_("priority not supported"),
    "NotSupportedState": N_("state not supported"),
    "Occupied": N_("occupied"),
    "OngoingAuthorizedTransaction": N_("a charge is in progress"),
    "RebootRequired": N_("takes effect after a restart"),
    "Rejected": N_("rejected"),
    "RevokedCertificate": N_("the certificate was revoked"),
    "Scheduled": N_("planned for later"),
    "Unavailable": N_("out of service"),
    "Unknown": N_("not found"),
    "UnknownComponent": N_("no such part"),
    "UnknownConnector": N_("no such plug"),
    "UnknownMessageId": N_("message not known"),
    "UnknownTransaction": N_("no such charge"),
    "UnknownVariable": N_("no such setting"),
    "UnknownVendorId": N_("maker not known"),
    "Unlocked": N_("unlocked"),
    "UnlockFailed": N_("could not be unlocked"),
    "Unpublished": N_("withdrawn"),
    "UnsupportedMonitorType": N_("kind of monitor not supported"),
    "VersionMismatch": N_("another version of the list"),
}
ERRANDS = {
    "firmware": N_("firmware update"),
    "firmware_publication": N_("firmware for other charging stations"),
    "diagnostics": N_("diagnostics"),
    "log": N_("log"),
    "report": N_("settings and values"),
    "monitoring_report": N_("monitors"),
    "charging_profiles": N_("charging profiles"),
    "customer_information": N_("what it knows of a person"),
    "display_messages": N_("texts on the display"),
}
ERRAND_STATE = {
    "under_way": N_("under way"),
    "waiting": N_("put off by the charging station"),
    "done": N_("done"),
    "failed": N_("failed"),
    "cancelled": N_("cancelled"),
    "refused": N_("refused by the charging station"),
}
HOLD_STATE = {
    "held": N_("held"),
    "used": N_("used"),
    "expired": N_("ran out"),
    "removed": N_("given up by the charging station"),
    "cancelled": N_("cancelled"),
}
FILES = {
    "firmware": N_("firmware"),
    "diagnostics": N_("diagnostics"),
    "security_log": N_("security log"),
}
ALERTS = {
    "late": N_("%(vehicle)s is late by %(late_min)s"),
    "at_risk": N_("%(vehicle)s may not be charged in time"),
    "disobeys": N_("%(charging_station)s does not follow its limit"),
    "faulted": N_("%(charging_station)s reports a fault"),
    "offline": N_("%(charging_station)s is offline"),
    "undelivered": N_("Something could not be delivered"),
    "problem": N_("%(vehicle)s: %(text)s"),
    "security": N_("Security event on %(charging_station)s: %(about)s"),
    "monitoring": N_("%(charging_station)s reports a problem: %(about)s"),
}
ALERT_DETAILS = {
    "late": N_("driver %(driver)s, expected %(end_at)s, next booking %(next_at)s"),
    "at_risk": N_("short of %(shortfall_wh)s for the departure at %(departure_at)s"),
    "disobeys": N_("point %(evse_id)s draws more than its limit: its power is taken off the site's"),
    "faulted": N_("point %(evse_id)s: %(error)s"),
    "offline": N_("no message since %(since)s"),
    "undelivered": N_("%(consumer)s: %(error)s"),
    "problem": N_("reported by %(driver)s"),
    "security": N_("its details are on the charging station's page; close this line once you have looked"),
    "monitoring": N_("told by a monitor of the charging station"),
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
    "log_asked": N_("The charging station has been asked: its log will appear here."),
    "firmware_added": N_("The firmware is here: choose the charging stations."),
    "acknowledged": N_("You take care of this alert."),
    "closed": N_("The alert is closed."),
    "called_off": N_("What was not sent is called off."),
}
# Refusals of the domain packages (kernel.errors.Refused.code) and of the pages themselves.
REFUSALS = {
    "already_ended": N_("This command has ended already."),
    "already_sent": N_("This command is on its way: it cannot be called off any more."),
    "already_credited": N_("This invoice is already taken back."),
    "bad_credentials": N_("E-mail address or password is wrong."),
    "bad_time": N_("This is not a valid day or time."),
    "booking_over": N_("This booking ended at %(end_at)s."),
    "booking_unknown": N_("Nothing was found under this address."),
    "chain_too_long": N_("With your bookings before and after, more than %(max_duration_h)s in a row."),
    "community_unknown": N_("Nothing was found under this address."),
    "driver_unknown": N_("Nothing was found under this address."),
    "end_closed": N_("The station is closed from %(from)s to %(until)s: choose another end."),
    "ends_before_start": N_("The end must come after the start."),
    "file_missing": N_("Choose a file first."),
    "file_too_large": N_("The file is too large."),
    "never_connected": N_("This charging station has never connected: its version is not known yet."),
    "unknown_file": N_("This firmware is not here, or not whole."),
    "in_the_past": N_("This time has passed."),
    "key_missing": N_("The key is not in the box yet."),
    "licence_category": N_("Your driving licence does not cover this car."),
    "licence_expires": N_("Your driving licence expires before the end of the booking (%(valid_until)s)."),
    "licence_missing": N_("Your driving licence is not recorded yet."),
    "no_car": N_("There is no car you may book."),
    "no_charging_station": N_("No charging station fits this choice."),
    "no_tariff": N_("This car has no price yet."),
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
    "start_closed": N_("The station is closed from %(from)s to %(until)s: choose another start."),
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
    "wrong_field": N_("This field cannot be used as it is: %(field)s."),
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

    def verdict(self, kind: str, awaits: str) -> str:
        """What the answer to a command means."""
        return self._of(VERDICTS, awaits or kind)

    def status_word(self, word: str) -> str:
        """A status of the standard in plain words; codes of errors stay as they are."""
        return self._of(STATUS_WORDS, word)

    def errand(self, code: str) -> str:
        """What a charging station is busy with."""
        return self._of(ERRANDS, code)

    def errand_state(self, code: str) -> str:
        """Where that stands."""
        return self._of(ERRAND_STATE, code)

    def hold_state(self, code: str) -> str:
        """What became of a charging point held for a badge."""
        return self._of(HOLD_STATE, code)

    def file_kind(self, code: str) -> str:
        """What a file is."""
        return self._of(FILES, code)

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
