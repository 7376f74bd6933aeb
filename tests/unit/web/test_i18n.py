"""Languages: nothing missing, unused or fuzzy, every place filled; numbers and dates by Babel."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from supervision.csms.standard_settings import STANDARD, master_pass
from supervision.web import i18n
from supervision.web.i18n import catalogue, negotiated, translator
from supervision.web.i18n.words import ALERTS, REFUSALS, SETTING_REASONS, Words
from tests.unit.web.extraction import messages
from tests.unit.web.samples import NOW, PARIS, at

FR, EN = translator("fr"), translator("en")
CATALOGUES = Path(i18n.__file__).parent
PLACE = re.compile(r"%\((\w+)\)s")


def places(texts: str | Sequence[str] | None) -> list[set[str]]:
    return [set(PLACE.findall(text)) for text in ([texts] if isinstance(texts, str) else texts or [])]


def test_catalogue_against_the_pages_has_exactly_their_sentences() -> None:
    known = {
        entry.id[0] if isinstance(entry.id, tuple) else entry.id for entry in catalogue("fr") if entry.id
    }
    assert known == set(messages())


def test_catalogue_says_each_sentence_once() -> None:
    lines = (CATALOGUES / "fr.po").read_text(encoding="utf-8").splitlines()
    said = [line for line in lines if line.startswith("msgid ") and line != 'msgid ""']
    assert [line for line, count in Counter(said).items() if count > 1] == []


def test_catalogue_has_no_empty_and_no_fuzzy_text() -> None:
    for entry in catalogue("fr"):
        texts = entry.string if isinstance(entry.string, tuple) else (entry.string,)
        assert not entry.id or (all(texts) and not entry.fuzzy), entry.id


def test_catalogue_texts_keep_the_places_of_their_sentences() -> None:
    for entry in catalogue("fr"):
        if entry.id:
            assert places(entry.string) == places(entry.id)


def test_reasons_of_the_advised_settings_are_told_in_the_language_of_the_reader() -> None:
    advised = {wish.reason for wish in STANDARD} | {master_pass("FIRE").reason}
    assert advised == SETTING_REASONS
    ours, theirs = "No energy without a reading at the start", "Because I say so"
    assert Words(FR).setting_reason(ours) == "Pas d’énergie comptée sans relevé au début"
    assert [Words(EN).setting_reason(text) for text in (ours, theirs)] == [ours, theirs]
    assert Words(FR).setting_reason(theirs) == theirs


def test_plural_follows_the_language() -> None:
    forms = ("%(n)s free car", "%(n)s free cars")
    assert [FR.ngettext(*forms, n) for n in (0, 1, 2)] == [
        "0 voiture libre",
        "1 voiture libre",
        "2 voitures libres",
    ]
    assert [EN.ngettext(*forms, n) for n in (0, 1, 2)] == ["0 free cars", "1 free car", "2 free cars"]


def test_amounts_and_energy_are_written_as_the_language_does() -> None:
    assert FR.euros(11240) == "112,40\xa0€"
    assert EN.euros(11240) == "€112.40"
    assert FR.kwh(14200) == "14,2 kWh"
    assert EN.kw(24000) == "24 kW"
    assert FR.percent(61.4) == "61\xa0%"


def test_instants_show_the_clock_of_their_zone() -> None:
    assert FR.clock(NOW.astimezone(PARIS)) == "14:24"
    assert FR.moment(at("16:00")) == "sam. 21 nov. 16:00"
    assert FR.span(at("16:00"), at("+01:30"), NOW) == "aujourd’hui 16:00 → demain 01:30"


@pytest.mark.parametrize(
    ("minutes", "text"), [(45, "45 min"), (80, "1 h 20"), (120, "2 h"), (1440, "1 j"), (1560, "1 j 2 h")]
)
def test_duration_reads_as_people_say_it(minutes: int, text: str) -> None:
    assert FR.duration(timedelta(minutes=minutes)) == text


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "fr"),
        ("de", "fr"),
        ("en-GB,en;q=0.9", "en"),
        ("en;q=0.3,fr;q=0.8", "fr"),
        ("en;q=x,fr;q=0.1", "fr"),
    ],
)
def test_negotiated_language_follows_the_weights_and_falls_back_to_french(header: str, language: str) -> None:
    assert negotiated(header) == language


def test_refusal_fills_values_by_their_unit_and_never_fails() -> None:
    words = Words(EN)
    assert words.refusal("too_short", {"min_duration_min": 30}) == "A booking lasts at least 30 min."
    assert words.refusal("too_short", {}) == "A booking lasts at least –."
    assert words.refusal("something_new", {}) == "something new"


@pytest.mark.parametrize("code", [*REFUSALS, *ALERTS])
def test_every_code_speaks_both_languages_without_parameters(code: str) -> None:
    for words in (Words(FR), Words(EN)):
        table = words.refusal(code, {}) if code in REFUSALS else words.alert(code, {}, NOW)
        assert table
        assert "%(" not in table
