"""Where simulated devices keep their state: one row each, changed inside one unit of work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import insert, select, update

from supervision.store.db import Database, Reader, Tx
from supervision.store.schema import simulated_devices

T = TypeVar("T")
Document = Mapping[str, Any]


async def look(db: Database, organisation_id: str, device: str) -> Document:
    """Return the state of a device, empty when it was never touched."""
    async with db.read(organisation_id) as reader:
        return await _read(reader, organisation_id, device)


async def change(
    db: Database, organisation_id: str, device: str, act: Callable[[Document], tuple[Document, T]]
) -> T:
    """Replace the state by what `act` makes of it; returns the other thing `act` says."""

    async def unit(tx: Tx) -> T:
        document, answer = act(await _read(tx, organisation_id, device))
        touched = await tx.execute(
            update(simulated_devices)
            .where(simulated_devices.c.organisation_id == organisation_id, simulated_devices.c.id == device)
            .values(state=dict(document))
        )
        if not touched:
            await tx.execute(
                insert(simulated_devices).values(
                    id=device, organisation_id=organisation_id, state=dict(document)
                )
            )
        return answer

    return await db.write(organisation_id, unit)


async def _read(reader: Reader, organisation_id: str, device: str) -> Document:
    row = await reader.first(
        select(simulated_devices.c.state).where(
            simulated_devices.c.organisation_id == organisation_id, simulated_devices.c.id == device
        )
    )
    return {} if row is None else dict(row["state"])
