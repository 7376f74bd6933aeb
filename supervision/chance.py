"""The only place that draws lots: ids, tokens, digits, from the system's secure source."""

from __future__ import annotations

import secrets

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford: nothing that reads like something else


def new_id() -> str:
    """Return a 20-character id with 100 bits of chance, safe in URLs and pleasant to read aloud."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(20))


def new_token() -> str:
    """Return a bearer token of 256 bits for sessions, API tokens and one-time links."""
    return secrets.token_urlsafe(32)


def new_bytes(count: int) -> bytes:
    """Return `count` random bytes (salts, keys)."""
    return secrets.token_bytes(count)


def fraction() -> float:
    """Return a number from 0 up to, not including, 1 (how far a pause is from its longest)."""
    return secrets.randbits(53) / 2**53
