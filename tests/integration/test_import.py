"""`supervision import`: whole or nothing, the same file twice changes nothing, every fault named."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select, update

from supervision.accounts import store as accounts
from supervision.clock import FixedClock
from supervision.csms import credentials
from supervision.demo.towns import document as demo_document
from supervision.importing import Summary, import_document
from supervision.kernel.errors import FieldError
from supervision.store import schema
from supervision.store.db import Database, Tx, across_tenants

EVERYTHING = across_tenants("the test looks at the whole file")
Document = dict[str, Any]


async def run(db: Database, clock: FixedClock, document: object) -> Summary:
    text = document if isinstance(document, str) else json.dumps(document)
    return await import_document(db, clock, text)


async def count(db: Database, table: str) -> int:
    async with db.read(EVERYTHING) as reader:
        return int(await reader.scalar(select(func.count()).select_from(getattr(schema, table))))


async def test_import_whole_service_creates_every_entry(db: Database, clock: FixedClock) -> None:
    assert await run(db, clock, demo_document()) == Summary(created=37, updated=0, unchanged=0)
    sizes = {name: await count(db, name) for name in ("stations", "charging_stations", "evses", "vehicles")}
    assert sizes == {"stations": 5, "charging_stations": 6, "evses": 8, "vehicles": 8}


async def test_import_same_document_twice_changes_nothing(db: Database, clock: FixedClock) -> None:
    await run(db, clock, demo_document())
    assert await run(db, clock, demo_document()) == Summary(created=0, updated=0, unchanged=37)


async def test_import_changed_entry_updates_it_alone(sqlite_db: Database, clock: FixedClock) -> None:
    document = demo_document()
    await run(sqlite_db, clock, document)
    document["vehicles"][0]["name"] = "Zoé rouge"
    document["charging_stations"][3]["evses"][0]["max_a"] = 20
    assert await run(sqlite_db, clock, document) == Summary(created=0, updated=2, unchanged=35)


async def test_import_names_the_group_of_the_master_pass(sqlite_db: Database, clock: FixedClock) -> None:
    document = {"organisations": [{"id": "org", "name": "Org", "master_pass_group": "CHIEFS"}]}
    await run(sqlite_db, clock, document)
    async with sqlite_db.read(EVERYTHING) as reader:
        found = await reader.scalar(select(schema.organisations.c.master_pass_group))
    assert found == "CHIEFS"


async def test_import_changed_rules_keeps_their_history(sqlite_db: Database, clock: FixedClock) -> None:
    document = demo_document()
    await run(sqlite_db, clock, document)
    document["communities"][0]["rules"] = {"max_upcoming": 5}
    await run(sqlite_db, clock, document)
    async with sqlite_db.read(EVERYTHING) as reader:
        changes = await reader.all(select(schema.rule_changes))
    assert [(row["before"]["max_upcoming"], row["after"]["max_upcoming"]) for row in changes] == [(3, 5)]


async def test_import_station_password_is_stored_as_salted_hash(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await run(sqlite_db, clock, demo_document())
    async with sqlite_db.read(EVERYTHING) as reader:
        row = await reader.first(
            select(schema.charging_stations).where(schema.charging_stations.c.identity == "EURRE-1")
        )
    assert row is not None
    assert credentials.matches(row["password_hash"], row["password_salt"], b"demo-0123456789abcdef")
    assert not credentials.matches(row["password_hash"], row["password_salt"], b"demo-0123456789abcdeg")


async def test_import_keeps_what_a_station_has_agreed_to_since(
    sqlite_db: Database, clock: FixedClock
) -> None:
    """A document from before must not lock a station out, nor take its security profile back."""
    await run(sqlite_db, clock, demo_document())
    ours = {"password_salt": b"s" * 16, "password_hash": b"h" * 32, "password_rotated_at": clock.now()}
    table = schema.charging_stations

    async def agreed(tx: Tx) -> None:
        await tx.execute(
            update(table).where(table.c.identity == "EURRE-1").values(security_profile=2, **ours)
        )

    await sqlite_db.write(EVERYTHING, agreed)
    assert await run(sqlite_db, clock, demo_document()) == Summary(created=0, updated=0, unchanged=37)
    async with sqlite_db.read(EVERYTHING) as reader:
        row = await reader.first(select(table).where(table.c.identity == "EURRE-1"))
    assert row is not None
    assert (row["security_profile"], row["password_hash"]) == (2, b"h" * 32)


async def test_import_roles_of_a_person_are_those_of_the_file(sqlite_db: Database, clock: FixedClock) -> None:
    document = demo_document()
    await run(sqlite_db, clock, document)
    document["people"][1]["roles"].append({"role": "technician", "organisation": "val-de-drome"})
    await run(sqlite_db, clock, document)
    async with sqlite_db.read(EVERYTHING) as reader:
        person = await accounts.person_by_email(reader, "CAMILLE@demo.example")
    assert person is not None
    assert [(role.role, role.community_id) for role in person.roles] == [
        ("driver", "val-de-drome"),
        ("technician", None),
    ]


def edited(change: Callable[[Document], object]) -> Document:
    document = copy.deepcopy(demo_document())
    change(document)
    return document


BROKEN: dict[str, tuple[Callable[[Document], object], str]] = {
    "unknown section": (lambda d: d.update(cars=[]), "$.cars"),
    "unknown field": (lambda d: d["vehicles"][2].update(colour="red"), "$.vehicles[2].colour"),
    "missing field": (lambda d: d["stations"][1].pop("name"), "$.stations[1].name"),
    "unknown station": (lambda d: d["vehicles"][0].update(station="x"), "$.vehicles[0].station"),
    "unknown EVSE": (lambda d: d["vehicles"][0].update(evse="EURRE-1/9"), "$.vehicles[0].evse"),
    "unreadable EVSE": (lambda d: d["vehicles"][0].update(evse="EURRE-1"), "$.vehicles[0].evse"),
    "unknown tariff": (lambda d: d["vehicles"][0].update(tariff="x"), "$.vehicles[0].tariff"),
    "unknown person": (lambda d: d["id_tokens"][0].update(person="x"), "$.id_tokens[0].person"),
    "unknown role": (lambda d: d["people"][0]["roles"][0].update(role="king"), "$.people[0].roles[0].role"),
    "role of nowhere": (
        lambda d: d["people"][0]["roles"][0].pop("organisation"),
        "$.people[0].roles[0].organisation",
    ),
    "unknown rule": (lambda d: d["communities"][0].update(rules={"x": 1}), "$.communities[0].rules.x"),
    "rule out of bounds": (
        lambda d: d["communities"][0].update(rules={"max_upcoming": 0}),
        "$.communities[0].rules.max_upcoming",
    ),
    "no such zone": (lambda d: d["communities"][0].update(zone="Drome"), "$.communities[0].zone"),
    "two limits": (
        lambda d: d["stations"][0]["grid_connection"].update(limit_a=[32, 32]),
        "$.stations[0].grid_connection.limit_a",
    ),
    "no password": (lambda d: d["charging_stations"][0].pop("password"), "$.charging_stations[0].password"),
    "password on profile 0": (
        lambda d: d["charging_stations"][0].update(security_profile=0),
        "$.charging_stations[0].password",
    ),
    "short station password": (
        lambda d: d["charging_stations"][0].update(password="short"),
        "$.charging_stations[0].password",
    ),
    "no EVSE": (lambda d: d["charging_stations"][0].update(evses=[]), "$.charging_stations[0].evses"),
    "same id twice": (lambda d: d["stations"].append(dict(d["stations"][0])), "$.stations[5]"),
    "same address twice": (
        lambda d: d["people"][1].update(email="gestion@demo.example"),
        "$.people[1].email",
    ),
    "short password": (lambda d: d["people"][0].update(password="short"), "$.people[0].password"),
    "no mail address": (lambda d: d["people"][0].update(email="nobody"), "$.people[0].email"),
    "negative battery": (lambda d: d["vehicles"][0].update(battery_wh=-1), "$.vehicles[0].battery_wh"),
    "not a number": (lambda d: d["vehicles"][0].update(max_a="32 A"), "$.vehicles[0].max_a"),
    "minimum above maximum": (
        lambda d: d["charging_stations"][0]["evses"][0].update(min_a=40, max_a=32),
        "$.charging_stations[0].evses[0].min_a",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_import_broken_document_names_the_field_and_keeps_nothing(
    name: str, sqlite_db: Database, clock: FixedClock
) -> None:
    change, path = BROKEN[name]
    with pytest.raises(FieldError) as refused:
        await run(sqlite_db, clock, edited(change))
    assert refused.value.path == path
    assert await count(sqlite_db, "organisations") == 0


@pytest.mark.parametrize("text", ["", "[]", "{", '"text"', "NaN", '{"stations": {}}', "[" * 100_000])
async def test_import_text_that_is_no_document_is_refused(
    text: str, sqlite_db: Database, clock: FixedClock
) -> None:
    with pytest.raises(FieldError):
        await run(sqlite_db, clock, text)


async def test_import_entry_of_another_organisation_is_refused(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await run(sqlite_db, clock, demo_document())
    thief = {
        "organisations": [{"id": "other", "name": "Other"}],
        "communities": [{"id": "other", "organisation": "other", "name": "Other"}],
        "stations": [{**demo_document()["stations"][0], "community": "other"}],
    }
    with pytest.raises(FieldError) as refused:
        await run(sqlite_db, clock, thief)
    assert refused.value.path == "$.stations[0]"
