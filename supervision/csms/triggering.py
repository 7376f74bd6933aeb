"""How often a station is asked, by nobody in particular, to send a message again.

A storm of TriggerMessage freezes some stations, and a boot that is asked for whenever one was told is a loop
(quirk 14). So each message is asked for at most once in ten minutes, whoever asked last, and no more for a
week where the station does not know how to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from supervision.store.db import Reader
from supervision.store.schema import commands

ACTION = "TriggerMessage"
PACE = timedelta(minutes=10)
REMEMBERED = timedelta(days=7)
UNKNOWN_THERE = frozenset({"NotImplemented", "NotSupported"})
MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A message was asked for; `word` is the status or the error code that answered, if any did."""

    message: str
    at: datetime
    word: str | None = None


def may_ask(earlier: Sequence[Asked], message: str, now: datetime) -> bool:
    """Tell whether a station may be asked for a message now."""
    mine = [one for one in earlier if one.message == message]
    if any(one.word in UNKNOWN_THERE for one in mine):
        return False
    return all(now - one.at >= PACE for one in mine)


async def asked_lately(reader: Reader, organisation_id: str, identity: str, now: datetime) -> list[Asked]:
    """Return what a station was asked for and how it answered, newest first."""
    table = commands
    rows = await reader.all(
        select(table.c.payload, table.c.created_at, table.c.response, table.c.error)
        .where(
            table.c.organisation_id == organisation_id,
            table.c.charging_station == identity,
            table.c.action == ACTION,
            table.c.created_at > now - REMEMBERED,
        )
        .order_by(table.c.created_at.desc())
        .limit(MOST)
    )
    return [
        Asked(message=str(row["payload"].get("requestedMessage")), at=row["created_at"], word=_word(row))
        for row in rows
    ]


def _word(row: Mapping[str, Any]) -> str | None:
    told = (row["response"] or {}).get("status") or (row["error"] or {}).get("code")
    return None if told is None else str(told)
