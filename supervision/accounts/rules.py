"""Who may do what; every permission of the program is one of these predicates."""

from __future__ import annotations

from collections.abc import Iterable

from supervision.accounts.model import Identity, Person, Role, RoleName, Scope

_STAFF = (RoleName.FLEET_MANAGER, RoleName.TECHNICIAN)


def has_role(
    person: Person, roles: Iterable[RoleName], organisation_id: str, community_id: str | None = None
) -> bool:
    """Tell whether the person holds one of `roles` there; a role of the whole organisation covers it all."""
    wanted = set(roles)
    return person.disabled_at is None and any(
        role.role in wanted
        and role.organisation_id == organisation_id
        and (community_id is None or role.community_id in (None, community_id))
        for role in person.roles
    )


def may_supervise(identity: Identity, organisation_id: str) -> bool:
    """See the supervision pages and read stations, frames, bookings of the organisation."""
    return identity.scope is not Scope.DRIVER and has_role(identity.person, _STAFF, organisation_id)


def may_manage(identity: Identity, organisation_id: str) -> bool:
    """Change bookings of others, people, rules, tariffs."""
    return identity.scope is not Scope.DRIVER and has_role(
        identity.person, (RoleName.FLEET_MANAGER,), organisation_id
    )


def may_command(identity: Identity, organisation_id: str) -> bool:
    """Send commands to charging stations."""
    return may_supervise(identity, organisation_id)


def may_administer(identity: Identity, organisation_id: str) -> bool:
    """Register charging stations and id tokens."""
    return identity.scope in (None, Scope.ADMIN, Scope.MANAGER) and may_manage(identity, organisation_id)


def administered(identity: Identity) -> list[str]:
    """Organisations whose charging stations and id tokens the person may register."""
    return [name for name in organisations_of(identity.person) if may_administer(identity, name)]


def may_see_money(identity: Identity, organisation_id: str) -> bool:
    """Read everyone's invoices and payments."""
    return identity.scope is not Scope.DRIVER and has_role(
        identity.person, (RoleName.FLEET_MANAGER, RoleName.ACCOUNTANT), organisation_id
    )


def may_drive(person: Person, organisation_id: str, community_id: str) -> bool:
    """Book cars of the community for oneself."""
    drivers = (RoleName.DRIVER, RoleName.FLEET_MANAGER)
    return has_role(person, drivers, organisation_id, community_id)


def badge_starts_any_charge(person: Person, organisation_id: str) -> bool:
    """A manager's or technician's badge starts a charge at any time (API.md)."""
    return has_role(person, _STAFF, organisation_id)


def organisations_of(person: Person) -> list[str]:
    """Organisations the person has any role in, in a stable order."""
    return list(dict.fromkeys(role.organisation_id for role in person.roles))


def supervised(identity: Identity) -> list[str]:
    """Organisations the person may supervise."""
    return [name for name in organisations_of(identity.person) if may_supervise(identity, name)]


def community_roles(person: Person, role: RoleName) -> list[Role]:
    """Return the person's entries of one role."""
    return [entry for entry in person.roles if entry.role is role]
