"""Secrets leave no trace in the journal of frames: keys, passwords, and what opens a URL, are masked."""

from __future__ import annotations

import json
import re
from typing import Any

MASK = "***"
_HINT_CHARS = 4
SECRET_NAMES = frozenset({"authorizationkey", "basicauthpassword"})
_SECRET_FIELDS = frozenset({"password", "apnpassword", "basicauthpassword"})
_VALUE_FIELDS = ("value", "attributeValue")
_URL_PASSWORD = re.compile(r"(://[^:/@\s\"]*:)[^@\s\"]+@")
_FILE_TOKEN = re.compile(r"(/device-files/)[A-Za-z0-9_-]{16,}")
_BROKEN_VALUE = re.compile(
    r'((?:AuthorizationKey|[Pp]assword)"[^}]*?"(?:value|attributeValue)"\s*:\s*")[^"]*'
)


def mask_frame(text: str) -> str:
    """Return the frame with secrets masked; a frame without any is returned as it is."""
    if not _is_suspect(text):
        return text
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        return _mask_text(_BROKEN_VALUE.sub(rf"\1{MASK}", text))
    return json.dumps(mask_payload(frame), ensure_ascii=False, separators=(",", ":"))


def storable_frame(text: str) -> str:
    """Return the frame as it is kept: masked, and NUL, which PostgreSQL cannot store, in its escaped form."""
    return mask_frame(text).replace("\0", "\\u0000")


def _is_suspect(text: str) -> bool:
    """A quick look that every frame pays for: plain searches cost a fraction of a pattern."""
    lowered = text.lower()
    if "authorizationkey" in lowered or "password" in lowered:
        return True
    return "://" in text and ("@" in text or "/device-files/" in text)


def _mask_text(text: str) -> str:
    return _FILE_TOKEN.sub(rf"\1{MASK}", _URL_PASSWORD.sub(rf"\1{MASK}@", text))


def token_hint(token: str) -> str:
    """Return the end of a badge or code: enough to recognise it, too little to use it."""
    return token[-_HINT_CHARS:]


def mask_payload(value: Any) -> Any:
    """Return a copy of JSON values with secrets masked."""
    if isinstance(value, dict):
        masked = {key: _mask_field(key, item) for key, item in value.items()}
        if _names_secret(value):
            masked.update({field: MASK for field in _VALUE_FIELDS if field in masked})
        return masked
    if isinstance(value, list):
        return [mask_payload(item) for item in value]
    return _mask_text(value) if isinstance(value, str) else value


def _mask_field(key: str, item: Any) -> Any:
    """A secret is masked whatever it is written as: a station may send digits without their quotes."""
    return MASK if key.casefold() in _SECRET_FIELDS and item is not None else mask_payload(item)


def _names_secret(value: dict[str, Any]) -> bool:
    """Tell whether an object sets a secret: 1.6 {key, value}, 2.0.1 {variable: {name}, ...}."""
    variable = value.get("variable")
    name = value.get("key") or (variable.get("name") if isinstance(variable, dict) else None)
    return isinstance(name, str) and name.casefold() in SECRET_NAMES
