"""Whether a badge may start a charge: the part that needs nothing but the badge and its person.

A manager's or technician's badge charges at any time, and so does a badge of nobody (an operator's). A
driver's badge is answered `Invalid` here, with its person: what the community's rules and the bookings
allow is decided by a package above, which wraps this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import select

from supervision.accounts.model import RoleName
from supervision.csms.model import IdTokenDecision, IdTokenStatus
from supervision.store.db import Reader
from supervision.store.schema import id_tokens, organisations, roles

STAFF = frozenset({RoleName.FLEET_MANAGER.value, RoleName.TECHNICIAN.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """A badge shown at a charging station. `evse_id` is None while it is not known (Authorize)."""

    organisation_id: str
    station_id: str
    charging_station: str
    evse_id: int | None
    token: str
    token_type: str | None = None


class IdTokenAuthoriser(Protocol):
    """Decides about a badge inside the unit of work that answers the station."""

    async def decide(self, reader: Reader, request: TokenRequest, now: datetime) -> IdTokenDecision:
        """Return the decision; reads only inside the request's organisation."""
        ...


class BadgeAuthoriser:
    """The default: status and expiry of the badge, and the roles of its person."""

    async def decide(self, reader: Reader, request: TokenRequest, now: datetime) -> IdTokenDecision:
        """Return the decision; an unknown badge is Invalid, a driver's is Invalid with its person."""
        row = await find_id_token(reader, request.organisation_id, request.token)
        if row is None:
            return IdTokenDecision(status=IdTokenStatus.INVALID)
        staff = row["person_id"] is None or await self._is_staff(reader, request, row["person_id"])
        return decide_badge(row, staff=staff, now=now)

    async def _is_staff(self, reader: Reader, request: TokenRequest, person_id: str) -> bool:
        found = await reader.first(
            select(roles.c.role).where(
                roles.c.organisation_id == request.organisation_id,
                roles.c.person_id == person_id,
                roles.c.role.in_(sorted(STAFF)),
            )
        )
        return found is not None


def decide_badge(row: Mapping[str, Any], *, staff: bool, now: datetime) -> IdTokenDecision:
    """Judge one id token row; its own status first, then its expiry, then who holds it."""
    status = IdTokenStatus(row["status"])
    if status is IdTokenStatus.ACCEPTED and row["expires_at"] is not None and row["expires_at"] <= now:
        status = IdTokenStatus.EXPIRED
    if status is IdTokenStatus.ACCEPTED and not staff:
        status = IdTokenStatus.INVALID
    return IdTokenDecision(
        status=status,
        parent=row["parent"],
        expires_at=row["expires_at"],
        person_id=row["person_id"],
        many_at_once=staff,
    )


def may_stop(
    badge: Mapping[str, Any] | None,
    *,
    charges_of: Iterable[str | None],
    master_pass: str | None,
    now: datetime,
) -> bool:
    """Tell whether a badge stops a charge it did not start: one of its own group's, or any by master pass.

    The badge itself must be good: a lost one of the group, blocked by the operator, stops nothing.
    """
    if badge is None or badge["parent"] is None:
        return False
    if decide_badge(badge, staff=True, now=now).status is not IdTokenStatus.ACCEPTED:
        return False
    groups = (*charges_of, master_pass)
    return any(same_token(badge["parent"], group) for group in groups)


def same_token(one: str | None, other: str | None) -> bool:
    """Compare badges or groups without regard to case; nothing equals nothing."""
    return one is not None and other is not None and one.casefold() == other.casefold()


async def master_pass_group(reader: Reader, organisation_id: str) -> str | None:
    """The group whose badges stop any charge and start none (2.0.1 C16)."""
    table = organisations
    found: str | None = await reader.scalar(
        select(table.c.master_pass_group).where(table.c.id == organisation_id)
    )
    return found


async def find_id_token(reader: Reader, organisation_id: str, token: str) -> Mapping[str, Any] | None:
    """Find a badge without regard to case (1.6: CiString)."""
    return await reader.first(
        select(id_tokens).where(
            id_tokens.c.organisation_id == organisation_id, id_tokens.c.token_key == token.casefold()
        )
    )
