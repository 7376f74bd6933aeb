from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from supervision.kernel.events import (
    AccessCodeReleased,
    BookingCancelled,
    BookingMade,
    BookingMoved,
    InvoiceIssued,
)
from supervision.notify import rules
from supervision.notify.model import Channel, DeliveryError, Receipt, State, Template, language_of
from tests.unit.notify.examples import NOW, START, message, trip

IDS = {"organisation_id": "org", "booking_id": "b1", "vehicle_id": "car-1", "station_id": "st"}
BUSY = DeliveryError("450 mailbox busy")
GONE = DeliveryError("550 no such user", permanent=True)
DOWN = DeliveryError("connection refused", unreachable=True)
LATE = trip(booking_id="b0", driver_id="d0", status="active", end_at=NOW - timedelta(minutes=5))


@pytest.mark.parametrize(
    ("template", "params", "expected"),
    [
        (Template.CODE_RELEASED, {"revision": 1}, (Channel.MAIL, Channel.SMS)),
        (Template.BOOKING_MADE, {}, (Channel.MAIL,)),
        (Template.BOOKING_CANCELLED, {"by": "driver"}, (Channel.MAIL,)),
        (Template.BOOKING_CANCELLED, {"by": "manager"}, (Channel.MAIL, Channel.SMS)),
        (Template.PASSWORD_LINK, {}, (Channel.MAIL,)),
    ],
)
def test_C24_channels_only_what_one_must_know_goes_by_sms(
    template: Template, params: dict[str, Any], expected: tuple[Channel, ...]
) -> None:
    assert rules.channels(template, params) == expected


def test_params_hold_only_what_the_event_alone_knows() -> None:
    assert rules.params_of(BookingMade(**IDS)) == {}
    assert rules.params_of(BookingMoved(**IDS, change="extended")) == {"change": "extended"}
    assert rules.params_of(BookingCancelled(**IDS, by="no_show")) == {"by": "no_show"}
    assert rules.params_of(AccessCodeReleased(**IDS, revision=2)) == {"revision": 2}
    issued = InvoiceIssued(organisation_id="org", invoice_id="i1", booking_id=None)
    assert rules.params_of(issued) == {"invoice_id": "i1"}


@pytest.mark.parametrize(
    ("starts_in", "expected"),
    [
        (timedelta(minutes=30), NOW),
        (timedelta(hours=3), NOW),
        (timedelta(hours=5), NOW + timedelta(hours=2)),
        (timedelta(hours=24), NOW + timedelta(hours=21)),
        (timedelta(hours=24, seconds=1), None),
    ],
)
def test_warn_at_three_hours_before_the_start(starts_in: timedelta, expected: object) -> None:
    assert rules.warn_at(NOW + starts_in, NOW) == expected


@pytest.mark.parametrize(
    ("template", "facts", "revision", "expected"),
    [
        (Template.BOOKING_MADE, {}, None, None),
        (Template.BOOKING_MADE, {"status": "cancelled"}, None, "booking_over"),
        (Template.BOOKING_MOVED, {"end_at": NOW}, None, "booking_over"),
        (Template.CODE_RELEASED, {}, 2, None),
        (Template.CODE_RELEASED, {}, 3, "code_replaced"),
        (Template.CODE_RELEASED, {}, None, "code_replaced"),
        (Template.CODE_RELEASED, {"status": "completed"}, 2, "booking_over"),
        (Template.BOOKING_CANCELLED, {"status": "cancelled"}, None, None),
        (Template.BOOKING_LATE, {"status": "active", "end_at": NOW}, None, None),
        (Template.BOOKING_LATE, {"status": "active", "end_at": NOW + timedelta(hours=1)}, None, "not_late"),
        (Template.BOOKING_LATE, {"status": "completed", "end_at": NOW}, None, "not_late"),
    ],
)
def test_outdated_message_says_why(
    template: Template, facts: dict[str, Any], revision: int | None, expected: str | None
) -> None:
    about = message(template, params={"revision": 2})
    assert rules.outdated(about, trip(**facts), late=None, revision=revision, now=NOW) == expected


@pytest.mark.parametrize(
    ("late", "mine", "expected"),
    [
        (LATE, {}, None),
        (replace(LATE, status="completed"), {}, "not_late"),
        (replace(LATE, end_at=START), {}, "not_late"),
        (LATE, {"status": "cancelled"}, "not_late"),
        (None, {}, "not_late"),
    ],
)
def test_outdated_warning_holds_while_the_car_is_away(
    late: Any, mine: dict[str, Any], expected: str | None
) -> None:
    warning = message(Template.NEXT_DRIVER_WARNED)
    assert rules.outdated(warning, trip(**mine), late=late, revision=None, now=NOW) == expected


def test_outdated_message_about_no_booking_never_is() -> None:
    assert rules.outdated(message(Template.PASSWORD_LINK), None, late=None, revision=None, now=NOW) is None


def test_pauses_double_from_two_seconds_to_one_hour() -> None:
    pauses = [rules.pause_after(attempts).total_seconds() for attempts in range(1, 14)]
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600]


def test_after_failure_message_refused_for_now_waits_and_after_twelve_is_dead() -> None:
    tried = message()
    for attempt in range(1, 12):
        tried = rules.after_failure(tried, BUSY, NOW)
        assert (tried.state, tried.attempts) == (State.FAILED, attempt)
        assert tried.next_try_at == NOW + rules.pause_after(attempt)
    assert rules.after_failure(tried, BUSY, NOW) == message(
        state=State.DEAD, attempts=12, next_try_at=None, error="450 mailbox busy"
    )


def test_after_failure_permanent_is_dead_at_once() -> None:
    assert rules.after_failure(message(), GONE, NOW) == message(
        state=State.DEAD, attempts=1, next_try_at=None, error="550 no such user"
    )


@pytest.mark.parametrize(
    ("waited", "pause"),
    [
        (timedelta(0), timedelta(seconds=2)),
        (timedelta(seconds=20), timedelta(seconds=20)),
        (timedelta(hours=24), timedelta(minutes=1)),
        (timedelta(hours=72), timedelta(minutes=1)),
    ],
)
def test_after_failure_provider_down_blames_no_message(waited: timedelta, pause: timedelta) -> None:
    now = NOW + waited
    expected = message(state=State.FAILED, attempts=0, next_try_at=now + pause, error="connection refused")
    assert rules.after_failure(message(), DOWN, now) == expected


def test_after_failure_provider_down_for_three_days_is_dead() -> None:
    now = NOW + timedelta(hours=72, seconds=1)
    assert rules.after_failure(message(), DOWN, now).state is State.DEAD


def test_after_success_is_sent_or_kept() -> None:
    tried = message(state=State.FAILED, attempts=2, error="450")
    sent = rules.after_success(tried, Receipt(reference="x"), NOW)
    assert sent == message(state=State.SENT, attempts=3, sent_at=NOW, next_try_at=None)
    assert rules.after_success(tried, Receipt(reference="x", kept=True), NOW).state is State.KEPT


def test_after_drop_keeps_the_reason() -> None:
    assert rules.after_drop(message(), "booking_over") == message(
        state=State.DROPPED, next_try_at=None, error="booking_over"
    )


@pytest.mark.parametrize(
    ("locale", "expected"), [("fr", "fr"), ("en", "en"), ("en_GB", "en"), ("FR-fr", "fr"), ("de", "fr")]
)
def test_language_of_an_unspoken_locale_is_french(locale: str, expected: str) -> None:
    assert language_of(locale) == expected


def test_reference_is_the_same_at_every_attempt_and_differs_between_databases() -> None:
    first = message()
    assert first.reference == "7-mail-1795248000000"
    assert rules.after_failure(first, BUSY, NOW).reference == first.reference
    assert replace(first, queued_at=START).reference != first.reference
