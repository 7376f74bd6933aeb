"""Files that stations fetch and leave: firmware, diagnostics, logs.

The rows say what a file is; its bytes stand in a directory under the row's id. A station reaches a file by an
address with a token that it alone was told: once for an upload, for some days for a download. Only the hash
of the token is kept.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert, select, update

from supervision import chance
from supervision.clock import Clock
from supervision.csms.devices.model import FileKind
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import format_instant, instant_text
from supervision.store.db import Database, Tx, across_tenants
from supervision.store.schema import device_files, file_links

MAX_BYTES = 64 * 1024 * 1024
UPLOAD_LASTS = timedelta(days=1)
DOWNLOAD_LASTS = timedelta(days=7)

_LINK = across_tenants("a station shows only the token; the organisation is not known before the link is")
_RETENTION = across_tenants("what is older than its time goes, whoever it belongs to")


class Purpose(StrEnum):
    """What a link is good for."""

    UPLOAD = "upload"
    DOWNLOAD = "download"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link that opens now."""

    token_hash: bytes
    organisation_id: str
    file_id: str
    charging_station: str
    name: str


class FileService:
    """Keeps files and the links to them. One instance per process."""

    def __init__(self, db: Database, clock: Clock, directory: Path) -> None:
        self._db = db
        self._clock = clock
        self._directory = directory

    # --- for operators ----------------------------------------------------------------------------------

    async def create(
        self,
        organisation_id: str,
        kind: FileKind,
        *,
        name: str,
        charging_station: str | None = None,
        command_id: str | None = None,
        details: Mapping[str, Any] | None = None,
        by_person_id: str | None = None,
    ) -> str:
        """Announce a file whose bytes are still to come; return its id."""
        file_id = chance.new_id()
        row = {
            "id": file_id,
            "organisation_id": organisation_id,
            "kind": kind.value,
            "charging_station": charging_station,
            "command_id": command_id,
            "name": Path(name).name[:100] or kind.value,
            "details": dict(details or {}),
            "made_at": self._clock.now(),
            "by_person_id": by_person_id,
        }

        async def unit(tx: Tx) -> None:
            await tx.execute(insert(device_files).values(**row))

        await self._db.write(organisation_id, unit)
        return file_id

    async def link(
        self, organisation_id: str, file_id: str, *, charging_station: str, purpose: Purpose
    ) -> str:
        """Return a new token for a file; it is told to nobody but the one who asked."""
        token, lasts = chance.new_token(), UPLOAD_LASTS if purpose is Purpose.UPLOAD else DOWNLOAD_LASTS
        row = {
            "token_hash": _hash(token),
            "organisation_id": organisation_id,
            "file_id": file_id,
            "charging_station": charging_station,
            "purpose": purpose.value,
            "expires_at": self._clock.now() + lasts,
        }

        async def unit(tx: Tx) -> None:
            await tx.execute(insert(file_links).values(**row))

        await self._db.write(organisation_id, unit)
        return token

    async def files(
        self, organisation_id: str, *, kind: FileKind | None = None, charging_station: str | None = None
    ) -> list[dict[str, Any]]:
        """Files of an organisation, newest first."""
        table = device_files
        statement = (
            select(table)
            .where(table.c.organisation_id == organisation_id)
            .order_by(table.c.made_at.desc(), table.c.id)
            .limit(200)
        )
        if kind is not None:
            statement = statement.where(table.c.kind == kind.value)
        if charging_station is not None:
            statement = statement.where(table.c.charging_station == charging_station)
        async with self._db.read(organisation_id) as reader:
            return [_document(row) for row in await reader.all(statement)]

    async def file(self, organisation_id: str, file_id: str) -> tuple[dict[str, Any], Path] | None:
        """Return a file that is here whole, and where its bytes are."""
        table = device_files
        async with self._db.read(organisation_id) as reader:
            row = await reader.first(
                select(table).where(table.c.organisation_id == organisation_id, table.c.id == file_id)
            )
        if row is None or row["complete_at"] is None:
            return None
        return _document(row), self._directory / file_id

    # --- for stations -----------------------------------------------------------------------------------

    async def open_link(self, token: str, purpose: Purpose) -> Link | None:
        """Return what a token opens; None for one that is unknown, over, used, or for something else."""
        table = file_links
        async with self._db.read(_LINK) as reader:
            row = await reader.first(
                select(table, device_files.c.name)
                .join(device_files, device_files.c.id == table.c.file_id)
                .where(
                    table.c.token_hash == _hash(token),
                    table.c.purpose == purpose.value,
                    table.c.expires_at > self._clock.now(),
                    table.c.used_at.is_(None),
                )
            )
        if row is None:
            return None
        names = ("token_hash", "organisation_id", "file_id", "charging_station", "name")
        return Link(**{name: row[name] for name in names})

    async def receive(self, link: Link, chunks: AsyncIterator[bytes]) -> int | Refused:
        """Store the bytes of an upload and return how many they are; the link is used up by a whole one.

        An upload that breaks off leaves nothing and may be tried again.
        """
        return await self._receive(link.organisation_id, link.file_id, chunks, link.token_hash)

    async def fill(self, organisation_id: str, file_id: str, chunks: AsyncIterator[bytes]) -> int | Refused:
        """Store the bytes of a file an operator brings."""
        return await self._receive(organisation_id, file_id, chunks, None)

    async def _receive(
        self, organisation_id: str, file_id: str, chunks: AsyncIterator[bytes], token_hash: bytes | None
    ) -> int | Refused:
        await asyncio.to_thread(self._directory.mkdir, parents=True, exist_ok=True)
        target = self._directory / file_id
        partial = target.with_suffix(f".{chance.new_id()}")
        try:
            written = await _write(partial, chunks)
            if written is None:
                return Refused("file_too_large", {"max_bytes": MAX_BYTES})
            size_bytes, sha256 = written
            await asyncio.to_thread(partial.replace, target)
        finally:
            await asyncio.to_thread(partial.unlink, missing_ok=True)
        await self._complete(organisation_id, file_id, size_bytes, sha256, token_hash)
        return size_bytes

    async def _complete(
        self, organisation_id: str, file_id: str, size_bytes: int, sha256: str, token_hash: bytes | None
    ) -> None:
        now = self._clock.now()

        async def unit(tx: Tx) -> None:
            mine = (device_files.c.organisation_id == organisation_id, device_files.c.id == file_id)
            await tx.execute(
                update(device_files)
                .where(*mine)
                .values(size_bytes=size_bytes, sha256=sha256, complete_at=now)
            )
            if token_hash is not None:
                await tx.execute(
                    update(file_links)
                    .where(
                        file_links.c.organisation_id == organisation_id,
                        file_links.c.token_hash == token_hash,
                    )
                    .values(used_at=now)
                )

        await self._db.write(organisation_id, unit)

    # --- retention --------------------------------------------------------------------------------------

    async def forget_before(self, instant: datetime) -> None:
        """Drop what stations left before `instant`, and links that are over. Firmware stays."""
        old = (device_files.c.kind != FileKind.FIRMWARE.value, device_files.c.made_at < instant)

        async def unit(tx: Tx) -> list[str]:
            ids = [str(row["id"]) for row in await tx.all(select(device_files.c.id).where(*old))]
            await tx.execute(delete(file_links).where(file_links.c.file_id.in_(ids)))
            await tx.execute(delete(file_links).where(file_links.c.expires_at < instant))
            await tx.execute(delete(device_files).where(device_files.c.id.in_(ids)))
            return ids

        for file_id in await self._db.write(_RETENTION, unit):
            await asyncio.to_thread((self._directory / file_id).unlink, missing_ok=True)


async def _write(path: Path, chunks: AsyncIterator[bytes]) -> tuple[int, str] | None:
    """Write the chunks; return size and SHA-256, None when they are too many."""
    size_bytes, digest = 0, hashlib.sha256()
    with await asyncio.to_thread(path.open, "wb") as file:
        async for chunk in chunks:
            size_bytes += len(chunk)
            if size_bytes > MAX_BYTES:
                return None
            digest.update(chunk)
            await asyncio.to_thread(file.write, chunk)
    return size_bytes, digest.hexdigest()


def _hash(token: str) -> bytes:
    """Tokens have 256 bits of chance: one round is enough."""
    return hashlib.sha256(token.encode()).digest()


def _document(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "kind": row["kind"],
        "charging_station": row["charging_station"],
        "command": row["command_id"],
        "name": row["name"],
        "details": row["details"],
        "size_bytes": row["size_bytes"],
        "sha256": row["sha256"],
        "made_at": format_instant(row["made_at"]),
        "complete_at": instant_text(row["complete_at"]),
    }
