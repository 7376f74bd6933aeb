"""How a language says a day, an hour, a span of time and an amount. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.numbers import format_currency

from supervision.notify.phone import readable

_LOCALES = {"fr": "fr_FR", "en": "en_GB"}
_SAME_DAY = {"fr": "{day} de {start} à {end}", "en": "{day} from {start} to {end}"}
_TWO_DAYS = {"fr": "du {start} au {end}", "en": "from {start} to {end}"}
_AT = {"fr": "{day} à {clock}", "en": "{day} at {clock}"}


@dataclass(frozen=True, kw_only=True)
class Say:
    """One language and the zone of one community; the templates know it as ``say``."""

    language: str
    zone: ZoneInfo

    def day(self, instant: datetime) -> str:
        """E.g. samedi 21 novembre, Saturday 21 November."""
        return self._format(instant, "EEEE d MMMM")

    def clock(self, instant: datetime) -> str:
        """E.g. 18:05, in both languages."""
        return self._format(instant, "HH:mm")

    def moment(self, instant: datetime) -> str:
        """E.g. samedi 21 novembre à 18:05."""
        return _AT[self.language].format(day=self.day(instant), clock=self.clock(instant))

    def span(self, start: datetime, end: datetime) -> str:
        """E.g. samedi 21 novembre de 18:00 à 20:00, with both days when they differ."""
        if self.day(start) == self.day(end):
            days, first, last = _SAME_DAY, self.clock(start), self.clock(end)
        else:
            days, first, last = _TWO_DAYS, self.moment(start), self.moment(end)
        return days[self.language].format(day=self.day(start), start=first, end=last)

    def short(self, instant: datetime) -> str:
        """For an SMS: 21/11 18:05."""
        return self._format(instant, "dd/MM HH:mm")

    def short_span(self, start: datetime, end: datetime) -> str:
        """For an SMS: 21/11 18:00-20:00, or 21/11 18:00-22/11 09:00."""
        last = self.clock(end) if self.day(start) == self.day(end) else self.short(end)
        return f"{self.short(start)}-{last}"

    def euros(self, cents: int) -> str:
        """An amount, e.g. 12,50 € or €12.50."""
        return str(format_currency(Decimal(cents) / 100, "EUR", locale=_LOCALES[self.language]))

    def phone(self, number: str) -> str:
        """A telephone number in groups."""
        return readable(number)

    def _format(self, instant: datetime, pattern: str) -> str:
        return str(format_datetime(instant, pattern, tzinfo=self.zone, locale=_LOCALES[self.language]))
