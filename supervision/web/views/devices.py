"""Charging stations as their pages show them, from the directory's documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from supervision.accounts import store as accounts
from supervision.charging import store as charging
from supervision.csms import hanging
from supervision.csms.model import ConnectorStatus
from supervision.fleet import store as fleet
from supervision.fleet.model import Station, Vehicle
from supervision.kernel.timespan import parse_instant
from supervision.services import Services
from supervision.web.views.batches import command_outcome
from supervision.web.views.command_model import CommandOutcome
from supervision.web.views.commands import Target
from supervision.web.views.frames import RawFrame, matches, readable
from supervision.web.views.plans import StoredPlan, plan_from
from supervision.web.views.relay import relay_of
from supervision.web.views.security import security_of
from supervision.web.views.station_model import (
    ChargingStationState,
    ChargingStationsView,
    ChargingStationView,
    ConfigurationReport,
    EvseState,
    LocalListBadge,
)

SHOWN_FRAMES = 60
SHOWN_COMMANDS = 10
KNOWN_COMMANDS = 100  # among which what was tried is looked for
MOST_FRAMES = 2000
KINDS = {"ac7": "AC 7 kW", "ac11": "AC 11 kW", "ac22": "AC 22 kW", "dc11": "DC 11 kW"}
HIDDEN_TOKEN = 3  # characters of a badge or code that are shown

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Device:
    """A charging station with the place it stands at."""

    organisation_id: str
    document: Document
    station: Station
    zone: ZoneInfo
    vehicles: tuple[Vehicle, ...]
    running: tuple[Document, ...]

    @property
    def target(self) -> Target:
        """What commands need to know."""
        running = {entry["evse_id"]: str(entry["ocpp_transaction_id"]) for entry in self.running}
        return Target(ocpp=self.document["ocpp"] or "", running=running)


async def find_device(services: Services, organisations: Sequence[str], identity: str) -> Device | None:
    """Return the charging station if one of these organisations has it."""
    for organisation_id in organisations:
        document = await services.directory.station(organisation_id, identity)
        if document is not None:
            return await _device(services, organisation_id, document)
    return None


async def _device(services: Services, organisation_id: str, document: Document) -> Device:
    async with services.db.read(organisation_id) as reader:
        station = await fleet.station(reader, organisation_id, document["station"])
        vehicles = await fleet.vehicles_of(reader, organisation_id, station_id=document["station"])
        community = station and await accounts.community(reader, organisation_id, station.community_id)
    if station is None or not community:
        raise LookupError(f"charging station {document['identity']} has lost its station")
    running = await services.directory.charging_transactions(
        organisation_id, identity=document["identity"], is_open=True
    )
    return Device(
        organisation_id=organisation_id,
        document=document,
        station=station,
        zone=community.zone,
        vehicles=tuple(vehicles),
        running=tuple(running.items),
    )


def device_state(device: Device, limits_a: Mapping[int, float]) -> ChargingStationState:
    """Return what the device and each of its EVSEs are doing."""
    document, zone = device.document, device.zone
    boot = document["boot"] or {}
    return ChargingStationState(
        identity=document["identity"],
        connected=document["connected"],
        ocpp=document["ocpp"] or "",
        vendor=boot.get("vendor", ""),
        model=boot.get("model", ""),
        firmware=boot.get("firmware", ""),
        seen_at=_local(document["seen_at"], zone),
        evses=tuple(_evse(device, evse, limits_a.get(evse["id"])) for evse in document["evses"]),
        deviations=sum((document["violations"] or {}).values()),
        local_list=_local_list(document["local_list"], zone),
    )


def _local_list(document: Document | None, zone: ZoneInfo) -> LocalListBadge | None:
    if document is None:
        return None
    return LocalListBadge(
        state=document["state"],
        entries=document["entries"],
        version=document["version"],
        changed_at=parse_instant(document["changed_at"]).astimezone(zone),
    )


CHARGING_STATES = {
    "Charging": "Charging",
    "SuspendedEV": "SuspendedEV",
    "SuspendedEVSE": "SuspendedEVSE",
    "EVConnected": "Preparing",
    "Idle": "Finishing",
}


def shown_status(status: str, running: Document | None) -> str:
    """What the EVSE is doing, in the words of 1.6.

    A 2.0.1 station says "Occupied" and leaves the rest to the charging transaction.
    """
    if status != "Occupied" or running is None:
        return status
    return CHARGING_STATES.get(running["charging_state"] or "", status)


def _evse(device: Device, evse: Document, limit_a: float | None) -> EvseState:
    running = next((entry for entry in device.running if entry["evse_id"] == evse["id"]), None)
    return EvseState(
        id=evse["id"],
        kind=KINDS.get(str(evse["kind"]), str(evse["kind"])),
        status=shown_status(evse["status"], running),
        error=_error(evse["error_code"]),
        since=_local(evse["status_at"], device.zone),
        power_w=(evse["power_w"] or 0) if device.document["connected"] else 0,
        limit_a=limit_a,
        max_a=evse["max_a"],
        energy_wh=_energy_wh(running),
        id_token=_masked(running["id_token"] or "") if running else "",
        vehicle=_vehicle_name(device, evse["id"]),
        charging_transaction="" if running is None else str(running["ocpp_transaction_id"]),
    )


def _error(code: str | None) -> str:
    return "" if code in {None, "", "NoError"} else str(code)


def _energy_wh(running: Document | None) -> int | None:
    """Energy so far: two readings of one counter, or nothing."""
    if running is None or running["meter_start_wh"] is None or running["meter_last_wh"] is None:
        return None
    return max(0, int(running["meter_last_wh"]) - int(running["meter_start_wh"]))


def _masked(token: str) -> str:
    """A badge or code works like a key: its end is enough to recognise it."""
    return f"…{token[-HIDDEN_TOKEN:]}" if token else ""


def _vehicle_name(device: Device, evse_id: int) -> str:
    place = f"{device.document['identity']}/{evse_id}"
    return next((vehicle.name for vehicle in device.vehicles if str(vehicle.evse) == place), "")


def _local(text: str | None, zone: ZoneInfo) -> datetime | None:
    return None if text is None else parse_instant(text).astimezone(zone)


async def devices_view(
    services: Services, organisations: Sequence[str], *, may_adopt: bool, now: datetime
) -> ChargingStationsView:
    """Compose the list of every device, by station."""
    groups: list[tuple[str, str, tuple[ChargingStationState, ...]]] = []
    for organisation_id in organisations:
        async with services.db.read(organisation_id) as reader:
            stations = await fleet.stations_of(reader, organisation_id)
        for station in stations:
            found = await services.directory.stations(organisation_id, station_id=station.id)
            devices = [await _device(services, organisation_id, document) for document in found.items]
            groups.append((station.id, station.name, tuple(device_state(device, {}) for device in devices)))
    return ChargingStationsView(groups=tuple(groups), may_adopt=may_adopt, now=now)


async def device_view(
    services: Services,
    device: Device,
    *,
    action: str,
    kind: str,
    limit: int,
    outcome: CommandOutcome | None,
    may_administer: bool,
    now: datetime,
) -> ChargingStationView:
    """Compose the page of one device; `limit` counts frames before the filter."""
    wanted = min(max(limit, SHOWN_FRAMES), MOST_FRAMES)
    identity = device.document["identity"]
    newest = await services.journal.latest(device.organisation_id, identity, limit=wanted)
    lines = readable([_raw(document) for document in reversed(newest)], device.zone)
    limits_a = plan_limits_a(await _plan_of(services, device), device, now)
    sent = await services.directory.commands(device.organisation_id, identity, limit=KNOWN_COMMANDS)
    settings = await services.configuration.report(device.organisation_id, identity)
    return ChargingStationView(
        station=device.station.id,
        station_name=device.station.name,
        state=_with_remedies(device_state(device, limits_a), device, sent.items, now),
        settings=ConfigurationReport(
            identity=identity,
            state=settings["state"],
            checked_at=_local(settings["checked_at"], device.zone),
            lines=(),
        ),
        frames=tuple(line for line in reversed(lines) if matches(line, action=action, kind=kind)),
        actions=tuple(sorted({line.action for line in lines if line.action})),
        filter_action=action,
        filter_kind=kind,
        older=f"?limit={wanted * 2}" if len(newest) == wanted < MOST_FRAMES else "",
        outcome=outcome,
        commands=tuple(command_outcome(document, device.zone) for document in sent.items[:SHOWN_COMMANDS]),
        security=await security_of(services, device.organisation_id, identity, device.zone),
        relay=await relay_of(
            services, device.organisation_id, identity, device.zone, editable=may_administer
        ),
        now=now.astimezone(device.zone),
    )


def _raw(document: Document) -> RawFrame:
    return RawFrame(
        id=document["id"],
        at=parse_instant(document["at"]),
        direction=document["direction"],
        text=document["frame"],
    )


def _with_remedies(
    state: ChargingStationState, device: Device, sent: Sequence[Document], now: datetime
) -> ChargingStationState:
    """Propose the next step for each EVSE that hangs; nothing can be tried on a device that is away."""
    if not state.connected:
        return state
    charging_at = {one.id for one in state.evses if one.charging_transaction}
    remedies = {
        evse["id"]: _remedy(evse, sent, charging=evse["id"] in charging_at, now=now)
        for evse in device.document["evses"]
    }
    return replace(state, evses=tuple(replace(one, remedy=remedies[one.id]) for one in state.evses))


def _remedy(evse: Document, sent: Sequence[Document], *, charging: bool, now: datetime) -> str:
    tried = [
        hanging.Tried(remedy=remedy, at=parse_instant(one["created_at"]))
        for one in sent
        if (remedy := hanging.remedy_of(one["action"], one["payload"], evse["id"])) is not None
    ]
    found = hanging.next_remedy(
        status=ConnectorStatus(evse["status"]),
        since=None if evse["status_at"] is None else parse_instant(evse["status_at"]),
        charging=charging,
        tried=tried,
        now=now,
    )
    return "" if found is None else found.value


async def _plan_of(services: Services, device: Device) -> StoredPlan | None:
    async with services.db.read(device.organisation_id) as reader:
        row = await charging.last_plan(reader, device.organisation_id, device.station.id)
    return None if row is None else plan_from(row)


def plan_limits_a(plan: StoredPlan | None, device: Device, now: datetime) -> dict[int, float]:
    """Currents the plan in force allows at each EVSE now; EVSEs it does not speak of are left out."""
    if plan is None:
        return {}
    identity = device.document["identity"]
    limits = {evse["id"]: plan.limit_a(f"{identity}/{evse['id']}", now) for evse in device.document["evses"]}
    return {evse_id: limit for evse_id, limit in limits.items() if limit is not None}
