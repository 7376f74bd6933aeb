"""API: charging stations, their frames and charging transactions; id tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from supervision.accounts import rules
from supervision.csms import credentials
from supervision.csms.directory import NewEvse, Page
from supervision.csms.journal import Wanted
from supervision.csms.kinds import KINDS, MIN_A
from supervision.fleet import store as fleet
from supervision.kernel.errors import Refused
from supervision.web.api.operation import Answer, ApiError, Call, Operation, forbidden, invalid
from supervision.web.api.schemas import (
    EVSE_IN,
    ID,
    INSTANT,
    TEXT,
    page_of,
    ref,
    strict,
)

_IDENTITY = r"^[A-Za-z0-9._~-]{1,48}$"


async def post_charging_station(call: Call) -> object:
    """Register a charging station."""
    organisation_id = await _organisation_of_station(call, call.body["station"])
    call.require(rules.may_administer, organisation_id)
    if len({evse["id"] for evse in call.body["evses"]}) != len(call.body["evses"]):
        raise invalid("evses", "an id appears twice")
    profile, password = call.body["security_profile"], call.body.get("password")
    _check_password(profile, password)
    made = await call.services.directory.register(
        organisation_id,
        identity=call.body["identity"],
        station_id=call.body["station"],
        new_evses=[_new_evse(index, evse) for index, evse in enumerate(call.body["evses"])],
        security_profile=profile,
        password=password,
    )
    return made if isinstance(made, Refused) else Answer(201, made)


async def list_charging_stations(call: Call) -> object:
    """Return the charging stations the caller may supervise."""
    after = call.after or ""
    pages = [
        await call.services.directory.stations(organisation_id, after=after, limit=call.limit)
        for organisation_id in rules.supervised(call.identity)
    ]
    return _merged(pages, "identity", call.limit)


async def get_charging_station(call: Call) -> object:
    """Return one charging station with its EVSEs."""
    _, document = await found_station(call)
    return document


async def list_frames(call: Call) -> object:
    """Return raw frames, oldest first, secrets masked."""
    organisation_id, station = await found_station(call)
    direction = call.query.get("direction") or None
    if direction not in {None, "in", "out"}:
        raise invalid("direction", "in or out is wanted")
    wanted = Wanted(
        action=call.query.get("action") or None,
        direction=direction,
        since=call.instant("since") if call.query.get("since") else None,
        until=call.instant("until") if call.query.get("until") else None,
        problems=bool(_flag(call, "problems")),
    )
    page = await call.services.journal.frames(
        organisation_id,
        station["identity"],
        wanted=wanted,
        after=call.after_number,
        limit=call.limit,
    )
    return page if isinstance(page, Refused) else {"items": page.items, "next": page.next}


async def list_charging_transactions(call: Call) -> object:
    """Return charging transactions, oldest first."""
    is_open = _flag(call, "open")
    pages = [
        await call.services.directory.charging_transactions(
            organisation_id,
            identity=call.query.get("charging_station") or None,
            is_open=is_open,
            after=call.after_number,
            limit=call.limit,
        )
        for organisation_id in rules.supervised(call.identity)
    ]
    return _merged(pages, "id", call.limit)


async def list_id_tokens(call: Call) -> object:
    """Return badges and app tokens, organisation by organisation."""
    # Two organisations may know the same badge, so a cursor names the organisation too.
    current, _, token = (call.after or "").partition("/")
    items: list[dict[str, Any]] = []
    for organisation_id in sorted(rules.supervised(call.identity)):
        if organisation_id < current:
            continue
        page = await call.services.directory.id_tokens(
            organisation_id,
            after=token if organisation_id == current else "",
            limit=call.limit + 1 - len(items),
        )
        items += [{**item, "organisation": organisation_id} for item in page.items]
        if len(items) > call.limit:
            break
    shown = items[: call.limit]
    more = len(items) > call.limit
    return {"items": shown, "next": "{organisation}/{token}".format_map(shown[-1]) if more else None}


async def post_id_token(call: Call) -> object:
    """Add a badge or an app token."""
    supervised = rules.supervised(call.identity)
    if not supervised:
        raise forbidden()
    organisation_id = call.body.get("organisation") or (supervised[0] if len(supervised) == 1 else "")
    if organisation_id not in supervised:
        raise invalid("organisation", "one of your organisations is wanted")
    call.require(rules.may_administer, organisation_id)
    made = await call.services.directory.create_id_token(
        organisation_id,
        token=call.body["token"],
        token_type=call.body["type"],
        status=call.body["status"],
        expires_at=call.body_instant("expires_at") if call.body.get("expires_at") else None,
        parent=call.body.get("parent"),
    )
    return made if isinstance(made, Refused) else Answer(201, {**made, "organisation": organisation_id})


def _merged(pages: Sequence[Page], key: str, limit: int) -> dict[str, Any]:
    """Join the pages of several organisations into one, in the order of `key`."""
    items = sorted((item for page in pages for item in page.items), key=lambda item: item[key])
    more = len(items) > limit or any(page.next is not None for page in pages)
    shown = items[:limit]
    return {"items": shown, "next": str(shown[-1][key]) if more and shown else None}


def _flag(call: Call, name: str) -> bool | None:
    known = {"": None, "true": True, "1": True, "false": False, "0": False}
    try:
        return known[call.query.get(name, "").lower()]
    except KeyError:
        raise invalid(name, "true or false is wanted") from None


def _check_password(profile: int, password: str | None) -> None:
    low, high = credentials.MIN_BYTES, credentials.MAX_BYTES
    if profile in (1, 2) and password is None:
        raise invalid("password", f"security profile {profile} needs one")
    if profile == 0 and password is not None:
        raise invalid("password", "a station of security profile 0 has none")
    if password is not None and not low <= len(password.encode()) <= high:
        raise invalid("password", f"{low} to {high} bytes are wanted")


def _new_evse(index: int, evse: Mapping[str, Any]) -> NewEvse:
    usual = KINDS[evse["kind"]]
    low, high = float(evse.get("min_a", MIN_A)), float(evse.get("max_a", usual.max_a))
    if low > high:
        raise invalid(f"evses.{index}.min_a", "is above max_a")
    phases = evse.get("phases", range(1, usual.phase_count + 1))
    return NewEvse(id=evse["id"], kind=evse["kind"], phases=tuple(phases), max_a=high, min_a=low)


async def _organisation_of_station(call: Call, station_id: str) -> str:
    for organisation_id in call.organisations:
        async with call.services.db.read(organisation_id) as reader:
            if await fleet.station(reader, organisation_id, station_id) is not None:
                return organisation_id
    raise ApiError(404, "station_unknown", f"unknown station {station_id!r}")


async def found_station(call: Call) -> tuple[str, Mapping[str, Any]]:
    """Return organisation and station; one the caller does not supervise is not confirmed to exist."""
    identity = call.path["identity"]
    for organisation_id in rules.supervised(call.identity):
        station = await call.services.directory.station(organisation_id, identity)
        if station is not None:
            return organisation_id, station
    raise ApiError(404, "charging_station_unknown", f"unknown charging station {identity!r}")


PAGING = {"limit": "Page length", "after": "Cursor of the page before"}

OPERATIONS = (
    Operation(
        method="POST",
        path="/charging-stations",
        summary="Register a charging station",
        handler=post_charging_station,
        body=strict(
            "identity station evses security_profile",
            identity={"type": "string", "pattern": _IDENTITY},
            station=ID,
            evses={"type": "array", "items": EVSE_IN, "minItems": 1, "maxItems": 64},
            security_profile={"type": "integer", "minimum": 0, "maximum": 3},
            password={"anyOf": [{"type": "string"}, {"type": "null"}]},
        ),
        answer=ref("ChargingStation"),
        status=201,
        tag="charging stations",
    ),
    Operation(
        method="GET",
        path="/charging-stations",
        summary="Charging stations",
        handler=list_charging_stations,
        query=PAGING,
        answer=page_of("ChargingStation"),
        tag="charging stations",
    ),
    Operation(
        method="GET",
        path="/charging-stations/{identity}",
        summary="One charging station",
        handler=get_charging_station,
        answer=ref("ChargingStation"),
        tag="charging stations",
    ),
    Operation(
        method="GET",
        path="/charging-stations/{identity}/frames",
        summary="Raw frames, oldest first, secrets masked",
        handler=list_frames,
        query={
            "action": "CALLs of this name",
            "direction": "in (from the station) or out",
            "since": "From this instant on",
            "until": "Before this instant",
            "problems": "true: only frames that could not be used",
            **PAGING,
        },
        answer=page_of("Frame"),
        tag="charging stations",
    ),
    Operation(
        method="GET",
        path="/charging-transactions",
        summary="Charging transactions, oldest first",
        handler=list_charging_transactions,
        query={"charging_station": "Identity", "open": "true or false", **PAGING},
        answer=page_of("ChargingTransaction"),
        tag="charging stations",
    ),
    Operation(
        method="GET",
        path="/id-tokens",
        summary="Badges and app tokens",
        handler=list_id_tokens,
        query=PAGING,
        answer=page_of("IdToken"),
        tag="id tokens",
    ),
    Operation(
        method="POST",
        path="/id-tokens",
        summary="Add a badge or an app token",
        handler=post_id_token,
        body=strict(
            "token type status",
            token={"type": "string", "minLength": 1, "maxLength": 36},
            type={**TEXT, "maxLength": 40},
            status={"enum": ["Accepted", "Blocked", "Expired", "Invalid"]},
            expires_at={"anyOf": [INSTANT, {"type": "null"}]},
            parent={"anyOf": [{**TEXT, "maxLength": 36}, {"type": "null"}]},
            organisation=ID,
        ),
        answer=ref("IdToken"),
        status=201,
        tag="id tokens",
    ),
)
