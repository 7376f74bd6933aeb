"""Passwords of people: argon2id, in a bounded pool, the same time for known and unknown people."""

from __future__ import annotations

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# ASVS 5.0 appendix C allows two passes over 19 MiB; one costs about 40 ms of a core.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Checked when nobody has the address, so that the answer takes as long as for a known one.
_DUMMY = _HASHER.hash("nobody has this password")
_AT_ONCE = 2

MIN_LENGTH = 12
MAX_LENGTH = 200


class Passwords:
    """Hashes and checks without blocking the event loop; at most two at once."""

    def __init__(self) -> None:
        self._pool = asyncio.Semaphore(_AT_ONCE)

    async def hash(self, password: str) -> str:
        """Return the hash to store."""
        async with self._pool:
            return await asyncio.to_thread(_HASHER.hash, password)

    async def matches(self, stored: str | None, password: str) -> bool:
        """Tell whether the password is the one hashed; an absent hash takes as long and never matches."""
        async with self._pool:
            found = await asyncio.to_thread(_verify, stored or _DUMMY, password[:MAX_LENGTH])
        return found and stored is not None


def _verify(stored: str, password: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
