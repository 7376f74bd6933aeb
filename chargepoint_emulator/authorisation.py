"""Who may charge: the cache of earlier answers and the local list. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

ACCEPTED = "Accepted"


@dataclass(frozen=True, kw_only=True)
class IdToken:
    """A token as presented; ``kind`` is the type of OCPP 2.0.1. Compared without regard to case."""

    value: str
    kind: str = "ISO14443"

    @property
    def key(self) -> str:
        """Return what two spellings of one token share."""
        return self.value.casefold()


_UID_LENGTHS = {8, 14, 20}


def id_token(value: str) -> IdToken:
    """Return a token with the type its form suggests: a card number in hexadecimal, else a code keyed in."""
    hexadecimal = all(character in "0123456789abcdefABCDEF" for character in value)
    return IdToken(value=value, kind="ISO14443" if hexadecimal and len(value) in _UID_LENGTHS else "KeyCode")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is known about a token; ``group`` is the parent id, which may stop what its members started."""

    status: str
    group: str | None = None
    expires_at: datetime | None = None

    def accepted_at(self, now: datetime) -> bool:
        """Tell whether the token is good now."""
        return self.status == ACCEPTED and (self.expires_at is None or now < self.expires_at)


class LocalAuthorisation:
    """The authorisation cache and the local authorisation list; the list wins."""

    def __init__(self) -> None:
        """Start with nothing known, list version 0."""
        self.version = 0
        self._list: dict[str, Verdict] = {}
        self._cache: dict[str, Verdict] = {}

    def remember(self, token: IdToken, verdict: Verdict) -> None:
        """Keep an answer of the central system."""
        self._cache[token.key] = verdict

    def clear_cache(self) -> None:
        """Forget the answers."""
        self._cache.clear()

    def verdict(self, token: IdToken, *, in_list: bool = True, in_cache: bool = True) -> Verdict | None:
        """Return what is known locally, looking only where that is enabled."""
        listed = self._list.get(token.key) if in_list else None
        return listed or (self._cache.get(token.key) if in_cache else None)

    def update(self, *, version: int, full: bool, entries: Iterable[tuple[IdToken, Verdict | None]]) -> bool:
        """Replace or amend the list; None removes an entry. False when the version does not follow."""
        if version <= 0 or (not full and version <= self.version):
            return False
        if full:
            self._list.clear()
        for token, verdict in entries:
            if verdict is None:
                self._list.pop(token.key, None)
            else:
                self._list[token.key] = verdict
        self.version = version
        return True
