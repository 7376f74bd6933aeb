"""API: commands to one charging station and to many."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from supervision.accounts import rules
from supervision.csms import command_store
from supervision.csms.batches import BATCH_EXPIRY_S, Targets
from supervision.csms.commands import MAX_EXPIRY_S, MAX_TIMEOUT_S, CommandResult
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import parse_instant
from supervision.web.api.charging_stations import PAGING, found_station
from supervision.web.api.operation import Answer, ApiError, Call, Operation, forbidden, invalid
from supervision.web.api.schemas import ANYTHING, FLAG, ID, TEXT, page_of, ref, strict

KEY_HEADER = "Idempotency-Key"
_KEY = re.compile(r"[!-~]{1,255}")
MOST_TARGETS = 2000
_CRITERIA = ("charging_stations", "station", "vendor", "model", "firmware")


async def post_command(call: Call) -> object:
    """Send a CALL and wait for its answer, or leave it in the queue."""
    organisation_id, station = await found_station(call)
    call.require(rules.may_command, organisation_id)
    common: dict[str, Any] = {
        "origin": "api",
        "by_person_id": call.identity.person.id,
        "idempotency_key": _key(call),
    }
    wanted = (organisation_id, station["identity"], call.body["action"], call.body.get("payload", {}))
    if call.body.get("wait", True):
        if "expires_s" in call.body:
            raise invalid("expires_s", "only for a command that is not waited for (wait: false)")
        timeout_s = call.body.get("timeout_s", 30)
        result = await call.services.commands.send(*wanted, timeout_s=timeout_s, **common)
    else:
        expires_s = call.body.get("expires_s")
        result = await call.services.commands.enqueue(*wanted, expires_s=expires_s, **common)
    if isinstance(result, Refused):
        return result
    return command_result(result)


def command_result(result: CommandResult) -> dict[str, Any]:
    """Write a command as it stands."""
    return {
        "id": result.id,
        "state": result.state.value,
        "response": result.response,
        "error": result.error,
        "verdict": None if result.verdict is None else result.verdict.document(),
    }


async def list_commands(call: Call) -> object:
    """Return the commands to a charging station, newest first."""
    organisation_id, station = await found_station(call)
    page = await call.services.directory.commands(
        organisation_id, station["identity"], after=call.after or "", limit=call.limit
    )
    return {"items": page.items, "next": page.next}


async def get_command(call: Call) -> object:
    """Return one command as it stands."""
    organisation_id, station = await found_station(call)
    found = await call.services.directory.command(organisation_id, station["identity"], call.path["id"])
    return found or Refused("unknown_command", {"command": call.path["id"]})


async def post_command_cancel(call: Call) -> object:
    """Call off a command that was not sent."""
    organisation_id, station = await found_station(call)
    call.require(rules.may_command, organisation_id)
    cancelled = await call.services.commands.cancel(organisation_id, station["identity"], call.path["id"])
    if isinstance(cancelled, Refused):
        return cancelled
    return await get_command(call)


async def post_command_batch(call: Call) -> object:
    """Send one command to many charging stations."""
    organisation_id = _organisation(call)
    call.require(rules.may_command, organisation_id)
    if not any(name in call.body for name in _CRITERIA):
        raise invalid("charging_stations", "name the charging stations, or what they have in common")
    action, payload = call.body["action"], call.body.get("payload", {})
    made = await call.services.batches.create(
        organisation_id,
        Targets(
            identities=call.body.get("charging_stations"),
            station_id=call.body.get("station"),
            vendor=call.body.get("vendor"),
            model=call.body.get("model"),
            firmware=call.body.get("firmware"),
        ),
        lambda _ocpp: (action, payload),
        expires_s=call.body.get("expires_s", BATCH_EXPIRY_S),
        by_person_id=call.identity.person.id,
        idempotency_key=_key(call),
    )
    return made if isinstance(made, Refused) else Answer(201, made)


async def list_command_batches(call: Call) -> object:
    """Return the batches of the organisations the caller supervises, newest first."""
    pages = [
        await call.services.batches.batches(organisation_id, after=call.after or "", limit=call.limit)
        for organisation_id in rules.supervised(call.identity)
    ]
    items = sorted((item for page in pages for item in page.items), key=_age, reverse=True)
    more = len(items) > call.limit or any(page.next is not None for page in pages)
    shown = items[: call.limit]
    if not (more and shown):
        return {"items": shown, "next": None}
    at, batch_id = _age(shown[-1])
    return {"items": shown, "next": command_store.cursor({"created_at": at, "id": batch_id})}


async def get_command_batch(call: Call) -> object:
    """Return a batch with the command of each charging station."""
    return (await _found_batch(call))[1]


async def post_command_batch_cancel(call: Call) -> object:
    """Call off what was not sent of a batch."""
    organisation_id, _ = await _found_batch(call)
    call.require(rules.may_command, organisation_id)
    return await call.services.batches.cancel(organisation_id, call.path["id"])


async def _found_batch(call: Call) -> tuple[str, Mapping[str, Any]]:
    for organisation_id in rules.supervised(call.identity):
        batch = await call.services.batches.batch(organisation_id, call.path["id"])
        if batch is not None:
            return organisation_id, batch
    raise ApiError(404, "unknown_batch", f"unknown batch {call.path['id']!r}")


def _organisation(call: Call) -> str:
    supervised = rules.supervised(call.identity)
    if not supervised:
        raise forbidden()
    organisation_id = call.body.get("organisation") or (supervised[0] if len(supervised) == 1 else "")
    if organisation_id not in supervised:
        raise invalid("organisation", "one of your organisations is wanted")
    return str(organisation_id)


def _key(call: Call) -> str | None:
    key = call.headers.get(KEY_HEADER)
    if key is not None and not _KEY.fullmatch(key):
        raise invalid(KEY_HEADER, "1 to 255 printable ASCII characters without blanks are wanted")
    return key


def _age(item: Mapping[str, Any]) -> tuple[Any, str]:
    return parse_instant(item["created_at"]), item["id"]


_ACTION = {"type": "string", "minLength": 1, "maxLength": 50}
_EXPIRES = {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_EXPIRY_S}
_TIMEOUT = {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_TIMEOUT_S}
_HEADERS = {KEY_HEADER: "The same key and body answer with the first command instead of a second one"}
_SOME = {**TEXT, "minLength": 1, "maxLength": 100}

OPERATIONS = (
    Operation(
        method="POST",
        path="/charging-stations/{identity}/commands",
        summary="Any CALL of either OCPP version, through the station's command queue",
        handler=post_command,
        headers=_HEADERS,
        body=strict(
            "action", action=_ACTION, payload=ANYTHING, timeout_s=_TIMEOUT, wait=FLAG, expires_s=_EXPIRES
        ),
        answer=ref("CommandResult"),
        tag="commands",
    ),
    Operation(
        method="GET",
        path="/charging-stations/{identity}/commands",
        summary="Commands to a charging station, newest first",
        handler=list_commands,
        query=PAGING,
        answer=page_of("Command"),
        tag="commands",
    ),
    Operation(
        method="GET",
        path="/charging-stations/{identity}/commands/{id}",
        summary="One command as it stands",
        handler=get_command,
        answer=ref("Command"),
        tag="commands",
    ),
    Operation(
        method="POST",
        path="/charging-stations/{identity}/commands/{id}/cancel",
        summary="Call off a command that was not sent",
        handler=post_command_cancel,
        answer=ref("Command"),
        tag="commands",
    ),
    Operation(
        method="POST",
        path="/command-batches",
        summary="One command to many charging stations, a few at a time, with a result for each",
        handler=post_command_batch,
        headers=_HEADERS,
        body=strict(
            "action",
            action=_ACTION,
            payload=ANYTHING,
            charging_stations={"type": "array", "items": ID, "minItems": 1, "maxItems": MOST_TARGETS},
            station=ID,
            vendor=_SOME,
            model=_SOME,
            firmware=_SOME,
            organisation=ID,
            expires_s=_EXPIRES,
        ),
        answer=ref("CommandBatch"),
        status=201,
        tag="commands",
    ),
    Operation(
        method="GET",
        path="/command-batches",
        summary="Batches of commands, newest first",
        handler=list_command_batches,
        query=PAGING,
        answer=page_of("CommandBatchSummary"),
        tag="commands",
    ),
    Operation(
        method="GET",
        path="/command-batches/{id}",
        summary="A batch with the command of each charging station",
        handler=get_command_batch,
        answer=ref("CommandBatch"),
        tag="commands",
    ),
    Operation(
        method="POST",
        path="/command-batches/{id}/cancel",
        summary="Call off what was not sent of a batch",
        handler=post_command_batch_cancel,
        answer=ref("CommandBatch"),
        tag="commands",
    ),
)
