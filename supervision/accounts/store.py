"""Rows of accounts <-> values of accounts.model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from supervision.accounts.model import (
    Community,
    CommunityRules,
    Licence,
    Organisation,
    Person,
    Role,
    RoleName,
)
from supervision.store.db import Reader
from supervision.store.schema import communities, organisations, people, roles

Row = Mapping[str, Any]


def community_from(row: Row) -> Community:
    """Build a community from its row."""
    return Community(
        id=row["id"],
        organisation_id=row["organisation_id"],
        name=row["name"],
        zone=ZoneInfo(row["zone"]),
        rules=CommunityRules.from_json(row["rules"]),
        support_phone=row["support_phone"],
    )


def person_from(row: Row, role_rows: Sequence[Row]) -> Person:
    """Build a person from its row and the rows of its roles."""
    licence = None
    if row["licence_number"]:
        licence = Licence(
            number=row["licence_number"],
            category=row["licence_category"],
            valid_until=row["licence_valid_until"],
        )
    return Person(
        id=row["id"],
        email=row["email"],
        name=row["name"],
        phone=row["phone"],
        locale=row["locale"],
        licence=licence,
        roles=tuple(
            Role(
                role=RoleName(entry["role"]),
                organisation_id=entry["organisation_id"],
                community_id=entry["community_id"],
            )
            for entry in role_rows
        ),
        disabled_at=row["disabled_at"],
    )


async def organisation(reader: Reader, organisation_id: str) -> Organisation | None:
    """Return one organisation."""
    row = await reader.first(select(organisations).where(organisations.c.id == organisation_id))
    return None if row is None else Organisation(id=row["id"], name=row["name"], legal=row["legal"])


async def community(reader: Reader, organisation_id: str, community_id: str) -> Community | None:
    """Return one community of the organisation."""
    row = await reader.first(
        select(communities).where(
            communities.c.organisation_id == organisation_id, communities.c.id == community_id
        )
    )
    return None if row is None else community_from(row)


async def communities_of(reader: Reader, organisation_id: str) -> list[Community]:
    """Return the communities of the organisation, by name."""
    rows = await reader.all(
        select(communities)
        .where(communities.c.organisation_id == organisation_id)
        .order_by(communities.c.name, communities.c.id)
    )
    return [community_from(row) for row in rows]


async def person(reader: Reader, person_id: str) -> Person | None:
    """Return one person with the roles the reader's tenant may see."""
    row = await reader.first(select(people).where(people.c.id == person_id))
    return None if row is None else person_from(row, await _roles_of(reader, row["id"]))


async def person_by_email(reader: Reader, email: str) -> Person | None:
    """Return the person with this mail address, whatever its case."""
    row = await reader.first(select(people).where(people.c.email == email.strip().lower()))
    return None if row is None else person_from(row, await _roles_of(reader, row["id"]))


async def people_of(reader: Reader, organisation_id: str) -> list[Person]:
    """Return everyone with a role in the organisation, by name, with their roles there."""
    role_rows = await reader.all(
        select(roles).where(roles.c.organisation_id == organisation_id).order_by(roles.c.id)
    )
    ids = {row["person_id"] for row in role_rows}
    rows = await reader.all(select(people).where(people.c.id.in_(ids)).order_by(people.c.name, people.c.id))
    return [
        person_from(row, [entry for entry in role_rows if entry["person_id"] == row["id"]]) for row in rows
    ]


async def _roles_of(reader: Reader, person_id: str) -> list[dict[str, Any]]:
    statement = select(roles).where(roles.c.person_id == person_id).order_by(roles.c.id)
    if isinstance(reader.tenant, str):
        statement = statement.where(roles.c.organisation_id == reader.tenant)
    return await reader.all(statement)
