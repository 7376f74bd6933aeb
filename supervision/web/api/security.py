"""API: the security of a charging station, what is known of it and what an operator does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from supervision.accounts import rules
from supervision.csms.commands import CommandResult
from supervision.csms.security import HASH_FIELDS, ROOT_KINDS, SecurityService
from supervision.kernel.errors import Refused
from supervision.web.api.charging_stations import found_station
from supervision.web.api.commands import command_result
from supervision.web.api.operation import Call, Operation, invalid
from supervision.web.api.schemas import TEXT, WHOLE, ref, strict

_LONGEST_NUMBER = 18
Action = Callable[[SecurityService, str, str, Mapping[str, Any], str], Awaitable[CommandResult | Refused]]


async def get_security(call: Call) -> object:
    """Return profile, certificates and installed roots; no secret is among them."""
    organisation_id, station = await found_station(call)
    return await call.services.security.document(organisation_id, station["identity"])


async def post_security(call: Call) -> object:
    """Do one of the actions and wait for the station's answer."""
    organisation_id, station = await found_station(call)
    call.require(rules.may_command, organisation_id)
    act = ACTIONS[call.body["action"]]
    result = await act(
        call.services.security, organisation_id, station["identity"], call.body, call.identity.person.id
    )
    if isinstance(result, Refused):
        return result
    return command_result(result)


async def post_revoke(call: Call) -> object:
    """Take a certificate back."""
    organisation_id, station = await found_station(call)
    call.require(rules.may_administer, organisation_id)
    text = call.path["id"]
    known = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER
    if not known:
        return Refused("certificate_unknown")
    return await call.services.security.revoke_certificate(organisation_id, station["identity"], int(text))


async def _list(
    service: SecurityService, organisation_id: str, identity: str, _body: Mapping[str, Any], person_id: str
) -> CommandResult | Refused:
    return await service.ask_installed(organisation_id, identity, by_person_id=person_id)


async def _install(
    service: SecurityService, organisation_id: str, identity: str, body: Mapping[str, Any], person_id: str
) -> CommandResult | Refused:
    return await service.install_root(
        organisation_id,
        identity,
        kind=body.get("kind", ROOT_KINDS[0]),
        pem=body.get("certificate"),
        by_person_id=person_id,
    )


async def _delete(
    service: SecurityService, organisation_id: str, identity: str, body: Mapping[str, Any], person_id: str
) -> CommandResult | Refused:
    if "hash_data" not in body:
        raise invalid("hash_data", "the certificate as the station named it is wanted")
    return await service.delete_root(
        organisation_id, identity, hash_data=body["hash_data"], by_person_id=person_id
    )


async def _renew(
    service: SecurityService, organisation_id: str, identity: str, _body: Mapping[str, Any], person_id: str
) -> CommandResult | Refused:
    return await service.renew_certificate(organisation_id, identity, by_person_id=person_id)


async def _password(
    service: SecurityService, organisation_id: str, identity: str, _body: Mapping[str, Any], person_id: str
) -> CommandResult | Refused:
    return await service.rotate_password(organisation_id, identity, by_person_id=person_id)


async def _profile(
    service: SecurityService, organisation_id: str, identity: str, body: Mapping[str, Any], person_id: str
) -> CommandResult | Refused:
    if "profile" not in body:
        raise invalid("profile", "the profile to raise to is wanted")
    return await service.raise_profile(
        organisation_id,
        identity,
        body["profile"],
        slot=body.get("slot", 2),
        interface=body.get("interface", "Wired0"),
        by_person_id=person_id,
    )


ACTIONS: Mapping[str, Action] = {
    "list": _list,
    "install": _install,
    "delete": _delete,
    "renew": _renew,
    "password": _password,
    "profile": _profile,
}
INTERFACES = [f"{kind}{number}" for kind in ("Wired", "Wireless") for number in range(4)]

OPERATIONS = (
    Operation(
        method="GET",
        path="/charging-stations/{identity}/security",
        summary="Security profile, certificates and installed root certificates of a charging station",
        handler=get_security,
        answer=ref("StationSecurity"),
        tag="charging stations",
    ),
    Operation(
        method="POST",
        path="/charging-stations/{identity}/security",
        summary="Root certificates, renewal, a new password, a higher security profile",
        handler=post_security,
        body=strict(
            "action",
            action={"enum": [*ACTIONS]},
            kind={"enum": [*ROOT_KINDS]},
            certificate={**TEXT, "maxLength": 5500},
            hash_data=strict(
                " ".join(HASH_FIELDS), **{name: {**TEXT, "maxLength": 128} for name in HASH_FIELDS}
            ),
            profile={**WHOLE, "minimum": 1, "maximum": 3},
            slot={**WHOLE, "minimum": 1, "maximum": 100},
            interface={"enum": INTERFACES},
        ),
        answer=ref("CommandResult"),
        tag="charging stations",
    ),
    Operation(
        method="POST",
        path="/charging-stations/{identity}/certificates/{id}/revoke",
        summary="Take a certificate back: it opens nothing any more",
        handler=post_revoke,
        answer=ref("StationCertificate"),
        tag="charging stations",
    ),
)
