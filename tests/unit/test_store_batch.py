"""Rows of many jobs on SQLite: few statements, in order."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from supervision.store.batch import ROWS_PER_INSERT, Prepared, by_statement, several, write_rows

ONE = "INSERT INTO kept (name, number) VALUES (?, ?)"
INSERT = Prepared(ONE, ("name", "number"), several(ONE, 2))
RENAME = Prepared("UPDATE kept SET name = ? WHERE number = ?", ("new", "number"))


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    opened.execute("CREATE TABLE kept (id INTEGER PRIMARY KEY, name TEXT NOT NULL, number INTEGER)")
    yield opened
    opened.close()


@pytest.mark.parametrize("count", [1, ROWS_PER_INSERT - 1, ROWS_PER_INSERT, 2 * ROWS_PER_INSERT + 5])
def test_rows_are_written_in_their_order(connection: sqlite3.Connection, count: int) -> None:
    write_rows(connection, {INSERT: [(f"n{number}", number) for number in range(count)]})
    found = connection.execute("SELECT name, number FROM kept ORDER BY id").fetchall()
    assert found == [(f"n{number}", number) for number in range(count)]


def test_statements_follow_one_another(connection: sqlite3.Connection) -> None:
    write_rows(connection, {INSERT: [("old", 1)], RENAME: [("new", 1)]})
    assert connection.execute("SELECT name FROM kept").fetchall() == [("new",)]


def test_rows_are_grouped_by_statement_in_the_order_each_first_comes() -> None:
    rows = [(RENAME, ("a", 1)), (INSERT, ("b", 2)), (RENAME, ("c", 3))]
    batches = by_statement(rows)
    assert list(batches.items()) == [(RENAME, [("a", 1), ("c", 3)]), (INSERT, [("b", 2)])]


def test_values_are_arranged_as_the_statement_wants_them() -> None:
    arrange = RENAME.arrange("number", "unused", "new")
    assert arrange((1, "nothing", "name")) == ("name", 1)


def test_an_arrangement_without_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        RENAME.arrange("number")
