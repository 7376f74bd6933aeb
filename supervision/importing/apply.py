"""Bring the database to what an import document says, in one unit of work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Table, and_, delete, insert, select, update

from supervision import chance
from supervision.accounts.passwords import Passwords
from supervision.clock import Clock
from supervision.csms import credentials
from supervision.importing.document import READERS, Entry, Reference, parse
from supervision.kernel.errors import FieldError
from supervision.store import schema
from supervision.store.db import Database, Tx, across_tenants

_TABLES: dict[str, Table] = {name: getattr(schema, name) for name in READERS}
# Which reference tells the organisation of an entry, and the column that keeps the reference.
_PARENT_COLUMN = {"organisations": "organisation_id", "communities": "community_id", "stations": "station_id"}


@dataclass(frozen=True)
class Summary:
    """What an import did."""

    created: int
    updated: int
    unchanged: int


async def import_document(db: Database, clock: Clock, text: str) -> Summary:
    """Apply the document in one unit of work; FieldError leaves the database as it was."""
    entries = parse(text)
    known = await _password_hashes(db, entries)

    async def unit(tx: Tx) -> Summary:
        return await _Writer(tx, clock.now(), known).apply(entries)

    return await db.write(across_tenants("an operator's file may hold several organisations"), unit)


async def _password_hashes(db: Database, entries: list[Entry]) -> dict[str, str]:
    """Hash the passwords that changed, outside the unit of work: hashing takes its time on purpose."""
    passwords = Passwords()
    hashes: dict[str, str] = {}
    async with db.read(across_tenants("passwords of people of any organisation")) as reader:
        rows = await reader.all(select(schema.people.c.id, schema.people.c.password_hash))
    stored = {row["id"]: row["password_hash"] for row in rows}
    for entry in entries:
        if entry.section == "people" and entry.password is not None:
            before = stored.get(entry.id)
            if before is None or not await passwords.matches(before, entry.password):
                hashes[entry.id] = await passwords.hash(entry.password)
    return hashes


class _Writer:
    """Applies entries in order; keeps the organisation of everything it has seen."""

    def __init__(self, tx: Tx, now: datetime, hashes: Mapping[str, str]) -> None:
        self._tx = tx
        self._now = now
        self._hashes = hashes
        self._owners: dict[tuple[str, str], str | None] = {}
        self._counts = {"created": 0, "updated": 0, "unchanged": 0}

    async def apply(self, entries: list[Entry]) -> Summary:
        for entry in entries:
            await self._apply_one(entry)
        return Summary(**self._counts)

    async def _apply_one(self, entry: Entry) -> None:
        for reference in entry.references:
            await self._resolve(reference)
        values = {**entry.values, **self._parents(entry)}
        owner = await self._owner(entry)
        if owner is not None:
            values["organisation_id"] = owner
        if entry.section == "people":
            await self._refuse_taken_address(entry)
            if entry.id in self._hashes:
                values["password_hash"] = self._hashes[entry.id]
        if entry.section == "charging_stations":
            values |= await self._station_security(entry)
        outcome = await self._upsert(entry, values)
        extras = False
        if entry.section == "people":
            extras = await self._replace_roles(entry)
        if entry.section == "charging_stations":
            extras = await self._upsert_evses(entry, str(owner))
        self._counts["updated" if outcome == "unchanged" and extras else outcome] += 1
        self._owners[entry.section, entry.id] = entry.id if entry.section == "organisations" else owner

    async def _resolve(self, reference: Reference) -> None:
        key = (reference.section, reference.id)
        if key not in self._owners:
            found, owner = await self._lookup(reference)
            if not found:
                kind = reference.section.removesuffix("s").replace("_", " ")
                raise FieldError(reference.path, f"unknown {kind} {reference.id!r}")
            self._owners[key] = owner

    async def _lookup(self, reference: Reference) -> tuple[bool, str | None]:
        if reference.section == "evses":
            identity, _, number = reference.id.rpartition("/")
            condition = and_(
                schema.evses.c.charging_station == identity, schema.evses.c.evse_id == int(number)
            )
            row = await self._tx.first(select(schema.evses).where(condition))
        else:
            table = _TABLES[reference.section]
            row = await self._tx.first(select(table).where(next(iter(table.primary_key)) == reference.id))
        if row is None:
            return False, None
        return True, row["id"] if reference.section == "organisations" else row.get("organisation_id")

    def _parents(self, entry: Entry) -> dict[str, str]:
        columns = _TABLES[entry.section].c
        return {
            _PARENT_COLUMN[reference.section]: reference.id
            for reference in entry.references
            if reference.section in _PARENT_COLUMN and _PARENT_COLUMN[reference.section] in columns
        }

    async def _owner(self, entry: Entry) -> str | None:
        """Return the organisation of an entry; every reference of it must agree."""
        if entry.section in ("organisations", "people"):
            return None
        owners = {self._owners[ref.section, ref.id]: ref for ref in entry.references}
        if entry.section == "id_tokens":
            return await self._token_owner(entry)
        if len(owners) > 1:
            raise FieldError(entry.references[-1].path, "belongs to another organisation")
        return next(iter(owners))

    async def _token_owner(self, entry: Entry) -> str:
        named = [ref.id for ref in entry.references if ref.section == "organisations"]
        if named:
            return named[0]
        person = entry.values["person_id"]
        table = schema.roles if person else schema.organisations
        column = schema.roles.c.organisation_id if person else schema.organisations.c.id
        query = select(column.label("id")).distinct()
        if person:
            query = query.where(schema.roles.c.person_id == person)
        rows = await self._tx.all(query.select_from(table))
        if len(rows) != 1:
            raise FieldError(f"{entry.path}.organisation", "missing: more than one organisation is possible")
        return str(rows[0]["id"])

    async def _upsert(self, entry: Entry, values: dict[str, Any]) -> str:
        table = _TABLES[entry.section]
        key = dict(entry.key)
        if entry.section == "id_tokens":
            key["organisation_id"] = values.pop("organisation_id")
        where = and_(*(table.c[name] == value for name, value in key.items()))
        row = await self._tx.first(select(table).where(where))
        if row is None:
            created = {"created_at": self._now} if "created_at" in table.c else {}
            await self._tx.execute(insert(table).values(**key, **values, **created))
            return "created"
        if "organisation_id" in values and row["organisation_id"] != values["organisation_id"]:
            raise FieldError(entry.path, f"{entry.id!r} belongs to another organisation")
        changed = {name: value for name, value in values.items() if row[name] != value}
        if not changed:
            return "unchanged"
        await self._tx.execute(update(table).where(where).values(**changed))
        if "rules" in changed:
            await self._remember_rules(row, changed["rules"])
        return "updated"

    async def _remember_rules(self, row: Mapping[str, Any], after: object) -> None:
        await self._tx.execute(
            insert(schema.rule_changes).values(
                organisation_id=row["organisation_id"],
                community_id=row["id"],
                at=self._now,
                before=row["rules"],
                after=after,
            )
        )

    async def _refuse_taken_address(self, entry: Entry) -> None:
        table = schema.people
        taken = select(table.c.id).where(table.c.email == entry.values["email"], table.c.id != entry.id)
        if await self._tx.scalar(taken) is not None:
            raise FieldError(f"{entry.path}.email", "another person has this mail address")

    async def _station_security(self, entry: Entry) -> dict[str, Any]:
        """What the station has agreed to since stays: a raised profile, a password of ours."""
        table = schema.charging_stations
        row = await self._tx.first(select(table).where(table.c.identity == entry.id))
        if row is None:
            return self._station_secret(entry, None)
        profile = max(row["security_profile"], entry.values["security_profile"])
        secret = {} if row["password_rotated_at"] is not None else self._station_secret(entry, row)
        return {"security_profile": profile, **secret}

    def _station_secret(self, entry: Entry, row: Mapping[str, Any] | None) -> dict[str, Any]:
        if entry.password is None:
            return {"password_salt": None, "password_hash": None}
        given = entry.password.encode()
        if (
            row
            and row["password_hash"]
            and credentials.matches(row["password_hash"], row["password_salt"], given)
        ):
            return {}
        salt = chance.new_bytes(16)
        return {"password_salt": salt, "password_hash": credentials.hash_password(salt, given)}

    async def _replace_roles(self, entry: Entry) -> bool:
        wanted = {await self._role_key(role) for role in entry.roles}
        table = schema.roles
        rows = await self._tx.all(select(table).where(table.c.person_id == entry.id))
        present = {(row["role"], row["organisation_id"], row["community_id"]): row["id"] for row in rows}
        gone = [present[key] for key in present.keys() - wanted]
        fresh = [
            {"person_id": entry.id, "role": role, "organisation_id": organisation, "community_id": community}
            for role, organisation, community in sorted(wanted - present.keys(), key=str)
        ]
        if gone:
            await self._tx.execute(delete(table).where(table.c.id.in_(gone)))
        if fresh:
            await self._tx.execute(insert(table), fresh)
        return bool(gone or fresh)

    async def _role_key(self, role: Mapping[str, Any]) -> tuple[str, str, str | None]:
        community = role["community_id"]
        organisation = role["organisation_id"] or self._owners["communities", community]
        return (role["role"], str(organisation), community)

    async def _upsert_evses(self, entry: Entry, owner: str) -> bool:
        table, changed = schema.evses, False
        rows = await self._tx.all(select(table).where(table.c.charging_station == entry.id))
        present = {row["evse_id"]: row for row in rows}
        for evse in entry.evses:
            before = present.pop(evse["evse_id"], None)
            where = and_(table.c.charging_station == entry.id, table.c.evse_id == evse["evse_id"])
            if before is None:
                values = {**evse, "charging_station": entry.id, "organisation_id": owner}
                await self._tx.execute(insert(table).values(**values))
            elif any(before[name] != value for name, value in evse.items()):
                await self._tx.execute(update(table).where(where).values(**evse))
            else:
                continue
            changed = True
        for evse_id in present:
            where = and_(table.c.charging_station == entry.id, table.c.evse_id == evse_id)
            await self._tx.execute(delete(table).where(where))
            changed = True
        return changed
