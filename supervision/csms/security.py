"""What an operator does for the security of a charging station: roots, certificate, password, profile.

Every use case ends in `CommandResult`, as the station answered the last CALL of it, or in `Refused`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.x509 import BasicConstraints, ExtensionNotFound
from sqlalchemy import select, update

from supervision import chance
from supervision.clock import Clock
from supervision.csms import certificate_store
from supervision.csms.authority import HashData
from supervision.csms.certificate_store import CertificateState
from supervision.csms.certificates import CertificateService
from supervision.csms.commands import CommandResult, CommandService, CommandState
from supervision.csms.frame import Version
from supervision.csms.upgrade import Readiness, TlsOffer, accepted, calls_of_upgrade, refuse_upgrade
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import format_instant, instant_text
from supervision.store.db import Database, Tx
from supervision.store.schema import charging_stations, commands

Document = dict[str, Any]
Row = Mapping[str, Any]

ROOT_KINDS = ("CSMSRootCertificate", "ManufacturerRootCertificate")  # 2.0.1's words, for both versions
_KIND_16 = {"CSMSRootCertificate": "CentralSystemRootCertificate"}
_KEY_BYTES = 20  # 40 hex digits: the longest key of either version
_ANSWER_WITHIN_S = 30
_MAX_PEM_CHARS = 5500


class SecurityService:
    """Use cases of operators; one instance per process."""

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        commands: CommandService,
        certificates: CertificateService,
        tls: TlsOffer,
    ) -> None:
        self._db = db
        self._clock = clock
        self._commands = commands
        self._certificates = certificates
        self._tls = tls

    async def document(self, organisation_id: str, identity: str) -> Document | Refused:
        """Return what is known of the security of a station; public halves only."""
        row = await self._station(organisation_id, identity)
        if row is None:
            return _unknown(identity)
        async with self._db.read(organisation_id) as reader:
            found = await certificate_store.certificates_of(reader, organisation_id, identity)
        return {
            "identity": identity,
            "security_profile": row["security_profile"],
            "wanted_profile": row["wanted_profile"],
            "password_set": row["password_hash"] is not None,
            "password_on_its_way": row["next_password_hash"] is not None,
            "certificates": [certificate_document(one) for one in found],
            "installed": self._installed_document(row["installed_certificates"]),
            "authority_root": self._certificates.authority.root,
        }

    def _installed_document(self, kept: Mapping[str, Any] | None) -> Document | None:
        if kept is None:
            return None
        authority = self._certificates.authority
        items = [{**item, "ours": authority.issued(_hash_data(item))} for item in kept["items"]]
        return {"at": kept["at"], "items": items}

    # --- root certificates ------------------------------------------------------------------------------

    async def ask_installed(
        self, organisation_id: str, identity: str, *, kinds: Sequence[str] = (), by_person_id: str
    ) -> CommandResult | Refused:
        """Ask which certificates are installed and keep the answer; no `kinds`: all of them."""
        row = await self._station(organisation_id, identity)
        if row is None:
            return _unknown(identity)
        found: list[Document] = []
        for payload in _questions(Version.numbered(row["ocpp"]), kinds):
            result = await self._send(
                organisation_id, identity, "GetInstalledCertificateIds", payload, by_person_id
            )
            if isinstance(result, Refused) or result.state is not CommandState.ANSWERED:
                return result
            found += _told(payload, result.response or {})
        kept = [] if not kinds else (row["installed_certificates"] or {}).get("items", [])
        others = [item for item in kept if item["kind"] not in kinds]
        known = {"at": format_instant(self._clock.now()), "items": [*others, *found]}
        await self._update(row, installed_certificates=known)
        return result

    async def install_root(
        self, organisation_id: str, identity: str, *, kind: str, pem: str | None, by_person_id: str
    ) -> CommandResult | Refused:
        """Install a root certificate; without `pem` that of our own authority."""
        row = await self._station(organisation_id, identity)
        if row is None:
            return _unknown(identity)
        root = self._certificates.authority.root if pem is None else pem
        refused = _refuse_root(kind, root, self._clock.now())
        if refused is not None:
            return refused
        payload = {"certificateType": _spelt(kind, Version.numbered(row["ocpp"])), "certificate": root}
        result = await self._send(organisation_id, identity, "InstallCertificate", payload, by_person_id)
        if not isinstance(result, Refused) and accepted(result.response or {}):
            # What is installed is known from the station alone.
            await self.ask_installed(organisation_id, identity, by_person_id=by_person_id)
        return result

    async def delete_root(
        self, organisation_id: str, identity: str, *, hash_data: Mapping[str, str], by_person_id: str
    ) -> CommandResult | Refused:
        """Delete an installed certificate, named as the station named it."""
        if await self._station(organisation_id, identity) is None:
            return _unknown(identity)
        payload = {"certificateHashData": dict(hash_data)}
        result = await self._send(organisation_id, identity, "DeleteCertificate", payload, by_person_id)
        status = None if isinstance(result, Refused) else (result.response or {}).get("status")
        if status in ("Accepted", "NotFound"):
            await self.ask_installed(organisation_id, identity, by_person_id=by_person_id)
        return result

    # --- the station's own certificate ------------------------------------------------------------------

    async def renew_certificate(
        self, organisation_id: str, identity: str, *, by_person_id: str
    ) -> CommandResult | Refused:
        """Ask the station for a request; signing and sending follow by themselves."""
        row = await self._station(organisation_id, identity)
        if row is None:
            return _unknown(identity)
        if Version.numbered(row["ocpp"]) is Version.V201:
            action, message = "TriggerMessage", "SignChargingStationCertificate"
        else:
            action, message = "ExtendedTriggerMessage", "SignChargePointCertificate"
        payload = {"requestedMessage": message}
        return await self._send(organisation_id, identity, action, payload, by_person_id)

    async def revoke_certificate(
        self, organisation_id: str, identity: str, certificate_id: int
    ) -> Document | Refused:
        """Take a certificate back."""
        row = await self._certificates.revoke(organisation_id, identity, certificate_id)
        return row if isinstance(row, Refused) else certificate_document(row)

    # --- password and profile ---------------------------------------------------------------------------

    async def rotate_password(
        self, organisation_id: str, identity: str, *, by_person_id: str
    ) -> CommandResult | Refused:
        """Give the station a new random password, which nobody sees; `csms.rotation` tells what follows."""
        row = await self._station(organisation_id, identity)
        if row is None:
            return _unknown(identity)
        action, payload = _password_call(Version.numbered(row["ocpp"]), chance.new_bytes(_KEY_BYTES).hex())
        return await self._send(organisation_id, identity, action, payload, by_person_id)

    async def raise_profile(
        self,
        organisation_id: str,
        identity: str,
        profile: int,
        *,
        slot: int = 2,
        interface: str = "Wired0",
        by_person_id: str,
    ) -> CommandResult | Refused:
        """Tell the station to use a higher profile; ours is raised once it has connected with it."""
        row = await self._station(organisation_id, identity)
        if row is None:
            return _unknown(identity)
        ready = await self._readiness(organisation_id, row)
        refused = refuse_upgrade(ready, profile, self._tls)
        if refused is not None:
            return refused
        await self._update(row, wanted_profile=profile)
        calls = calls_of_upgrade(
            ready.version or Version.V16,
            profile,
            url=self._tls.url,
            slot=slot,
            interface=interface,
            priority=_priority(row),
        )
        for action, payload in calls:
            result = await self._send(organisation_id, identity, action, payload, by_person_id)
            if isinstance(result, Refused) or not accepted(result.response or {}):
                break
        if isinstance(result, Refused) or await self._declined(organisation_id, result):
            await self._update(row, wanted_profile=None)
        return result

    async def _declined(self, organisation_id: str, result: CommandResult) -> bool:
        """The order stands when it may have reached the station without its answer reaching us."""
        if result.state in (CommandState.TIMEOUT, CommandState.OFFLINE):
            async with self._db.read(organisation_id) as reader:
                sent_at = await reader.scalar(
                    select(commands.c.sent_at).where(
                        commands.c.organisation_id == organisation_id, commands.c.id == result.id
                    )
                )
            return sent_at is None
        return not accepted(result.response or {})

    async def _readiness(self, organisation_id: str, row: Row) -> Readiness:
        async with self._db.read(organisation_id) as reader:
            found = await certificate_store.certificates_of(reader, organisation_id, row["identity"])
        now = self._clock.now()
        return Readiness(
            version=Version.numbered(row["ocpp"]),
            profile=row["security_profile"],
            has_password=row["password_hash"] is not None,
            has_certificate=any(
                one["state"] == CertificateState.INSTALLED and now < one["not_after"] for one in found
            ),
        )

    # --- inside -----------------------------------------------------------------------------------------

    async def _send(
        self,
        organisation_id: str,
        identity: str,
        action: str,
        payload: Mapping[str, Any],
        by_person_id: str,
    ) -> CommandResult | Refused:
        return await self._commands.send(
            organisation_id,
            identity,
            action,
            payload,
            timeout_s=_ANSWER_WITHIN_S,
            origin="portal",
            by_person_id=by_person_id,
        )

    async def _station(self, organisation_id: str, identity: str) -> Row | None:
        table = charging_stations
        async with self._db.read(organisation_id) as reader:
            return await reader.first(
                select(table).where(table.c.organisation_id == organisation_id, table.c.identity == identity)
            )

    async def _update(self, row: Row, **values: Any) -> None:
        table = charging_stations

        async def unit(tx: Tx) -> None:
            await tx.execute(
                update(table)
                .where(table.c.organisation_id == row["organisation_id"], table.c.identity == row["identity"])
                .values(**values)
            )
            tx.touch(f"station:{row['station_id']}")

        await self._db.write(row["organisation_id"], unit)


def certificate_document(row: Row) -> Document:
    """Write a certificate of a station; the request and the chain are left out: the serial names them."""
    instants = ("requested_at", "not_before", "not_after", "installed_at", "used_at", "revoked_at")
    return {
        "id": row["id"],
        "state": row["state"],
        "reason": row["reason"],
        "serial": row["serial"],
        "fingerprint": row["fingerprint"],
        **{name: instant_text(row[name]) for name in instants},
    }


def _unknown(identity: str) -> Refused:
    return Refused("unknown_charging_station", {"charging_station": identity})


def _password_call(version: Version | None, secret: str) -> tuple[str, Document]:
    if version is not Version.V201:
        return "ChangeConfiguration", {"key": "AuthorizationKey", "value": secret}
    variable = {
        "component": {"name": "SecurityCtrlr"},
        "variable": {"name": "BasicAuthPassword"},
        "attributeValue": secret,
    }
    return "SetVariables", {"setVariableData": [variable]}


def _spelt(kind: str, version: Version | None) -> str:
    return kind if version is Version.V201 else _KIND_16.get(kind, kind)


def _questions(version: Version | None, kinds: Sequence[str]) -> list[Document]:
    """1.6 asks for one kind at a time."""
    if version is Version.V201:
        return [{"certificateType": [*kinds]} if kinds else {}]
    return [{"certificateType": _spelt(kind, version)} for kind in kinds or ROOT_KINDS]


def _told(question: Document, response: Mapping[str, Any]) -> list[Document]:
    """Read either version's answer as items {kind, hashAlgorithm, issuerNameHash, ...}."""
    if response.get("status") != "Accepted":
        return []
    chains = response.get("certificateHashDataChain")
    if chains is not None:
        return [
            {"kind": chain["certificateType"], **_hash_fields(chain["certificateHashData"])}
            for chain in chains
        ]
    kinds = {spelling: kind for kind, spelling in _KIND_16.items()}
    kind = question["certificateType"]
    return [
        {"kind": kinds.get(kind, kind), **_hash_fields(item)}
        for item in response.get("certificateHashData", [])
    ]


HASH_FIELDS = ("hashAlgorithm", "issuerNameHash", "issuerKeyHash", "serialNumber")


def _hash_fields(item: Mapping[str, Any]) -> Document:
    return {name: str(item[name]) for name in HASH_FIELDS}


def _hash_data(item: Mapping[str, Any]) -> HashData:
    algorithm, name, key, serial = (str(item[field]) for field in HASH_FIELDS)
    return HashData(algorithm=algorithm, issuer_name=name, issuer_key=key, serial=serial)


def _refuse_root(kind: str, pem: str, now: datetime) -> Refused | None:
    if kind not in ROOT_KINDS:
        return Refused("root_kind", {"kinds": ", ".join(ROOT_KINDS)})
    try:
        found = x509.load_pem_x509_certificates(pem.encode("ascii"))
    except ValueError:
        return Refused("root_unreadable")
    if len(found) != 1 or "PRIVATE KEY" in pem or len(pem) > _MAX_PEM_CHARS:
        return Refused("root_unreadable")
    if not _is_authority(found[0]):
        return Refused("root_no_authority")
    if not found[0].not_valid_before_utc <= now < found[0].not_valid_after_utc:
        return Refused("root_expired", {"until": found[0].not_valid_after_utc})
    return None


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(BasicConstraints).value.ca
    except (ExtensionNotFound, ValueError):
        return False


def _priority(row: Row) -> str:
    """The order in which a 2.0.1 station tries its network profiles, as far as it has told."""
    variables = (row["capabilities"] or {}).get("variables", {})
    return str(variables.get("OCPPCommCtrlr.NetworkConfigurationPriority") or "1")


__all__ = ["SecurityService", "TlsOffer", "certificate_document"]
