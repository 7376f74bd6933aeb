"""Languages of the portal: catalogues, dates, amounts and quantities. French first, English complete.

Message ids are the English sentences, so English needs no catalogue; every other language is one `.po` file
beside this module, read as it is (no compiled copy that could be stale). Instants given to the formatters
carry the community's zone: views convert, formatters only write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path

from babel import Locale
from babel.dates import format_date, format_datetime, format_time, format_timedelta
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal, format_percent

LANGUAGES: Mapping[str, str] = {"fr": "Français", "en": "English"}
DEFAULT_LANGUAGE = "fr"
SOURCE_LANGUAGE = "en"
_REGIONS = {"fr": "fr_FR", "en": "en_GB"}
_FOLDER = Path(__file__).parent
_CACHED_TEXTS = 20_000


def N_(message: str) -> str:  # noqa: N802 - the gettext convention
    """Mark a sentence for the catalogues where it is a value, not yet a translation."""
    return message


@cache
def catalogue(language: str) -> Catalog:
    """The catalogue of a language other than the source one."""
    with (_FOLDER / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


@cache
def _plural_rule(language: str) -> Callable[[int], str]:
    return Locale.parse(_REGIONS[language]).plural_form


@dataclass(frozen=True)
class Translator:
    """Words and numbers of one language; instances are cheap and stateless."""

    language: str

    def gettext(self, message: str, **params: object) -> str:
        """Translate and fill ``%(name)s`` places; parameters are text, not markup."""
        return self._filled(self._found(message), params)

    def sentence(self, message: str, params: Mapping[str, str]) -> str:
        """Translate and fill from a mapping, which may decide itself what stands for a missing parameter."""
        return self._found(message) % params

    def ngettext(self, singular: str, plural: str, n: int, **params: object) -> str:
        """Translate the form that fits `n`, which fills ``%(n)s``."""
        shown = {"n": self.number(n), **params}
        entry = None if self.language == SOURCE_LANGUAGE else catalogue(self.language).get(singular)
        forms = entry.string if entry and isinstance(entry.string, tuple) else (singular, plural)
        one = _plural_rule(self.language)(n) == "one"
        return self._filled(forms[0 if one else 1], shown)

    def _found(self, message: str) -> str:
        if self.language == SOURCE_LANGUAGE:
            return message
        entry = catalogue(self.language).get(message)
        return str(entry.string) if entry and entry.string else message

    @staticmethod
    def _filled(text: str, params: Mapping[str, object]) -> str:
        return text % params if params else text

    def clock(self, at: datetime) -> str:
        """Write the hour: 16:00."""
        return _time(at, _REGIONS[self.language])

    def clock_s(self, at: datetime) -> str:
        """Write the hour with seconds: 16:00:04."""
        return format_time(at, "HH:mm:ss", tzinfo=at.tzinfo, locale=_REGIONS[self.language])

    def day(self, at: datetime | date) -> str:
        """Sam. 21 nov."""
        return _date(_day_of(at), "E d MMM", _REGIONS[self.language])

    def long_day(self, at: datetime | date) -> str:
        """Write a day in full: samedi 21 novembre 2026."""
        return _date(_day_of(at), "EEEE d MMMM y", _REGIONS[self.language])

    def short_day(self, at: datetime | date) -> str:
        """Write a day in digits: 21/11/2026."""
        return _date(_day_of(at), "short" if self.language == "fr" else "dd/MM/y", _REGIONS[self.language])

    def moment(self, at: datetime) -> str:
        """Write day and hour: sam. 21 nov. 16:00."""
        return _datetime(at, "E d MMM HH:mm", _REGIONS[self.language])

    def near(self, at: datetime, now: datetime) -> str:
        """16:00 on the same local day, else with the day: the shortest text that cannot mislead."""
        here = now.astimezone(at.tzinfo)
        return self.clock(at) if here.date() == at.date() else self.moment(at)

    def relative_day(self, at: datetime, now: datetime) -> str:
        """Today, tomorrow, or the day."""
        days = (at.date() - now.astimezone(at.tzinfo).date()).days
        names = {-1: self.gettext("yesterday"), 0: self.gettext("today"), 1: self.gettext("tomorrow")}
        return names.get(days, self.day(at))

    def span(self, start: datetime, end: datetime, now: datetime) -> str:
        """Today 16:00 → 20:00, or with both days when they differ."""
        last = (
            self.clock(end)
            if end.date() == start.date()
            else f"{self.relative_day(end, now)} {self.clock(end)}"
        )
        return f"{self.relative_day(start, now)} {self.clock(start)} → {last}"

    def ago(self, at: datetime, now: datetime) -> str:
        """Write the distance from now: 2 min ago."""
        return format_timedelta(
            at - now, granularity="second", add_direction=True, format="short", locale=_REGIONS[self.language]
        )

    def duration(self, length: timedelta) -> str:
        """1 h 20, 45 min, 2 d 3 h; minutes rounded down."""
        minutes = int(length.total_seconds()) // 60
        days, hours, rest = minutes // 1440, minutes % 1440 // 60, minutes % 60
        if days:
            day = self.gettext("d")
            return f"{days} {day} {hours} h" if hours else f"{days} {day}"
        if hours:
            return f"{hours} h {rest:02d}" if rest else f"{hours} h"
        return f"{rest} min"

    def number(self, value: float | Decimal) -> str:
        """Write a number: 1 234,5."""
        return format_decimal(value, locale=_REGIONS[self.language])

    def euros(self, cents: int) -> str:
        """Write an amount: 12,50 €."""
        return format_currency(Decimal(cents) / 100, "EUR", locale=_REGIONS[self.language])

    def kw(self, watts: float) -> str:
        """Write a power: 18,4 kW."""
        return f"{self.kilo(watts)} kW"

    def kwh(self, watt_hours: float) -> str:
        """Write an energy: 14,2 kWh."""
        return f"{self.kilo(watt_hours)} kWh"

    def kilo(self, value: float) -> str:
        """Thousands with one decimal at most: 18,4 or 24."""
        return _kilo(round(value / 1000, 1), _REGIONS[self.language])

    def amps(self, current_a: float) -> str:
        """Write a current: 16 A."""
        return f"{self.number(round(current_a, 1))} A"

    def percent(self, value: float) -> str:
        """61 %, given 0 to 100."""
        return _percent(round(value), _REGIONS[self.language])


@cache
def translator(language: str) -> Translator:
    """The translator of a known language; an unknown one gives the default."""
    return Translator(language if language in LANGUAGES else DEFAULT_LANGUAGE)


def negotiated(accept_language: str) -> str:
    """The first known language of an ``Accept-Language`` header by weight, else French."""
    wishes = []
    for position, part in enumerate(accept_language[:200].split(",")):
        tag, _, quality = part.partition(";q=")
        wishes.append((-_weight(quality), position, tag.strip().lower().partition("-")[0]))
    return next((tag for _, _, tag in sorted(wishes) if tag in LANGUAGES), DEFAULT_LANGUAGE)


def _weight(quality: str) -> float:
    try:
        return float(quality) if quality else 1.0
    except ValueError:
        return 0.0


def _day_of(at: datetime | date) -> date:
    return at.date() if isinstance(at, datetime) else at


@lru_cache(_CACHED_TEXTS)
def _time(at: datetime, region: str) -> str:
    return format_time(at, "HH:mm", tzinfo=at.tzinfo, locale=region)


@lru_cache(_CACHED_TEXTS)
def _date(on: date, pattern: str, region: str) -> str:
    return format_date(on, pattern, locale=region)


@lru_cache(_CACHED_TEXTS)
def _datetime(at: datetime, pattern: str, region: str) -> str:
    return format_datetime(at, pattern, tzinfo=at.tzinfo, locale=region)


@lru_cache(_CACHED_TEXTS)
def _kilo(value: float, region: str) -> str:
    return format_decimal(value, "#,##0.#", locale=region)


@lru_cache(_CACHED_TEXTS)
def _percent(value: int, region: str) -> str:
    return format_percent(Decimal(value) / 100, locale=region)


__all__ = ["DEFAULT_LANGUAGE", "LANGUAGES", "N_", "Translator", "catalogue", "negotiated", "translator"]
