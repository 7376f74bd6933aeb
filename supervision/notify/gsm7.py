"""The GSM 03.38 alphabet: one character outside it and an SMS holds 70 characters instead of 160. Pure."""

from __future__ import annotations

import unicodedata

LIMIT = 160

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("^{}\\[~]|€")  # sent as two characters
_LIKE = {
    "’": "'",
    "‘": "'",
    "“": '"',
    "”": '"',
    "«": '"',
    "»": '"',
    "–": "-",
    "—": "-",
    "…": "...",
    "œ": "oe",
    "Œ": "OE",
    "°": "o",
    "→": "->",
    "·": "-",
}


def to_gsm7(text: str) -> str:
    """Replace what the alphabet lacks by what reads the same: ê -> e, ’ -> ', no-break space -> space."""
    return "".join(_nearest(character) for character in unicodedata.normalize("NFC", text))


def length(text: str) -> int:
    """Characters of a text in the alphabet, as the network counts them."""
    return sum(2 if character in _EXTENSION else 1 for character in text)


def _nearest(character: str) -> str:
    if character in _BASIC or character in _EXTENSION:
        return character
    if character in _LIKE:
        return _LIKE[character]
    if character.isspace():
        return " "
    plain = "".join(c for c in unicodedata.normalize("NFKD", character) if c in _BASIC)
    return plain or "?"
