from __future__ import annotations

import pytest

from supervision.notify import gsm7


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Zoé à Crest", "Zoé à Crest"),
        ("boîte à clés", "boite à clés"),
        ("l’œuvre", "l'oeuvre"),
        ("12,50\u00a0€", "12,50 €"),
        ("« oui » … → n° 3", '" oui " ... -> no 3'),
        ("ça ë ï û", "ca e i u"),
        ("\u0065\u0301", "é"),  # e and a combining accent
        ("voiture 🚗", "voiture ?"),
    ],
)
def test_to_gsm7_text_outside_the_alphabet_reads_the_same(text: str, expected: str) -> None:
    assert gsm7.to_gsm7(text) == expected


def test_length_extension_characters_count_twice() -> None:
    assert gsm7.length("10 €") == 5
    assert gsm7.length("[a]") == 5
