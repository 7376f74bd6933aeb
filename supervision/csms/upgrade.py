"""Whether a charging station may be told to use a higher security profile. Pure.

Only ever upwards: lowering a profile is no matter of OCPP (security whitepaper A00.FR.005, 2.0.1 A05).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from supervision.csms.admission import HIGHEST_PROFILE
from supervision.csms.frame import Version
from supervision.kernel.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsOffer:
    """What stations can be told to use: is there TLS, under which URL, are other CAs' certificates taken."""

    listens: bool = False
    url: str = ""
    foreign_certificates: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What a station has."""

    version: Version | None
    profile: int
    has_password: bool
    has_certificate: bool


def refuse_upgrade(station: Readiness, wanted: int, offer: TlsOffer) -> Refused | None:
    """Return why the station cannot be told to use the profile; None when it can."""
    if not station.profile < wanted <= HIGHEST_PROFILE:
        return Refused("profile_not_higher", {"profile": station.profile})
    if wanted < HIGHEST_PROFILE and not station.has_password:
        return Refused("password_missing")
    if wanted > 1 and not offer.listens:
        return Refused("tls_missing")
    if wanted == HIGHEST_PROFILE and not (station.has_certificate or offer.foreign_certificates):
        return Refused("certificate_missing")
    if station.version is Version.V201 and not offer.url:
        return Refused("tls_url_missing")
    return None


Call = tuple[str, Mapping[str, Any]]


def calls_of_upgrade(
    version: Version, wanted: int, *, url: str, slot: int, interface: str, priority: str
) -> Iterator[Call]:
    """Give the CALLs one after another; each must be accepted before the next.

    2.0.1 A05: a network profile in a slot of its own, that slot first in `priority` (the slots as they are
    tried now), then a restart; the old slot stays behind as the way back.
    """
    if version is Version.V16:
        yield "ChangeConfiguration", {"key": "SecurityProfile", "value": str(wanted)}
        return
    yield (
        "SetNetworkProfile",
        {
            "configurationSlot": slot,
            "connectionData": {
                "ocppVersion": "OCPP20",
                "ocppTransport": "JSON",
                "ocppCsmsUrl": url,
                "messageTimeout": 30,
                "securityProfile": wanted,
                "ocppInterface": interface,
            },
        },
    )
    others = [name for name in priority.split(",") if name.strip() and name.strip() != str(slot)]
    yield (
        "SetVariables",
        {
            "setVariableData": [
                {
                    "component": {"name": "OCPPCommCtrlr"},
                    "variable": {"name": "NetworkConfigurationPriority"},
                    "attributeValue": ",".join([str(slot), *others]),
                }
            ]
        },
    )
    yield "Reset", {"type": "OnIdle"}


_GOOD = frozenset({"Accepted", "RebootRequired", "Scheduled"})


def accepted(response: Mapping[str, Any]) -> bool:
    """Tell whether a station agreed to one of these CALLs."""
    results = response.get("setVariableResult")
    if results is not None:
        return bool(results) and all(item.get("attributeStatus") in _GOOD for item in results)
    return response.get("status") in _GOOD
