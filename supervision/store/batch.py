"""Statements compiled once for the driver, and rows of many jobs written with few of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any

ROWS_PER_INSERT = 32  # SQLite's driver lets go of the interpreter for each statement: fewer, larger ones

Row = tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A statement compiled once for the driver; `row` orders named values the way the driver wants them.

    Values must be what the driver stores: milliseconds for instants, JSON as text. Compared by identity:
    the writer groups rows by their statement, and hashing its text for every row is not free.
    """

    sql: str
    names: tuple[str, ...]
    several: str = ""  # the same insert for ROWS_PER_INSERT rows; empty where that gains nothing

    def row(self, **values: Any) -> Row:
        """Return the values in the statement's order; KeyError when one is missing."""
        return tuple([values[name] for name in self.names])

    def arrange(self, *names: str) -> Callable[[Row], Row]:
        """Return what puts values given in the order of `names` into the statement's; faster than `row`.

        ValueError when the statement wants a value that is not among them.
        """
        return itemgetter(*[names.index(name) for name in self.names])


Batches = dict[Prepared, list[Row]]


@dataclass(frozen=True, eq=False)
class PreparedQuery:
    """A SELECT compiled once; `asked` orders named values, `rows` reads what the driver returns."""

    sql: str
    names: tuple[str, ...]
    columns: tuple[tuple[str, Callable[[Any], Any] | None], ...]
    constants: Mapping[str, Any]  # what the query itself compares with

    def asked(self, values: Mapping[str, Any]) -> Row:
        """Return the values in the query's order; KeyError when one is missing."""
        given = {**self.constants, **values}
        return tuple([given[name] for name in self.names])

    def rows(self, found: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
        """Return every row, column name -> value."""
        return [
            {
                name: value if told is None else told(value)
                for (name, told), value in zip(self.columns, row, strict=True)
            }
            for row in found
        ]


def several(sql: str, columns: int) -> str:
    """Write an insert of one row as one of many; nothing for any other statement."""
    values = f"({', '.join('?' * columns)})"
    head, found, tail = sql.partition(f" VALUES {values}")
    return f"{head} VALUES {', '.join([values] * ROWS_PER_INSERT)}{tail}" if found else ""


def by_statement(rows: Iterable[tuple[Prepared, Row]]) -> Batches:
    """Group rows by their statement, in the order each statement first comes."""
    batches: Batches = {}
    for statement, row in rows:
        if statement in batches:
            batches[statement].append(row)
        else:
            batches[statement] = [row]
    return batches


def write_rows(connection: sqlite3.Connection, batches: Mapping[Prepared, Sequence[Row]]) -> None:
    """Write rows in order, as many as possible with one statement."""
    for statement, rows in batches.items():
        whole = len(rows) - len(rows) % ROWS_PER_INSERT if statement.several else 0
        if whole:
            starts = range(0, whole, ROWS_PER_INSERT)
            together = (tuple(chain.from_iterable(rows[at : at + ROWS_PER_INSERT])) for at in starts)
            connection.executemany(statement.several, together)
        if whole < len(rows):
            connection.executemany(statement.sql, rows[whole:])
