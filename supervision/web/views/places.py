"""What many pages need to know about a community: its stations, its cars, its clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from supervision.accounts import store as accounts
from supervision.accounts.model import Community, Identity
from supervision.accounts.rules import may_drive, organisations_of
from supervision.fleet import store as fleet
from supervision.fleet.model import Station, Vehicle
from supervision.services import Services
from supervision.store.db import Reader

BRAND = "Autopartage"
DEFAULT_ZONE = ZoneInfo("Europe/Paris")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A community with its stations and cars, by id."""

    community: Community
    stations: Mapping[str, Station]
    vehicles: Mapping[str, Vehicle]


async def place_of(reader: Reader, community: Community) -> Place:
    """Load a community's stations and cars."""
    scope = {"community_id": community.id}
    stations = await fleet.stations_of(reader, community.organisation_id, **scope)
    vehicles = await fleet.vehicles_of(reader, community.organisation_id, **scope)
    return Place(
        community=community,
        stations={station.id: station for station in stations},
        vehicles={vehicle.id: vehicle for vehicle in vehicles},
    )


async def drivable(services: Services, identity: Identity) -> list[Community]:
    """Communities whose cars the person may book."""
    found: list[Community] = []
    for organisation_id in organisations_of(identity.person):
        async with services.db.read(organisation_id) as reader:
            communities = await accounts.communities_of(reader, organisation_id)
        found += [one for one in communities if may_drive(identity.person, organisation_id, one.id)]
    return found


async def community_of(services: Services, organisation_id: str, community_id: str) -> Community:
    """Return a community that rows refer to."""
    async with services.db.read(organisation_id) as reader:
        community = await accounts.community(reader, organisation_id, community_id)
    if community is None:
        raise LookupError(f"community {community_id} is gone")
    return community


async def brand_of(services: Services, identity: Identity) -> str:
    """The name over the pages: the community's where there is but one, else the organisation's."""
    organisations = organisations_of(identity.person)
    if not organisations:
        return BRAND
    async with services.db.read(organisations[0]) as reader:
        organisation = await accounts.organisation(reader, organisations[0])
        communities = await accounts.communities_of(reader, organisations[0])
    mine = {role.community_id for role in identity.person.roles}
    named = [one for one in communities if None in mine or one.id in mine]
    if len(named) == 1:
        return named[0].name
    return organisation.name if organisation else BRAND


async def names_of(services: Services, organisations: Sequence[str]) -> dict[str, str]:
    """Names of organisations by id."""
    names = {}
    for organisation_id in organisations:
        async with services.db.read(organisation_id) as reader:
            found = await accounts.organisation(reader, organisation_id)
        names[organisation_id] = found.name if found else organisation_id
    return names


async def zone_of(services: Services, organisation_id: str) -> ZoneInfo:
    """The clock of an organisation: that of its first community."""
    async with services.db.read(organisation_id) as reader:
        communities = await accounts.communities_of(reader, organisation_id)
    return communities[0].zone if communities else DEFAULT_ZONE
