"""The database as it is when everything has stopped."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any


class Stored:
    """The database as it is when everything has stopped."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def copy(self) -> Stored:
        """Return a copy that may be spoilt."""
        target = self.path.with_name("spoilt.db")
        shutil.copyfile(self.path, target)
        return Stored(target)

    def rows(self, query: str, *values: object) -> list[Any]:
        """Run one query."""
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(query, values).fetchall()

    def charges(self, station: str) -> list[tuple[str, int, int, int, str]]:
        """Return (id, start, stop, energy, state) of the charges of a station, as they were stored."""
        return self.rows(
            "SELECT ocpp_transaction_id, meter_start_wh, meter_stop_wh, energy_wh, state"
            " FROM charging_transactions WHERE charging_station = ? ORDER BY id",
            station,
        )

    def registers(self, station: str) -> Counter[tuple[int, int]]:
        """Count the stored periodic readings of the energy register of a station: (instant, Wh)."""
        return Counter(
            self.rows(
                "SELECT at, register_wh FROM meter_values"
                " WHERE charging_station = ? AND register_wh IS NOT NULL",
                station,
            )
        )

    def message_ids(self, station: str, direction: str) -> Counter[str]:
        """Count the frames of a station by message id."""
        query = "SELECT frame FROM frames WHERE charging_station = ? AND direction = ?"
        return Counter(json.loads(row[0])[1] for row in self.rows(query, station, direction))
