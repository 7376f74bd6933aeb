"""What of the knocks of unknown stations is kept in mind and written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from supervision.csms.strangers import MOST_IN_MIND, NEW_PER_MINUTE, Knock, Note, Notebook, protocols

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def knock(identity: str = "CP", seconds: float = 0, address: str = "192.0.2.1") -> Knock:
    return Knock(
        identity=identity,
        address=address,
        offered=("ocpp1.6",),
        sent_password=True,
        at=NOW + timedelta(seconds=seconds),
    )


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_first_knock_is_due_at_once_and_the_next_after_a_minute() -> None:
    book = Notebook()
    book.note(knock())
    assert book.take_due(NOW) == [Note(knock=knock(), first_seen_at=NOW, attempts=1)]
    for second in range(1, 60):
        book.note(knock(seconds=second))
        assert book.take_due(later(second)) == []
    newest = knock(seconds=60, address="192.0.2.2")
    book.note(newest)
    assert book.take_due(later(60)) == [Note(knock=newest, first_seen_at=NOW, attempts=60)]


def test_silence_writes_nothing() -> None:
    book = Notebook()
    book.note(knock())
    book.take_due(NOW)
    assert book.take_due(later(3600)) == []


def test_flood_of_names_is_written_a_few_a_minute_and_fills_no_memory() -> None:
    book = Notebook()
    taken = [book.note(knock(f"X{number}")) for number in range(3 * MOST_IN_MIND)]
    assert taken.count(True) == MOST_IN_MIND == len(book)
    written = [len(book.take_due(later(second))) for second in range(0, 60, 5)]
    assert written == [NEW_PER_MINUTE, *[0] * 11]
    assert len(book) == NEW_PER_MINUTE


def test_name_that_was_written_and_fell_silent_makes_room() -> None:
    book = Notebook()
    book.note(knock("OLD"))
    book.take_due(NOW)
    for number in range(MOST_IN_MIND - 1):
        book.note(knock(f"X{number}"))
    assert not book.note(knock("NEW", seconds=59))
    assert book.note(knock("NEW", seconds=60))
    assert len(book) == MOST_IN_MIND


def test_protocols_are_kept_as_far_as_they_can_be_shown() -> None:
    assert protocols(["ocpp2.0.1", "ocpp1.6"]) == ("ocpp2.0.1", "ocpp1.6")
    assert protocols(["x" * 50, "é", "a\nb"]) == ("x" * 40,)
    assert len(protocols(["p"] * 9)) == 5
