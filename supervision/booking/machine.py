"""The life of a booking as a table; a move that is not in it does not exist.

booked --start--> active --give_back--> completed; booked --cancel--> cancelled; booked --miss--> no_show.
"""

from __future__ import annotations

from enum import StrEnum

from supervision.booking.model import BookingStatus

_BOOKED, _ACTIVE = BookingStatus.BOOKED, BookingStatus.ACTIVE


class Move(StrEnum):
    """What may happen to a booking."""

    EXTEND = "extend"
    SHORTEN = "shorten"
    CANCEL = "cancel"
    START = "start"
    GIVE_BACK = "give_back"
    MISS = "miss"


TABLE: dict[tuple[BookingStatus, Move], BookingStatus] = {
    (_BOOKED, Move.EXTEND): _BOOKED,
    (_BOOKED, Move.SHORTEN): _BOOKED,
    (_BOOKED, Move.CANCEL): BookingStatus.CANCELLED,
    (_BOOKED, Move.START): _ACTIVE,
    (_BOOKED, Move.MISS): BookingStatus.NO_SHOW,
    (_ACTIVE, Move.EXTEND): _ACTIVE,
    (_ACTIVE, Move.SHORTEN): _ACTIVE,
    (_ACTIVE, Move.GIVE_BACK): BookingStatus.COMPLETED,
}

# Where a move leads whatever the origin: asking for it again when already there changes nothing.
GOAL: dict[Move, BookingStatus] = {
    Move.CANCEL: BookingStatus.CANCELLED,
    Move.START: BookingStatus.ACTIVE,
    Move.GIVE_BACK: BookingStatus.COMPLETED,
}


def step(status: BookingStatus, move: Move) -> BookingStatus | None:
    """Return the status after `move`, None when the move is not possible from here."""
    return TABLE.get((status, move))


def already_done(status: BookingStatus, move: Move) -> bool:
    """Tell whether the booking already stands where `move` leads."""
    return GOAL.get(move) is status
