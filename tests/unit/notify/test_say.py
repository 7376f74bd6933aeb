from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.unit.notify.examples import EN, FR, START


def test_span_within_a_day_names_the_day_once() -> None:
    end = START + timedelta(hours=2)
    assert FR.span(START, end) == "samedi 21 novembre de 18:00 à 20:00"
    assert EN.span(START, end) == "Saturday 21 November from 18:00 to 20:00"
    assert FR.short_span(START, end) == "21/11 18:00-20:00"


def test_span_over_midnight_names_both_days() -> None:
    end = START + timedelta(hours=15)
    assert FR.span(START, end) == "du samedi 21 novembre à 18:00 au dimanche 22 novembre à 09:00"
    assert EN.span(START, end) == "from Saturday 21 November at 18:00 to Sunday 22 November at 09:00"
    assert FR.short_span(START, end) == "21/11 18:00-22/11 09:00"


def test_clock_change_night_each_instant_has_its_own_local_hour() -> None:
    evening, morning = datetime(2026, 10, 24, 20, 0, tzinfo=UTC), datetime(2026, 10, 25, 6, 0, tzinfo=UTC)
    assert FR.short_span(evening, morning) == "24/10 22:00-25/10 07:00"


def test_euros_each_language_writes_its_own_way() -> None:
    assert FR.euros(123450) == "1\u202f234,50\u00a0€"
    assert EN.euros(123450) == "€1,234.50"
