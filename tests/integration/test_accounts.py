"""Signing in: sessions on the server, limits that lock out no one else, tokens that are stored as digests."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select, update

from supervision.accounts import rules
from supervision.accounts.model import Scope
from supervision.accounts.service import AccountsService, NewSession, token_hash
from supervision.clock import FixedClock
from supervision.demo import towns
from supervision.importing import import_document
from supervision.kernel.errors import Refused
from supervision.store import schema
from supervision.store.db import Database, Tx, across_tenants

EVERYTHING = across_tenants("the test looks at everyone")
HOME = "192.0.2.1"


@pytest.fixture
async def service(sqlite_db: Database, clock: FixedClock) -> AccountsService:
    await import_document(sqlite_db, clock, json.dumps(towns.document()))
    return AccountsService(sqlite_db, clock)


async def signed_in(service: AccountsService, email: str = towns.DRIVER) -> NewSession:
    session = await service.sign_in(email, towns.PASSWORD, address=HOME)
    assert isinstance(session, NewSession)
    return session


async def test_sign_in_right_password_opens_a_session(service: AccountsService) -> None:
    fresh = await signed_in(service)
    session = await service.session(fresh.token)
    assert session is not None
    assert session.identity.person.id == "camille"
    assert session.csrf == fresh.csrf


@pytest.mark.parametrize(
    ("email", "password"),
    [
        (towns.DRIVER, "wrong"),
        ("nobody@demo.example", towns.PASSWORD),
        ("", ""),
        (towns.DRIVER, "x" * 10_000),
    ],
)
async def test_sign_in_wrong_credentials_give_one_answer(
    email: str, password: str, service: AccountsService
) -> None:
    assert await service.sign_in(email, password, address=HOME) == Refused("bad_credentials")


async def test_sign_in_after_ten_failures_waits_and_locks_out_nobody_else(
    service: AccountsService, clock: FixedClock
) -> None:
    for _ in range(10):
        await service.sign_in(towns.DRIVER, "wrong", address=HOME)
    blocked = await service.sign_in(towns.DRIVER, towns.PASSWORD, address=HOME)
    elsewhere = await service.sign_in(towns.DRIVER, towns.PASSWORD, address="198.51.100.7")
    neighbour = await service.sign_in(towns.MANAGER, towns.PASSWORD, address=HOME)
    assert blocked == Refused("too_many_attempts", {"minutes": 15})
    assert isinstance(elsewhere, NewSession)
    assert isinstance(neighbour, NewSession)
    clock.advance(minutes=15)
    assert isinstance(await service.sign_in(towns.DRIVER, towns.PASSWORD, address=HOME), NewSession)


async def test_session_after_twelve_hours_is_over(service: AccountsService, clock: FixedClock) -> None:
    fresh = await signed_in(service)
    clock.advance(hours=12)
    assert await service.session(fresh.token) is None


async def test_session_signed_out_is_dead_on_the_server(service: AccountsService) -> None:
    fresh = await signed_in(service)
    await service.sign_out(fresh.token)
    assert await service.session(fresh.token) is None


async def test_set_password_ends_every_session(service: AccountsService) -> None:
    fresh = await signed_in(service)
    assert await service.set_password("camille", "another long passphrase") is None
    assert await service.session(fresh.token) is None
    assert await service.sign_in(towns.DRIVER, towns.PASSWORD, address=HOME) == Refused("bad_credentials")


async def test_set_password_too_short_is_refused(service: AccountsService) -> None:
    assert await service.set_password("camille", "short") == Refused(
        "password_length", {"min": 12, "max": 200}
    )


async def test_disabled_person_neither_signs_in_nor_keeps_a_session(
    service: AccountsService, sqlite_db: Database, clock: FixedClock
) -> None:
    fresh = await signed_in(service)

    async def disable(tx: Tx) -> None:
        people = schema.people
        await tx.execute(update(people).where(people.c.id == "camille").values(disabled_at=clock.now()))

    await sqlite_db.write(EVERYTHING, disable)
    assert await service.session(fresh.token) is None
    assert await service.sign_in(towns.DRIVER, towns.PASSWORD, address=HOME) == Refused("bad_credentials")


async def test_token_speaks_for_its_person_and_is_stored_as_a_digest(
    service: AccountsService, sqlite_db: Database
) -> None:
    token = await service.create_token(towns.MANAGER, Scope.MANAGER)
    assert isinstance(token, str)
    identity = await service.identity_for_token(token)
    assert identity is not None
    assert (identity.person.id, identity.scope) == ("gestion", Scope.MANAGER)
    async with sqlite_db.read(EVERYTHING) as reader:
        assert await reader.all(select(schema.api_tokens.c.token_hash)) == [{"token_hash": token_hash(token)}]


async def test_token_for_nobody_is_refused(service: AccountsService) -> None:
    assert await service.create_token("nobody@demo.example", Scope.ADMIN) == Refused(
        "unknown_person", {"email": "nobody@demo.example"}
    )


async def test_token_unknown_speaks_for_nobody(service: AccountsService) -> None:
    assert await service.identity_for_token("wrong") is None


async def test_driver_scope_narrows_a_manager(service: AccountsService) -> None:
    token = await service.create_token(towns.MANAGER, Scope.DRIVER)
    identity = await service.identity_for_token(str(token))
    assert identity is not None
    assert rules.may_supervise(identity, towns.ORGANISATION) is False
    assert rules.may_drive(identity.person, towns.ORGANISATION, towns.COMMUNITY) is True


async def test_forget_old_drops_expired_sessions_only(
    service: AccountsService, sqlite_db: Database, clock: FixedClock
) -> None:
    await signed_in(service)
    clock.advance(hours=11)
    kept = await signed_in(service)
    clock.advance(hours=2)
    await service.forget_old()
    async with sqlite_db.read(EVERYTHING) as reader:
        rows = await reader.all(select(schema.sessions.c.token_hash))
    assert rows == [{"token_hash": token_hash(kept.token)}]
