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
LOCAL_LIST_STATE = {
    "waiting": N_("waits for the charging station"),
    "sending": N_("being sent"),
    "in_sync": N_("in sync"),
    "refused": N_("refused, tried again later"),
    "not_supported": N_("not supported"),
}
CONFIGURATION_STATE = {
    "waiting": N_("not looked at yet"),
    "in_sync": N_("as wished for"),
    "drift": N_("differs"),
    "reboot_required": N_("needs a restart"),
}
# Reasons of the settings we advise; an operator's own reasons are shown as they were written.
SETTING_REASONS = frozenset(
    {
        N_("Whether a station follows its limit is seen within a minute or two"),
        N_("Energy for the bill, power and current for the plan, state of charge where the car tells it"),
        N_("No energy without a reading at the start"),
        N_("No energy without a reading at the end"),
        N_("A register every quarter of an hour bounds a charge whose end was lost"),
        N_("The register is enough for that"),
        N_("Who may charge was decided before the remote start was sent"),
        N_("A charge that is answered Invalid must end"),
        N_("A charge ends with the cable, so that the next driver starts his own"),
        N_("Staff can charge a car while the line is down"),
        N_("While the line is up we decide: a booking may have ended a minute ago"),
        N_("A badge that nobody knows does not charge for free while the line is down"),
        N_("A driver's badge is good during his booking only; a remembered answer would go on"),
        N_("The list of badges that need no booking is kept in sync by itself"),
        N_("Two minutes to plug in after a badge, then the point is free again"),
        N_("A station throws a charge away after its last attempt"),
        N_("Mobile networks forget a silent connection after a few minutes"),
        N_("Badges of the master pass group stop any charge, also while the line is down"),
    }
)
SETTING_STATE = {
    "ok": N_("as wished for"),
    "differs": N_("differs"),
    "unknown": N_("not known to this model"),
    "read_only": N_("cannot be changed"),
    "refused": N_("refused"),
    "ignored": N_("accepted, but not kept"),
    "partly": N_("taken in part"),
    "reboot_required": N_("needs a restart"),
}
BOOT_POLICY = {
    "accept": N_("accepted at once"),
    "pending": N_("held until its settings are as wished for"),
    "reject": N_("rejected"),
}
REGISTRATION = {
    "Pending": N_("Held since its last start: its settings are not as wished for yet."),
    "Rejected": N_("Rejected at its last start: it may not charge."),
}
PROBE_STEP = {
    "features": N_("asks what it can do"),
    "measurands": N_("asks for a meter reading"),
    "clock": N_("looks at its clock"),
    "car": N_("waits for a car that charges: plug one in and start a charge"),
    "low": N_("limits the car to 6 A"),
    "high": N_("lets the car take all it may"),
    "pause": N_("pauses the car"),
    "wake": N_("wakes the car"),
    "clear": N_("takes its limit back"),
}
# (finding, word) -> what it means for the operator; other words are shown as they are.
FINDINGS = {
    "triggers.yes": N_("It sends a message when asked for one."),
    "triggers.no": N_("It does not send messages when asked: readings come at its own pace."),
    "clock.yes": N_("Its clock is right."),
    "clock.no": N_("Its clock is wrong: times of charges are checked against ours."),
    "clock.unknown": N_("Its clock could not be read."),
    "car.yes": N_("A car was charging during the probe."),
    "car.no": N_("No car came: limits, pause and wake were not tried."),
    "obeys_low.yes": N_("It keeps a limit of 6 A."),
    "obeys_low.no": N_(
        "It does not keep a limit of 6 A: plans take it for a charger that cannot be steered."
    ),
    "obeys_low.unknown": N_("Whether it keeps a limit of 6 A could not be seen."),
    "obeys_high.yes": N_("It gives more when it may."),
    "obeys_high.no": N_("It gives more than its limit: plans take it for a charger that cannot be steered."),
    "obeys_high.unknown": N_(
        "Whether it gives more when it may could not be seen: the car may want no more."
    ),
    "pauses.yes": N_("It pauses a charge at 0 A."),
    "pauses.no": N_("It does not pause a charge at 0 A."),
    "pauses.unknown": N_("Whether it pauses could not be seen."),
    "wakes.yes": N_("The car woke up after the pause."),
    "wakes.no": N_("The car did not wake up after the pause."),
    "wakes.unknown": N_("Whether the car wakes up could not be seen."),
    "meter.ok": N_("Its meter counts forwards and fits its power."),
    "meter.missing": N_("Its meter told no counter: nothing can be billed by energy."),
    "meter.went_back": N_("Its meter counted backwards: check bills by hand."),
    "meter.implausible": N_("Its meter does not fit its power: check its unit."),
    "features": N_("Features: %(text)s"),
    "measurands": N_("Its meter tells: %(text)s"),
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
    "certificate_ends": N_("The certificate of %(charging_station)s ends soon"),
    "certificate_refused": N_("%(charging_station)s has no new certificate"),
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
    "certificate_ends": N_("at %(until)s: renew it on the page of the charging station, under Security"),
    "certificate_refused": N_("the page of the charging station says why, under Security"),
}
CERTIFICATE_STATE = {
    "requested": N_("asked for"),
    "refused": N_("not signed"),
    "issued": N_("signed, on its way"),
    "installed": N_("installed"),
    "rejected": N_("not taken by the charging station"),
    "revoked": N_("taken back"),
}
CERTIFICATE_REASON = {
    "csr_unreadable": N_("the request cannot be read"),
    "csr_signature": N_("the request is not signed with its own key"),
    "csr_key": N_("the key is too weak or of an unknown kind"),
    "csr_name": N_("the request bears another name than the charging station"),
    "rejected_by_station": N_("the charging station said no"),
    "not_sendable": N_("it does not fit into a message"),
}
ROOT_KIND = {
    "CSMSRootCertificate": N_("of the central system"),
    "ManufacturerRootCertificate": N_("of the maker"),
}
SECURITY_ACTION = {
    "list": N_("List the root certificates"),
    "install": N_("Install a root certificate"),
    "delete": N_("Delete a root certificate"),
    "renew": N_("Renew the certificate"),
    "password": N_("Give a new password"),
    "profile": N_("Raise the security profile"),
}
OWNER = {
    "here": N_("this server"),
    "there": N_("the second backend"),
}
# What went wrong last with a second backend (csms.relay.model.Trouble).
RELAY_TROUBLE = {
    "host_not_allowed": N_("The operator of this server no longer allows this host."),
    "key_lost": N_("Its password cannot be read any more: give it again."),
    "unreachable": N_("It cannot be reached; we go on trying."),
    "handshake_refused": N_("It refuses the connection: check address, name and password."),
    "no_sub_protocol": N_("It does not speak the OCPP version of this charging station."),
    "line_lost": N_("The connection was lost."),
    "silent": N_("It left a message without an answer; the message is told again."),
    "boot_pending": N_("It does not take the charging station yet."),
    "boot_rejected": N_("It does not take the charging station."),
    "call_refused": N_("It answered a message of a charge by an error."),
    "cannot_be_told": N_("A message of a charge is unreadable and was not told."),
    "invalid_answer": N_("It gave a charge no number."),
    "our_fault": N_("This is our fault; it has been logged."),
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
    "revoked": N_("The certificate is taken back."),
    "relay_saved": N_("The second backend is kept. The connection follows by itself."),
    "relay_removed": N_("The second backend is told nothing more."),
    "configuration_asked": N_("The settings are compared as soon as the charging station can be reached."),
    "boot_policy_kept": N_("This is how its next start is answered."),
    "probe_started": N_("The probe has begun."),
    "setting_kept": N_("The setting is kept. Charging stations follow."),
    "setting_forgotten": N_("The setting is no longer wished for. Charging stations keep what they have."),
    "standard_taken": N_("The standard set is taken over. Charging stations follow."),
    "settled": N_("The charge is settled."),
}
# Doubts of csms.machine, and what the review adds to them.
DOUBTS = {
    "presumed_end": N_("Nobody told the end of this charge; it was presumed:"),
    "start_missing": N_("Its start was never told: only later messages came."),
    "no_start_reading": N_("The counter was not told at the start."),
    "no_stop_reading": N_("The counter was not told at the end: the last reading stands for it."),
    "no_readings": N_("The counter is not known both at the start and at the end: no energy can be told."),
    "counter_went_back": N_("The counter stood lower at the end than at the start."),
    "counter_reset": N_("The counter began anew during the charge."),
    "implausible_energy": N_("More energy than this point can deliver in the time."),
    "unit_doubtful": N_("A thousand times more or less than the measured power says: a wrong unit."),
    "too_little": N_("So little energy in so long a time: the counter may count in kWh and say Wh."),
    "unknown_token": N_("It was started with a badge that was not accepted."),
    "changed_since_settled": N_("A message came after this charge was settled and changes its energy."),
    "over_long": N_("Nothing was heard of this charge for two days, and it has not ended."),
}
# Steps of csms.hanging for a point that hangs.
REMEDIES = {
    "ask": N_("Ask for its state"),
    "out_of_service": N_("Take it out of service"),
    "into_service": N_("Put it back into service"),
    "unlock": N_("Unlock the cable"),
    "visit": N_("Everything has been tried from here: somebody must go and look."),
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
    "already_ended": N_("This command has ended already."),
    "already_sent": N_("This command is on its way: it cannot be called off any more."),
    "already_credited": N_("This invoice is already taken back."),
    "bad_credentials": N_("E-mail address or password is wrong."),
    "bad_energy": N_("Choose how to settle, and give the energy as a whole number of Wh."),
    "bad_time": N_("This is not a valid day or time."),
    "booking_over": N_("This booking ended at %(end_at)s."),
    "booking_unknown": N_("Nothing was found under this address."),
    "certificate_missing": N_("The charging station needs a certificate first: renew it."),
    "certificate_unknown": N_("Nothing was found under this address."),
    "chain_too_long": N_("With your bookings before and after, more than %(max_duration_h)s in a row."),
    "charging_transaction_unknown": N_("Nothing was found under this address."),
    "community_unknown": N_("Nothing was found under this address."),
    "driver_unknown": N_("Nothing was found under this address."),
    "end_closed": N_("The station is closed from %(from)s to %(until)s: choose another end."),
    "ends_before_start": N_("The end must come after the start."),
    "file_missing": N_("Choose a file first."),
    "file_too_large": N_("The file is too large."),
    "relay_host": N_("The operator of this server does not allow the host %(host)s."),
    "relay_identity": N_("The name there may have 48 letters, digits and the signs * - . _ ~ = + | @."),
    "relay_off": N_("The operator of this server has named no host for second backends."),
    "relay_password": N_("The password may have %(longest)s signs that can be printed."),
    "relay_url": N_("The address is ws:// or wss://, a host, a port, a path: without user or question mark."),
    "unknown_relay": N_("Nothing was found under this address."),
    "never_connected": N_("This charging station has never connected: its version is not known yet."),
    "unknown_file": N_("This firmware is not here, or not whole."),
    "energy_missing": N_("Give the energy in Wh."),
    "energy_out_of_range": N_("An energy from 0 to %(most_wh)s is wanted."),
    "in_the_past": N_("This time has passed."),
    "key_missing": N_("The key is not in the box yet."),
    "licence_category": N_("Your driving licence does not cover this car."),
    "licence_expires": N_("Your driving licence expires before the end of the booking (%(valid_until)s)."),
    "licence_missing": N_("Your driving licence is not recorded yet."),
    "no_car": N_("There is no car you may book."),
    "no_charging_station": N_("No charging station fits this choice."),
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
    "password_missing": N_("The charging station has no password yet."),
    "payment_in_progress": N_("The card is being asked: try again in a few minutes."),
    "profile_not_higher": N_("The security profile is %(profile)s already: it is only ever raised."),
    "root_expired": N_("This root certificate is not valid now (it ends at %(until)s)."),
    "root_kind": N_("Root certificates of the central system and of the maker can be installed."),
    "root_no_authority": N_("This is no certificate of an authority."),
    "root_unreadable": N_("One certificate in PEM is wanted, without a private key."),
    "start_closed": N_("The station is closed from %(from)s to %(until)s: choose another start."),
    "tls_missing": N_("The service does not listen with TLS: see the setting ocpp_tls."),
    "tls_url_missing": N_("The address with TLS is not known: see the setting ocpp_tls_url."),
    "proposal_changed": N_("The proposal has changed meanwhile: it is %(energy_wh)s now."),
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

    def verdict(self, kind: str, awaits: str) -> str:
        """What the answer to a command means."""
        return self._of(VERDICTS, awaits or kind)

    def status_word(self, word: str) -> str:
        """A status of the standard in plain words; codes of errors stay as they are."""
        return self._of(STATUS_WORDS, word)

    def certificate_state(self, code: str) -> str:
        """Where a certificate of a charging station stands."""
        return self._of(CERTIFICATE_STATE, code)

    def certificate_reason(self, code: str) -> str:
        """Why a certificate was not signed or not taken."""
        return self._of(CERTIFICATE_REASON, code)

    def root_kind(self, code: str) -> str:
        """Whose root certificate it is."""
        return self._of(ROOT_KIND, code)

    def security_action(self, code: str) -> str:
        """What was done for the security of a charging station."""
        return self._of(SECURITY_ACTION, code)

    def owner(self, code: str) -> str:
        """Whose word about badges counts."""
        return self._of(OWNER, code)

    def relay_trouble(self, code: str) -> str:
        """What went wrong last with a second backend."""
        return self._of(RELAY_TROUBLE, code)

    def local_list_state(self, code: str) -> str:
        """How far the list of badges in a station is."""
        return self._of(LOCAL_LIST_STATE, code)

    def configuration_state(self, code: str) -> str:
        """How the settings of a station stand."""
        return self._of(CONFIGURATION_STATE, code)

    def setting_state(self, code: str) -> str:
        """How one setting of a station stands."""
        return self._of(SETTING_STATE, code)

    def setting_reason(self, text: str) -> str:
        """Why a setting is wished for, in the reader's language where the reason is ours."""
        return self.words.gettext(text) if text in SETTING_REASONS else text

    def boot_policy(self, code: str) -> str:
        """How boots of a station are answered."""
        return self._of(BOOT_POLICY, code)

    def registration(self, code: str) -> str:
        """How its last boot was answered."""
        return self._of(REGISTRATION, code)

    def probe_step(self, code: str) -> str:
        """What a probe is doing."""
        return self._of(PROBE_STEP, code)

    def finding(self, code: str, word: str) -> str:
        """What a probe has found, in a sentence."""
        named = FINDINGS.get(f"{code}.{word}") or FINDINGS.get(code)
        return self.words.gettext(named, text=word) if named else f"{code}: {word}"

    def doubt(self, code: str) -> str:
        """Why a person must look at a charge."""
        return self._of(DOUBTS, code)

    def remedy(self, code: str) -> str:
        """What to try on a point that hangs."""
        return self._of(REMEDIES, code)

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
