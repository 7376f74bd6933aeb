"""Unknown charging stations: seen, listed, adopted by hand. Nothing is ever registered by itself.

A stranger belongs to no organisation, so who sees it is decided here: the whole list is for people who
administer every organisation of the installation; whoever administers one of several can look up an identity
that he knows (it stands on the device) and adopt it, but sees neither the others' devices nor any address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select

from supervision import chance
from supervision.clock import Clock
from supervision.csms.directory import DirectoryService, Document, NewEvse, Page
from supervision.csms.strangers import Knock, Note, Notebook, protocols
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import instant_text
from supervision.store.db import Database, Reader, Tx, across_tenants
from supervision.store.schema import audit_entries, charging_stations, organisations, unknown_stations

MOST_ROWS = 500
PASSWORD_BYTES = 16  # 128 bits, sent as 32 hexadecimal digits
_NOBODYS = across_tenants(
    "an unknown station belongs to no organisation; a known one is none, whoever has it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """A stranger that became a charging station; `password` is told this once, None without one."""

    document: Document
    password: str | None


class AdoptionService:
    """One instance per process: it keeps the notebook of the listener."""

    def __init__(self, *, db: Database, clock: Clock, directory: DirectoryService) -> None:
        self._db = db
        self._clock = clock
        self._directory = directory
        self._notebook = Notebook()

    def note(self, identity: str, address: str, offered: Sequence[str], *, sent_password: bool) -> None:
        """Remember a refused handshake; writes nothing, whoever knocks and however often.

        Known stations with a wrong password are noted alike, so that the handshake takes the same path, and
        left out when the notes are written.
        """
        knock = Knock(
            identity=identity,
            address=address,
            offered=protocols(offered),
            sent_password=sent_password,
            at=self._clock.now(),
        )
        self._notebook.note(knock)

    async def write_due(self) -> int:
        """Write what is due, at most once a minute for each identity; return how many were written."""
        notes = self._notebook.take_due(self._clock.now())
        if not notes:
            return 0

        async def unit(tx: Tx) -> int:
            known = await _registered(tx, [note.knock.identity for note in notes])
            strangers = [note for note in notes if note.knock.identity not in known]
            for note in strangers:
                await tx.execute(self._upsert(note))
            await _drop_oldest(tx)
            return len(strangers)

        return await self._db.write(_NOBODYS, unit)

    async def strangers(
        self, administered: Sequence[str], *, identity: str | None = None, after: str = "", limit: int = 100
    ) -> Page:
        """List unknown stations by identity, as far as who administers these organisations may see them."""
        table = unknown_stations
        async with self._db.read(_NOBODYS) as reader:
            sees_all = await _is_every_organisation(reader, administered)
            if not administered or not (sees_all or identity):
                return Page(items=[], next=None)
            statement = (
                select(table)
                .where(
                    table.c.identity > after, table.c.identity.not_in(select(charging_stations.c.identity))
                )
                .order_by(table.c.identity)
                .limit(limit + 1)
            )
            if identity:
                statement = statement.where(table.c.identity == identity)
            rows = await reader.all(statement)
        items = [_document(row, shows_address=sees_all) for row in rows[:limit]]
        return Page(items=items, next=str(items[-1]["identity"]) if len(rows) > limit else None)

    async def adopt(
        self,
        organisation_id: str,
        identity: str,
        *,
        station_id: str,
        new_evses: Sequence[NewEvse],
        security_profile: int = 1,
        by_person_id: str | None = None,
    ) -> Adopted | Refused:
        """Register a stranger that has knocked, with a new password unless the profile has none."""
        found = await self.strangers([organisation_id], identity=identity, limit=1)
        if not found.items:
            return Refused("unknown_stranger", {"charging_station": identity})
        password = None if security_profile == 0 else chance.new_bytes(PASSWORD_BYTES).hex()
        made = await self._directory.register(
            organisation_id,
            identity=identity,
            station_id=station_id,
            new_evses=new_evses,
            security_profile=security_profile,
            password=password,
        )
        if isinstance(made, Refused):
            return made

        async def unit(tx: Tx) -> None:
            await tx.execute(delete(unknown_stations).where(unknown_stations.c.identity == identity))
            await tx.execute(
                insert(audit_entries).values(
                    organisation_id=organisation_id,
                    at=self._clock.now(),
                    person_id=by_person_id,
                    action="charging_station_adopted",
                    subject=identity,
                    details={"station": station_id},
                )
            )

        await self._db.write(organisation_id, unit)
        return Adopted(document=made, password=password)

    def _upsert(self, note: Note) -> Any:
        table, knock = unknown_stations, note.knock
        newest = {
            "address": knock.address,
            "offered": list(knock.offered),
            "sent_password": knock.sent_password,
            "last_seen_at": knock.at,
        }
        statement = self._db.insert(table).values(
            identity=knock.identity, first_seen_at=note.first_seen_at, attempts=note.attempts, **newest
        )
        return statement.on_conflict_do_update(
            index_elements=[table.c.identity],
            set_={**newest, "attempts": table.c.attempts + note.attempts},
        )


async def _registered(reader: Reader, identities: Sequence[str]) -> set[str]:
    column = charging_stations.c.identity
    return {row["identity"] for row in await reader.all(select(column).where(column.in_(identities)))}


async def _drop_oldest(tx: Tx) -> None:
    """Keep the newest rows: a station that goes on trying stays, a name heard once makes room."""
    table = unknown_stations
    kept = select(table.c.identity).order_by(table.c.last_seen_at.desc(), table.c.identity).limit(MOST_ROWS)
    await tx.execute(delete(table).where(table.c.identity.not_in(kept)))


async def _is_every_organisation(reader: Reader, organisation_ids: Sequence[str]) -> bool:
    every = {row["id"] for row in await reader.all(select(organisations.c.id))}
    return bool(every) and every <= set(organisation_ids)


def _document(row: Mapping[str, Any], *, shows_address: bool) -> Document:
    return {
        "identity": row["identity"],
        "address": row["address"] if shows_address else None,
        "first_seen_at": instant_text(row["first_seen_at"]),
        "last_seen_at": instant_text(row["last_seen_at"]),
        "attempts": row["attempts"],
        "offered": row["offered"],
        "sent_password": row["sent_password"],
    }
