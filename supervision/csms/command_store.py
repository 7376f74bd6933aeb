"""Commands as rows: what is asked for, what has become of it, and how it is told."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Table,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from supervision.csms import parts
from supervision.csms.command_policy import policy_of
from supervision.csms.frame import Version
from supervision.csms.judgement import Verdict, judge_command
from supervision.csms.masking import mask_payload
from supervision.csms.outbound import CommandState
from supervision.csms.store import Station, of_this_station
from supervision.kernel.events import CommandFinished
from supervision.kernel.timespan import format_instant, from_millis, instant_text, to_millis
from supervision.store.db import Reader, Tx
from supervision.store.schema import charging_stations, command_batches, commands

Row = Mapping[str, Any]
Document = dict[str, Any]

UNFINISHED = (CommandState.QUEUED.value, CommandState.SENT.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """A command as it stands, with what the station's answer means."""

    id: str
    state: CommandState
    response: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command that was checked; `refusal` is set when it must not be sent.

    `lasts_s` is how long it may wait to be sent, and, when `answer_s` is None because somebody waits for the
    end, for its answer too. `items` is how many items the station takes in one CALL of this action.
    """

    id: str
    station: Station
    version: Version | None
    action: str
    payload: Mapping[str, Any]
    priority: int
    lasts_s: float
    answer_s: float | None
    tries: int
    tries_allowed: int
    origin: str
    by_person_id: str | None
    refusal: Mapping[str, Any] | None
    items: int | None
    key: str | None = None
    batch_id: str | None = None
    due_at: datetime | None = None

    @property
    def kept(self) -> dict[str, Any]:
        """The payload as it may be kept: secrets masked."""
        kept: dict[str, Any] = mask_payload(dict(self.payload))
        return kept


def tries_for(action: str, payload: Mapping[str, Any]) -> int:
    """How often a command nobody waits for is sent at most.

    One with a secret once: its payload is masked when it is sent, so nothing is left to send again.
    """
    return policy_of(action).tries if mask_payload(payload) == payload else 1


def fingerprint(action: str, payload: object) -> str:
    """Tell one command from another under the same key without keeping its payload."""
    text = json.dumps([action, payload], sort_keys=True, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=16).hexdigest()


# --- writing --------------------------------------------------------------------------------------------


async def insert_order(tx: Tx, order: Order, state: CommandState, now: datetime, **values: Any) -> None:
    """Write a new command; IntegrityError when the station has one under the same key."""
    row = {
        "id": order.id,
        "organisation_id": order.station.organisation_id,
        "charging_station": order.station.identity,
        "action": order.action,
        "payload": dict(order.payload),
        "priority": order.priority,
        "state": state.value,
        "created_at": now,
        "expires_at": now + timedelta(seconds=order.lasts_s),
        "origin": order.origin,
        "by_person_id": order.by_person_id,
        "due_at": order.due_at,
        "tries_allowed": order.tries_allowed,
        "batch_id": order.batch_id,
        "idempotency_key": order.key,
        "fingerprint": None if order.key is None else fingerprint(order.action, order.payload),
        **values,
    }
    await tx.execute(insert(commands).values(**row))
    tx.touch(order.station.topic)


def of(organisation_id: str, identity: str, command_id: str) -> ColumnElement[bool]:
    """The condition that names one command."""
    return and_(
        commands.c.organisation_id == organisation_id,
        commands.c.charging_station == identity,
        commands.c.id == command_id,
    )


async def load(reader: Reader, station: Station, command_id: str) -> Row | None:
    """Return one command."""
    return await reader.first(
        select(commands).where(of(station.organisation_id, station.identity, command_id))
    )


async def change(tx: Tx, station: Station, command_id: str, *conditions: Any, **values: Any) -> int:
    """Change one command where the conditions hold; return how many rows that were."""
    here = of(station.organisation_id, station.identity, command_id)
    return await tx.execute(update(commands).where(here, *conditions).values(**values))


async def finish(
    tx: Tx, station: Station, row: Row, state: CommandState, now: datetime, **values: Any
) -> None:
    """End a command: secrets go, pages and consumers learn of it."""
    kept = mask_payload(row["payload"])
    await change(tx, station, row["id"], state=state.value, finished_at=now, payload=kept, **values)
    tx.emit(CommandFinished(**station.about, command_id=row["id"], action=row["action"], state=state.value))
    tx.touch(station.topic)


# --- reading --------------------------------------------------------------------------------------------


def with_station() -> Any:
    """SELECT commands with what sending them needs to know of their stations."""
    columns = (
        charging_stations.c.station_id,
        charging_stations.c.ocpp.label("spoken"),
        charging_stations.c.capabilities,
    )
    joined = and_(
        charging_stations.c.identity == commands.c.charging_station,
        charging_stations.c.organisation_id == commands.c.organisation_id,
    )
    return select(commands, *columns).join(charging_stations, joined)


def waiting_query() -> Any:
    """SELECT what was queued for one station while it was away and has not expired, to be prepared."""
    now = bindparam("b_now", type_=commands.c.expires_at.type)
    return (
        with_station()
        .where(
            of_this_station(commands),
            commands.c.state == CommandState.QUEUED.value,
            commands.c.batch_id.is_(None),
            commands.c.expires_at > now,
            or_(commands.c.due_at.is_(None), commands.c.due_at <= now),
        )
        .order_by(commands.c.priority, commands.c.created_at)
    )


def order_of(row: Row, version: Version, now: datetime, refusal: Mapping[str, Any] | None) -> Order:
    """The order of a queued row that was read with its station."""
    return Order(
        id=row["id"],
        station=Station.of(row),
        version=version,
        action=row["action"],
        payload=row["payload"],
        priority=row["priority"],
        lasts_s=(row["expires_at"] - now).total_seconds(),
        answer_s=policy_of(row["action"]).answer_s,
        tries=row["tries"],
        tries_allowed=row["tries_allowed"],
        origin=row["origin"],
        by_person_id=row["by_person_id"],
        refusal=refusal,
        items=parts.limit_of(row["action"], row["capabilities"] or {}),
        batch_id=row["batch_id"],
        due_at=row["due_at"],
    )


async def under_key(reader: Reader, organisation_id: str, identity: str, key: str) -> Row | None:
    """Return the command a station has under a key."""
    return await reader.first(
        select(commands).where(
            commands.c.organisation_id == organisation_id,
            commands.c.charging_station == identity,
            commands.c.idempotency_key == key,
        )
    )


def result_of(row: Row) -> CommandResult:
    """A command as it stands."""
    return CommandResult(
        id=row["id"],
        state=CommandState(row["state"]),
        response=row["response"],
        error=row["error"],
        verdict=verdict_of(row),
    )


def verdict_of(row: Row) -> Verdict | None:
    """What the station said, judged when read, so that it is always today's judgement."""
    if row["state"] == CommandState.REFUSED.value:
        return None  # our own refusal
    return judge_command(
        Version.numbered(row["ocpp"]), row["action"], row["payload"], row["response"], row["error"]
    )


def document(row: Row) -> Document:
    """Write a command for the API and the pages; a secret that waits to be sent is masked."""
    verdict = verdict_of(row)
    ended_unanswered = row["state"] in {CommandState.TIMEOUT.value, CommandState.OFFLINE.value}
    return {
        "id": row["id"],
        "charging_station": row["charging_station"],
        "action": row["action"],
        "payload": mask_payload(row["payload"]),
        "state": row["state"],
        "response": row["response"],
        "error": row["error"],
        "verdict": None if verdict is None else verdict.document(),
        "late": ended_unanswered and verdict is not None,
        "tries": row["tries"],
        "origin": row["origin"],
        "batch": row["batch_id"],
        "created_at": format_instant(row["created_at"]),
        "due_at": instant_text(row["due_at"]),
        "expires_at": format_instant(row["expires_at"]),
        "sent_at": instant_text(row["sent_at"]),
        "finished_at": instant_text(row["finished_at"]),
    }


def batch_document(row: Row, counts: Mapping[str, int]) -> Document:
    """Write a batch: how many of its commands stand where."""
    return {
        "id": row["id"],
        "action": row["action"],
        "origin": row["origin"],
        "created_at": format_instant(row["created_at"]),
        "expires_at": format_instant(row["expires_at"]),
        "total": sum(counts.values()),
        "states": dict(sorted(counts.items())),
    }


async def counts_of(
    reader: Reader, organisation_id: str, batch_ids: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Count the commands of batches by state."""
    rows = await reader.all(
        select(commands.c.batch_id, commands.c.state, func.count().label("count"))
        .where(commands.c.organisation_id == organisation_id, commands.c.batch_id.in_(batch_ids))
        .group_by(commands.c.batch_id, commands.c.state)
    )
    found: dict[str, dict[str, int]] = {batch_id: {} for batch_id in batch_ids}
    for row in rows:
        found[row["batch_id"]][row["state"]] = row["count"]
    return found


async def batch_row(reader: Reader, organisation_id: str, batch_id: str) -> Row | None:
    """Return one batch."""
    table = command_batches
    return await reader.first(
        select(table).where(table.c.organisation_id == organisation_id, table.c.id == batch_id)
    )


_CURSOR = re.compile("([0-9]{1,14})-([a-z0-9]{1,40})")


def cursor(row: Row) -> str:
    """Where a list that is ordered by age and id stands after this row."""
    return f"{to_millis(row['created_at'])}-{row['id']}"


def before(table: Table, after: str) -> list[ColumnElement[bool]]:
    """The conditions of what follows a cursor, newest first; an unreadable cursor is the beginning."""
    place = _CURSOR.fullmatch(after)
    if place is None:
        return []
    at, last_id = from_millis(int(place[1])), place[2]
    older = table.c.created_at < at
    return [or_(older, and_(table.c.created_at == at, table.c.id < last_id))]
