"""The security section of a charging station's page: what is shown, and its form as an action."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from supervision.csms.commands import CommandResult
from supervision.csms.security import HASH_FIELDS, ROOT_KINDS
from supervision.kernel.errors import FieldError, Refused
from supervision.kernel.timespan import parse_instant
from supervision.services import Services
from supervision.web.views.station_model import CertificateLine, RootLine, SecurityView

PROFILES = (1, 2, 3)
SHOWN_CERTIFICATES = 5
LONGEST_PEM = 5500
LONGEST_NUMBER = 18

Document = Mapping[str, Any]


async def security_of(
    services: Services, organisation_id: str, identity: str, zone: ZoneInfo
) -> SecurityView:
    """Return what is known of a station that exists."""
    document = await services.security.document(organisation_id, identity)
    if isinstance(document, Refused):
        raise LookupError(identity)  # noqa: TRY004 - the caller has just found it
    installed = document["installed"] or {"at": None, "items": ()}
    return SecurityView(
        profile=document["security_profile"],
        wanted_profile=document["wanted_profile"],
        password_set=document["password_set"],
        password_on_its_way=document["password_on_its_way"],
        certificates=tuple(_line(one, zone) for one in document["certificates"][:SHOWN_CERTIFICATES]),
        roots=tuple(_root(item) for item in installed["items"]),
        roots_at=_local(installed["at"], zone),
        higher_profiles=tuple(level for level in PROFILES if level > document["security_profile"]),
    )


def _line(document: Document, zone: ZoneInfo) -> CertificateLine:
    return CertificateLine(
        id=document["id"],
        state=document["state"],
        reason=document["reason"] or "",
        serial=document["serial"] or "",
        ends_at=_local(document["not_after"], zone),
        requested_at=parse_instant(document["requested_at"]).astimezone(zone),
    )


def _root(item: Document) -> RootLine:
    name = ":".join(item[field] for field in HASH_FIELDS)
    return RootLine(kind=item["kind"], serial=item["serialNumber"], ours=item["ours"], name=name)


def _local(text: str | None, zone: ZoneInfo) -> datetime | None:
    return None if text is None else parse_instant(text).astimezone(zone)


async def act(
    services: Services, organisation_id: str, identity: str, form: Mapping[str, str], person_id: str
) -> CommandResult | Refused:
    """Do what the form says; FieldError names a field that cannot be used."""
    service = services.security
    match form.get("action"):
        case "list":
            return await service.ask_installed(organisation_id, identity, by_person_id=person_id)
        case "install":
            kind, pem = _kind(form), form.get("certificate", "").strip()
            if len(pem) > LONGEST_PEM:
                raise FieldError("certificate", f"at most {LONGEST_PEM} characters")
            return await service.install_root(
                organisation_id, identity, kind=kind, pem=pem or None, by_person_id=person_id
            )
        case "delete":
            return await service.delete_root(
                organisation_id, identity, hash_data=_named(form), by_person_id=person_id
            )
        case "renew":
            return await service.renew_certificate(organisation_id, identity, by_person_id=person_id)
        case "password":
            return await service.rotate_password(organisation_id, identity, by_person_id=person_id)
        case "profile":
            return await service.raise_profile(
                organisation_id, identity, _number(form, "profile"), by_person_id=person_id
            )
        case _:
            raise FieldError("action", "unknown")


def certificate_in(form: Mapping[str, str]) -> int:
    """Return the certificate that a form names."""
    return _number(form, "certificate")


def _kind(form: Mapping[str, str]) -> str:
    kind = form.get("kind", "")
    if kind not in ROOT_KINDS:
        raise FieldError("kind", "unknown")
    return kind


def _named(form: Mapping[str, str]) -> dict[str, str]:
    parts = form.get("root", "").split(":")
    if len(parts) != len(HASH_FIELDS):
        raise FieldError("root", "unknown")
    return dict(zip(HASH_FIELDS, parts, strict=True))


def _number(form: Mapping[str, str], name: str) -> int:
    text = form.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER):
        raise FieldError(name, "a number")
    return int(text)
