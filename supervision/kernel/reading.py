"""Read JSON from outside strictly: every wrong or unknown field is refused with its path."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final, NoReturn
from zoneinfo import ZoneInfo

from supervision.kernel.errors import FieldError
from supervision.kernel.timespan import parse_instant

_HUGE: Final = 10**15
_FINEST: Final = (
    -12
)  # decimal places of the smallest number; 1e-999999999 would fill the memory as a fraction


def read_json(text: str) -> object:
    """Parse JSON; numbers with a point become Decimal, so that no amount passes through a float."""
    try:
        value: object = json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise FieldError("$", f"not JSON: {error}") from error
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _exact(value: object) -> object:
    """Another parser's float as the decimal it was written as."""
    return Decimal(str(value)) if isinstance(value, float) else value


class Fields:
    """One JSON object being read: each getter marks its field as known, `close` refuses the others."""

    def __init__(self, value: object, path: str = "$") -> None:
        if not isinstance(value, Mapping):
            raise FieldError(path, "an object is wanted")
        self.path = path
        self._values = value
        self._known: set[str] = set()

    def at(self, name: str) -> str:
        """Path of a field, as written in errors."""
        return f"{self.path}.{name}"

    def has(self, name: str) -> bool:
        """Tell whether the field is present and not null."""
        return self._values.get(name) is not None

    def names(self) -> list[str]:
        """Every field name, for objects used as a map."""
        return [str(name) for name in self._values]

    def ignore(self, *names: str) -> None:
        """Count these fields as known without reading them: a null stands for an absent field."""
        self._known.update(names)

    def raw(self, name: str) -> object:
        """The value as parsed, None when absent."""
        self._known.add(name)
        return self._values.get(name)

    def _required(self, name: str) -> object:
        value = self.raw(name)
        if value is None:
            raise FieldError(self.at(name), "missing")
        return value

    def text(self, name: str) -> str:
        """A text that is not empty."""
        value = self._required(name)
        if not isinstance(value, str) or not value.strip():
            raise FieldError(self.at(name), "a text is wanted")
        return value

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """One of the given words."""
        value = self._required(name)
        if value not in choices:
            raise FieldError(self.at(name), f"one of {', '.join(choices)} is wanted")
        return str(value)

    def flag(self, name: str) -> bool:
        """True or false; absent means false."""
        value = self.raw(name)
        if value is not None and not isinstance(value, bool):
            raise FieldError(self.at(name), "true or false is wanted")
        return value is True

    def integer(self, name: str, *, at_least: int = -_HUGE, at_most: int = _HUGE) -> int:
        """A whole number within the bounds; 1.0 counts as whole."""
        value = _exact(self._required(name))
        if isinstance(value, Decimal) and value.is_finite() and abs(value) <= _HUGE and value == int(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise FieldError(self.at(name), "a whole number is wanted")
        if not at_least <= value <= at_most:
            raise FieldError(self.at(name), f"must lie between {at_least} and {at_most}")
        return value

    def decimal(
        self, name: str, *, at_least: Decimal = Decimal(0), at_most: Decimal = Decimal(_HUGE)
    ) -> Decimal:
        """An exact decimal, as a JSON number or as a text such as "0.25"."""
        value = _exact(self._required(name))
        if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
            raise FieldError(self.at(name), "a decimal number is wanted")
        try:
            number = Decimal(value)
        except InvalidOperation as error:
            raise FieldError(self.at(name), "a decimal number is wanted") from error
        if not number.is_finite() or not at_least <= number <= at_most or number.adjusted() < _FINEST:
            raise FieldError(self.at(name), f"must lie between {at_least} and {at_most}")
        return number

    def instant(self, name: str) -> datetime:
        """RFC 3339 with an offset, returned in UTC."""
        try:
            return parse_instant(self.text(name))
        except (ValueError, OverflowError) as error:
            raise FieldError(
                self.at(name), "an instant such as 2026-11-21T18:00:00+01:00 is wanted"
            ) from error

    def local_date(self, name: str) -> date:
        """A calendar day such as 2026-01-31."""
        try:
            return date.fromisoformat(self.text(name))
        except ValueError as error:
            raise FieldError(self.at(name), "a date such as 2026-01-31 is wanted") from error

    def zone(self, name: str) -> ZoneInfo:
        """A time zone such as Europe/Paris."""
        try:
            return ZoneInfo(self.text(name))
        except (ValueError, OSError) as error:  # unknown key, or a path that is no zone file
            raise FieldError(self.at(name), "a time zone such as Europe/Paris is wanted") from error
        except KeyError as error:  # ZoneInfoNotFoundError
            raise FieldError(self.at(name), "an unknown time zone") from error

    def child(self, name: str) -> Fields:
        """A nested object."""
        return Fields(self._required(name), self.at(name))

    def sequence(self, name: str) -> list[tuple[object, str]]:
        """The items of a list, each with its path; absent means empty."""
        value = self.raw(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise FieldError(self.at(name), "a list is wanted")
        return [(item, f"{self.at(name)}[{index}]") for index, item in enumerate(value)]

    def children(self, name: str) -> Iterator[Fields]:
        """The items of a list of objects."""
        return (Fields(item, path) for item, path in self.sequence(name))

    def close(self) -> None:
        """Refuse the fields nobody asked for: a typing error must not pass as a default."""
        unknown = [name for name in self.names() if name not in self._known]
        if unknown:
            raise FieldError(self.at(unknown[0]), "unknown field")
