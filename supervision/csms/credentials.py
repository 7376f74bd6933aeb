"""Station passwords: random keys of at least 128 bits, so one salted SHA-256 is enough and costs 1 µs.

A slow hash here would let anybody stop the reconnect of ten thousand stations with wrong passwords.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

MIN_BYTES = 16  # OCPP 1.6 security whitepaper A00.FR.205
MAX_BYTES = 40  # 2.0.1 passwordString


def hash_password(salt: bytes, password: bytes) -> bytes:
    """Return what is stored of a station's password."""
    return hashlib.sha256(salt + password).digest()


def matches(stored: bytes, salt: bytes, password: bytes) -> bool:
    """Compare in constant time.

    A 1.6 key travels as hex in ChangeConfiguration and as raw bytes in the HTTP header; some stations send
    the hex text there too, so both spellings of the one secret are accepted (quirk 7).
    """
    spellings = [password]
    try:
        spellings.append(bytes.fromhex(password.decode("ascii")))
    except ValueError:
        spellings.append(password.hex().encode())
    checks = [hmac.compare_digest(stored, hash_password(salt, spelling)) for spelling in spellings]
    return any(checks)


class Rotation(StrEnum):
    """What a station made of a new password."""

    TAKEN = "taken"
    LATER = "later"  # with its next start
    REFUSED = "refused"


def password_in(action: str, payload: Mapping[str, Any]) -> bytes | None:
    """Return the new password a command carries; 1.6 sends the key as hex, 2.0.1 the password as text."""
    if action == "ChangeConfiguration" and _is_key(payload):
        return _from_hex(str(payload.get("value", "")))
    if action == "SetVariables":
        for item in payload.get("setVariableData", []):
            if _is_password(item):
                return str(item.get("attributeValue", "")).encode()
    return None


def rotation(action: str, payload: Mapping[str, Any], response: Mapping[str, Any]) -> Rotation | None:
    """Read the answer to a command that carries a password, whose value may be masked; None: it carries none.

    Security whitepaper A01.FR.03: once the station accepted it the old one is no longer taken; with any other
    answer (FR.04) the old one stays.
    """
    if action == "ChangeConfiguration" and _is_key(payload):
        return _rotation_of(response.get("status"))
    if action == "SetVariables" and any(map(_is_password, payload.get("setVariableData", []))):
        results = response.get("setVariableResult", [])
        words = [item.get("attributeStatus") for item in results if _is_password(item)]
        return _rotation_of(words[0] if words else None)
    return None


def _rotation_of(word: object) -> Rotation:
    return {"Accepted": Rotation.TAKEN, "RebootRequired": Rotation.LATER}.get(str(word), Rotation.REFUSED)


def _is_key(payload: Mapping[str, Any]) -> bool:
    return str(payload.get("key", "")).casefold() == "authorizationkey"


def _is_password(item: object) -> bool:
    if not isinstance(item, dict):
        return False
    return (_name(item, "component"), _name(item, "variable")) == ("securityctrlr", "basicauthpassword")


def _name(item: Mapping[str, Any], part: str) -> str:
    value = item.get(part)
    return str(value.get("name", "")).casefold() if isinstance(value, dict) else ""


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return text.encode()
