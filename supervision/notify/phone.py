"""Telephone numbers: read as people type them, sent as E.164, shown as people read them. Pure."""

from __future__ import annotations

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType

HOME = "FR"  # country of a number written without one

_NO_SMS = {PhoneNumberType.FIXED_LINE, PhoneNumberType.TOLL_FREE, PhoneNumberType.PREMIUM_RATE}


def sms_number(written: str) -> str | None:
    """Return the number in E.164, or None when it is no valid number or none that takes an SMS."""
    number = _parse(written)
    if number is None or not phonenumbers.is_valid_number(number):
        return None
    if phonenumbers.number_type(number) in _NO_SMS:
        return None
    return str(phonenumbers.format_number(number, PhoneNumberFormat.E164))


def readable(written: str) -> str:
    """Return the number in groups, as one reads it aloud; a text that is no number stays as it is."""
    number = _parse(written)
    if number is None:
        return written.strip()
    at_home = phonenumbers.region_code_for_number(number) == HOME
    style = PhoneNumberFormat.NATIONAL if at_home else PhoneNumberFormat.INTERNATIONAL
    return str(phonenumbers.format_number(number, style))


def _parse(written: str) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(written, HOME)
    except NumberParseException:
        return None
