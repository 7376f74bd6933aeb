"""Station passwords: random keys of at least 128 bits, so one salted SHA-256 is enough and costs 1 µs.

A slow hash here would let anybody stop the reconnect of ten thousand stations with wrong passwords.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
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


def rotated_password(action: str, payload: Mapping[str, Any], response: Mapping[str, Any]) -> bytes | None:
    """Return the new password a command has set, None when it set none.

    Security whitepaper A01.FR.03: once the station accepted it the old one is no longer taken; with any other
    answer (FR.04) the old one stays. 1.6 sends the key as hex, 2.0.1 the password as text.
    """
    if action == "ChangeConfiguration" and str(payload.get("key", "")).casefold() == "authorizationkey":
        accepted = response.get("status") == "Accepted"
        return _from_hex(str(payload.get("value", ""))) if accepted else None
    if action == "SetVariables":
        return _rotated_variable(payload, response)
    return None


def _rotated_variable(payload: Mapping[str, Any], response: Mapping[str, Any]) -> bytes | None:
    accepted = {
        (_name(item, "component"), _name(item, "variable"))
        for item in response.get("setVariableResult", [])
        if isinstance(item, dict) and item.get("attributeStatus") == "Accepted"
    }
    for item in payload.get("setVariableData", []):
        name = (_name(item, "component"), _name(item, "variable"))
        if name == ("securityctrlr", "basicauthpassword") and name in accepted:
            return str(item.get("attributeValue", "")).encode()
    return None


def _name(item: Mapping[str, Any], part: str) -> str:
    value = item.get(part)
    return str(value.get("name", "")).casefold() if isinstance(value, dict) else ""


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return text.encode()
