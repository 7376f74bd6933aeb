"""Sending stations for their logs and for firmware, with links of their own to our files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from supervision.clock import Clock
from supervision.csms.commands import CommandResult, CommandService
from supervision.csms.devices.files import FileService, Purpose
from supervision.csms.devices.model import FileKind
from supervision.csms.devices.orders import Order, Signature, firmware_order, log_order
from supervision.csms.frame import Version
from supervision.kernel.errors import Refused
from supervision.store.db import Database
from supervision.store.schema import charging_stations, device_files, errands

PATH = "/device-files/"
EXPIRES_S = 600  # how long the command waits for a station that is away


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of the command to one station of a campaign."""

    charging_station: str
    result: CommandResult | Refused


class CampaignService:
    """Logs and firmware. One instance per process."""

    def __init__(
        self, *, db: Database, clock: Clock, commands: CommandService, files: FileService, files_url: str
    ) -> None:
        self._db = db
        self._clock = clock
        self._commands = commands
        self.files = files
        self._files_url = files_url.rstrip("/")

    async def fetch_log(
        self, organisation_id: str, identity: str, kind: FileKind, *, by_person_id: str | None
    ) -> CommandResult | Refused:
        """Ask a station to upload a log; refused while it is not known which version it speaks."""
        version = await self._version(organisation_id, identity)
        if isinstance(version, Refused):
            return version
        name = f"{identity}-{kind.value}"
        file_id = await self.files.create(
            organisation_id, kind, name=name, charging_station=identity, by_person_id=by_person_id
        )
        token = await self.files.link(
            organisation_id, file_id, charging_station=identity, purpose=Purpose.UPLOAD
        )
        number = await self._next_number(organisation_id, identity)
        order = log_order(version, kind, f"{self._files_url}{PATH}{token}/", number)
        return await self._send(organisation_id, identity, order, by_person_id)

    async def update_firmware(
        self,
        organisation_id: str,
        identities: Sequence[str],
        file_id: str,
        *,
        retrieve_at: datetime | None = None,
        install_at: datetime | None = None,
        by_person_id: str | None,
    ) -> list[Sent] | Refused:
        """Send stations for a firmware of ours; each is told an address of its own.

        Refused when the firmware is unknown or not whole; what becomes of each station is told beside it.
        """
        firmware = await self._firmware(organisation_id, file_id)
        if firmware is None:
            return Refused("unknown_file", {"file": file_id})
        name, signature = firmware
        sent = []
        for identity in identities:
            result = await self._update_one(
                organisation_id,
                identity,
                file_id,
                name,
                signature,
                retrieve_at or self._clock.now(),
                install_at,
                by_person_id,
            )
            sent.append(Sent(charging_station=identity, result=result))
        return sent

    async def _update_one(
        self,
        organisation_id: str,
        identity: str,
        file_id: str,
        name: str,
        signature: Signature | None,
        retrieve_at: datetime,
        install_at: datetime | None,
        by_person_id: str | None,
    ) -> CommandResult | Refused:
        version = await self._version(organisation_id, identity)
        if isinstance(version, Refused):
            return version
        token = await self.files.link(
            organisation_id, file_id, charging_station=identity, purpose=Purpose.DOWNLOAD
        )
        order = firmware_order(
            version,
            f"{self._files_url}{PATH}{token}/{name}",
            await self._next_number(organisation_id, identity),
            retrieve_at=retrieve_at,
            install_at=install_at,
            signature=signature,
        )
        return await self._send(organisation_id, identity, order, by_person_id)

    async def _send(
        self, organisation_id: str, identity: str, order: Order, by_person_id: str | None
    ) -> CommandResult | Refused:
        return await self._commands.enqueue(
            organisation_id,
            identity,
            order.action,
            order.payload,
            expires_s=EXPIRES_S,
            origin="portal",
            by_person_id=by_person_id,
        )

    async def _version(self, organisation_id: str, identity: str) -> Version | Refused:
        table = charging_stations
        async with self._db.read(organisation_id) as reader:
            row = await reader.first(
                select(table.c.ocpp).where(
                    table.c.organisation_id == organisation_id, table.c.identity == identity
                )
            )
        if row is None:
            return Refused("unknown_charging_station", {"charging_station": identity})
        return Version.numbered(row["ocpp"]) or Refused("never_connected", {"charging_station": identity})

    async def _firmware(self, organisation_id: str, file_id: str) -> tuple[str, Signature | None] | None:
        table = device_files
        async with self._db.read(organisation_id) as reader:
            row = await reader.first(
                select(table).where(
                    table.c.organisation_id == organisation_id,
                    table.c.id == file_id,
                    table.c.kind == FileKind.FIRMWARE.value,
                    table.c.complete_at.is_not(None),
                )
            )
        return None if row is None else (row["name"], _signature(row["details"]))

    async def _next_number(self, organisation_id: str, identity: str) -> int:
        """A requestId this station has not seen: one more than the greatest we know of."""
        table = errands
        async with self._db.read(organisation_id) as reader:
            greatest: int | None = await reader.scalar(
                select(func.max(table.c.request_id)).where(
                    table.c.organisation_id == organisation_id, table.c.charging_station == identity
                )
            )
        return max(greatest or 0, int(self._clock.now().timestamp())) + 1


def _signature(details: dict[str, Any]) -> Signature | None:
    certificate, signature = details.get("signing_certificate"), details.get("signature")
    if not certificate or not signature:
        return None
    return Signature(signing_certificate=str(certificate), signature=str(signature))
