"""Rows of many jobs on SQLite: few statements, all or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from supervision.store.batch import ROWS_PER_INSERT, Prepared, commit_rows, several

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
def test_rows_are_committed_in_their_order(connection: sqlite3.Connection, count: int) -> None:
    commit_rows(connection, {INSERT: [(f"n{number}", number) for number in range(count)]})
    assert not connection.in_transaction
    found = connection.execute("SELECT name, number FROM kept ORDER BY id").fetchall()
    assert found == [(f"n{number}", number) for number in range(count)]


def test_statements_follow_one_another(connection: sqlite3.Connection) -> None:
    commit_rows(connection, {INSERT: [("old", 1)], RENAME: [("new", 1)]})
    assert connection.execute("SELECT name FROM kept").fetchall() == [("new",)]


def test_one_bad_row_undoes_all(connection: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        commit_rows(connection, {INSERT: [("kept?", 1), (None, 2)]})
    assert not connection.in_transaction
    assert connection.execute("SELECT * FROM kept").fetchall() == []


def test_values_are_arranged_as_the_statement_wants_them() -> None:
    arrange = RENAME.arrange("number", "unused", "new")
    assert arrange((1, "nothing", "name")) == ("name", 1)


def test_an_arrangement_without_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        RENAME.arrange("number")
