"""Which handshakes of unknown stations are worth writing down, and when (pure).

Whoever can reach the port can knock with any name: what is kept in mind, how often it is written and how many
new names a minute may bring are all bounded, and a name that nobody repeats makes room for one that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

MOST_IN_MIND = 500
WRITTEN_EVERY = timedelta(minutes=1)
NEW_PER_MINUTE = 20
MOST_PROTOCOLS = 5
LONGEST_PROTOCOL = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """A refused handshake of a well-formed identity; the password itself is not part of it."""

    identity: str
    address: str
    offered: tuple[str, ...]
    sent_password: bool
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What to write of one identity: its newest knock, and the knocks since the last writing."""

    knock: Knock
    first_seen_at: datetime
    attempts: int


@dataclass(slots=True)
class _Memory:
    newest: Knock
    first_seen_at: datetime
    attempts: int  # since the last writing
    written_at: datetime | None = None


class Notebook:
    """Remembers knocks until they are due to be written; bounded whatever comes."""

    def __init__(self) -> None:
        self._minds: dict[str, _Memory] = {}
        self._minute: datetime | None = None
        self._new_in_minute = 0

    def __len__(self) -> int:
        """How many identities are in mind."""
        return len(self._minds)

    def note(self, knock: Knock) -> bool:
        """Remember a knock; False when there is no room for another identity."""
        memory = self._minds.get(knock.identity)
        if memory is not None:
            memory.newest, memory.attempts = knock, memory.attempts + 1
            return True
        if len(self._minds) >= MOST_IN_MIND and not self._forget_one(knock.at):
            return False
        self._minds[knock.identity] = _Memory(newest=knock, first_seen_at=knock.at, attempts=1)
        return True

    def take_due(self, now: datetime) -> list[Note]:
        """Return what may be written now, oldest knock first; it counts as written."""
        due: list[Note] = []
        for identity, memory in list(self._minds.items()):
            if not memory.attempts or (memory.written_at and now - memory.written_at < WRITTEN_EVERY):
                continue
            if memory.written_at is None and not self._takes_new(now):
                del self._minds[identity]  # it will knock again if it is real
                continue
            due.append(
                Note(knock=memory.newest, first_seen_at=memory.first_seen_at, attempts=memory.attempts)
            )
            memory.attempts, memory.written_at = 0, now
        return due

    def _takes_new(self, now: datetime) -> bool:
        if self._minute is None or now - self._minute >= WRITTEN_EVERY:
            self._minute, self._new_in_minute = now, 0
        self._new_in_minute += 1
        return self._new_in_minute <= NEW_PER_MINUTE

    def _forget_one(self, now: datetime) -> bool:
        """Make room: what was written and has been silent for a minute is safe in its table."""
        for identity, memory in self._minds.items():
            silent = now - memory.newest.at >= WRITTEN_EVERY
            if memory.written_at is not None and not memory.attempts and silent:
                del self._minds[identity]
                return True
        return False


def protocols(offered: Sequence[str]) -> tuple[str, ...]:
    """Return the sub-protocols a stranger offered, as far as they can be shown."""
    names = (name[:LONGEST_PROTOCOL] for name in offered if name.isascii() and name.isprintable())
    return tuple(names)[:MOST_PROTOCOLS]
