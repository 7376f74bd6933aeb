"""Signing in, sessions kept on the server, API tokens."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from supervision import chance
from supervision.accounts import store
from supervision.accounts.model import Identity, Person, Scope
from supervision.accounts.passwords import MAX_LENGTH, MIN_LENGTH, Passwords
from supervision.clock import Clock
from supervision.kernel.errors import Refused
from supervision.store.db import Database, Tx, across_tenants
from supervision.store.schema import api_tokens, login_failures, people, sessions

_EVERYONE = across_tenants("a person may belong to several organisations; nobody is signed in yet")
_SEEN_STEP = timedelta(minutes=1)  # how stale `seen_at` may be, so that reading a page is no write

FAILURES_ALLOWED = 10
FAILURE_WINDOW = timedelta(minutes=15)


def token_hash(token: str) -> bytes:
    """Return what is stored of a 256-bit random token: a plain digest is enough for that much chance."""
    return hashlib.sha256(token.encode()).digest()


@dataclass(frozen=True, kw_only=True)
class Session:
    """A browser login."""

    identity: Identity
    csrf: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class NewSession:
    """What the browser gets: the cookie's value, once."""

    token: str
    csrf: str
    expires_at: datetime


class AccountsService:
    """Use cases of signing in."""

    def __init__(self, db: Database, clock: Clock, *, session_hours: int = 12) -> None:
        self._db = db
        self._clock = clock
        self._passwords = Passwords()
        self._session_length = timedelta(hours=session_hours)

    async def sign_in(self, email: str, password: str, *, address: str) -> NewSession | Refused:
        """Open a session, or refuse with `bad_credentials` or `too_many_attempts`.

        Limits count per mail address *and* network address, so that nobody can lock out somebody else.
        """
        sources = (_source("pair", f"{email.strip().lower()}|{address}"), _source("address", address))
        if await self._too_many(sources):
            return Refused("too_many_attempts", {"minutes": int(FAILURE_WINDOW.total_seconds() // 60)})
        async with self._db.read(_EVERYONE) as reader:
            row = await reader.first(select(people).where(people.c.email == email.strip().lower()))
        stored = None if row is None or row["disabled_at"] else row["password_hash"]
        if row is None or not await self._passwords.matches(stored, password):
            await self._note_failure(sources)
            return Refused("bad_credentials")
        return await self._open_session(row["id"])

    async def session(self, token: str) -> Session | None:
        """Return the living session of a cookie, or None."""
        now = self._clock.now()
        async with self._db.read(_EVERYONE) as reader:
            row = await reader.first(
                select(sessions).where(
                    sessions.c.token_hash == token_hash(token), sessions.c.expires_at > now
                )
            )
            person = None if row is None else await store.person(reader, row["person_id"])
        if row is None or person is None or person.disabled_at is not None:
            return None
        if now - row["seen_at"] > _SEEN_STEP:
            await self._write(
                update(sessions).where(sessions.c.token_hash == row["token_hash"]).values(seen_at=now)
            )
        return Session(identity=Identity(person=person), csrf=row["csrf"], expires_at=row["expires_at"])

    async def sign_out(self, token: str) -> None:
        """End the session on the server; the cookie is worth nothing afterwards."""
        await self._write(delete(sessions).where(sessions.c.token_hash == token_hash(token)))

    async def create_token(self, email: str, scope: Scope) -> str | Refused:
        """Create an API token for a person and return it, once; `unknown_person` when there is none."""
        async with self._db.read(_EVERYONE) as reader:
            person = await store.person_by_email(reader, email)
        if person is None:
            return Refused("unknown_person", {"email": email})
        token = chance.new_token()
        await self._write(
            insert(api_tokens).values(
                token_hash=token_hash(token), person_id=person.id, scope=scope, created_at=self._clock.now()
            )
        )
        return token

    async def identity_for_token(self, token: str) -> Identity | None:
        """Return who a bearer token speaks for, or None."""
        async with self._db.read(_EVERYONE) as reader:
            row = await reader.first(
                select(api_tokens).where(
                    api_tokens.c.token_hash == token_hash(token), api_tokens.c.revoked_at.is_(None)
                )
            )
            person = None if row is None else await store.person(reader, row["person_id"])
        if row is None or person is None or person.disabled_at is not None:
            return None
        return Identity(person=person, scope=Scope(row["scope"]))

    async def set_password(self, person_id: str, password: str) -> Refused | None:
        """Store a new password and end every session of the person."""
        if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
            return Refused("password_length", {"min": MIN_LENGTH, "max": MAX_LENGTH})
        hashed = await self._passwords.hash(password)

        async def unit(tx: Tx) -> None:
            await tx.execute(update(people).where(people.c.id == person_id).values(password_hash=hashed))
            await tx.execute(delete(sessions).where(sessions.c.person_id == person_id))

        await self._db.write(_EVERYONE, unit)
        return None

    async def set_locale(self, person: Person, locale: str) -> None:
        """Remember the language of a person."""
        await self._write(update(people).where(people.c.id == person.id).values(locale=locale))

    async def forget_old(self) -> None:
        """Drop expired sessions and failures outside the window (a scheduler's step)."""
        now = self._clock.now()

        async def unit(tx: Tx) -> None:
            await tx.execute(delete(sessions).where(sessions.c.expires_at <= now))
            await tx.execute(delete(login_failures).where(login_failures.c.at < now - FAILURE_WINDOW))

        await self._db.write(_EVERYONE, unit)

    async def _open_session(self, person_id: str) -> NewSession:
        now = self._clock.now()
        fresh = NewSession(
            token=chance.new_token(), csrf=chance.new_token(), expires_at=now + self._session_length
        )
        await self._write(
            insert(sessions).values(
                token_hash=token_hash(fresh.token),
                person_id=person_id,
                csrf=fresh.csrf,
                created_at=now,
                seen_at=now,
                expires_at=fresh.expires_at,
            )
        )
        return fresh

    async def _too_many(self, sources: tuple[str, str]) -> bool:
        since = self._clock.now() - FAILURE_WINDOW
        async with self._db.read(_EVERYONE) as reader:
            rows = await reader.all(
                select(login_failures.c.source, func.count().label("failures"))
                .where(login_failures.c.source.in_(sources), login_failures.c.at > since)
                .group_by(login_failures.c.source)
            )
        counts: dict[str, int] = {row["source"]: row["failures"] for row in rows}
        pair, address = sources
        # A town hall shares one address: it gets room for many people's slips.
        pair_count, address_count = counts.get(pair, 0), counts.get(address, 0)
        return pair_count >= FAILURES_ALLOWED or address_count >= 10 * FAILURES_ALLOWED

    async def _note_failure(self, sources: tuple[str, str]) -> None:
        at = self._clock.now()

        async def unit(tx: Tx) -> None:
            await tx.execute(insert(login_failures), [{"source": source, "at": at} for source in sources])

        await self._db.write(_EVERYONE, unit)

    async def _write(self, statement: Any) -> None:
        async def unit(tx: Tx) -> None:
            await tx.execute(statement)

        await self._db.write(_EVERYONE, unit)


def _source(kind: str, text: str) -> str:
    return f"{kind}:{hashlib.sha256(text.encode()).hexdigest()[:32]}"
