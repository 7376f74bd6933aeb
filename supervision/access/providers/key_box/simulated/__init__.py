"""A key box that stands only in the database: demo, tests, and a station before its box is delivered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from supervision.access.providers import DeviceUnreachableError, devices
from supervision.access.providers.key_box import (
    BoxAddress,
    BoxCode,
    BoxEvent,
    Capabilities,
    Confirmation,
    Health,
)
from supervision.access.providers.key_box.simulated import lock
from supervision.access.providers.key_box.simulated.lock import BoxState, Opened
from supervision.kernel.errors import Refused
from supervision.store.db import Database

T = TypeVar("T")


class SimulatedKeyBoxes:
    """The provider, and the driver's hands at the keypad: `enter_code`, `take_key`, `put_key_back`."""

    capabilities = Capabilities(
        online=True, digits=8, granularity_min=1, max_codes=500, revocable=True, key_sensor=True
    )

    def __init__(self, db: Database) -> None:
        self._db = db

    # --- the service's side ------------------------------------------------------------------------------

    async def put(self, box: BoxAddress, codes: Sequence[BoxCode], now: datetime) -> Confirmation:  # noqa: ARG002
        """Hold exactly these codes; DeviceUnreachableError while the box is offline."""

        def act(state: BoxState) -> tuple[BoxState, Confirmation]:
            return lock.hold(_reached(state), codes), Confirmation(clock_offset_s=state.drift_s)

        return await self._change(box, act)

    async def keys(self, box: BoxAddress) -> Mapping[int, bool]:
        """Return slot -> key present, of every slot the box has a code for or a key missing from."""
        state = _reached(await self.look(box))
        slots = {held.slot for held in state.codes} | set(state.absent) | _slots(box)
        return {slot: slot not in state.absent for slot in sorted(slots)}

    async def open_now(self, box: BoxAddress, slot: int, now: datetime) -> None:
        """Open a slot from afar."""

        def act(state: BoxState) -> tuple[BoxState, None]:
            return lock.open_from_afar(_reached(state), slot, now), None

        await self._change(box, act)

    async def health(self, box: BoxAddress, now: datetime) -> Health:  # noqa: ARG002
        """Tell how the box is."""
        state = await self.look(box)
        if state.offline:
            return Health(reachable=False)
        return Health(reachable=True, clock_offset_s=state.drift_s, fault=state.fault)

    # --- the driver's side -------------------------------------------------------------------------------

    async def enter_code(self, box: BoxAddress, digits: str, now: datetime) -> Opened | Refused:
        """Type a code; works without a network, as the box decides alone."""
        return await self._change(box, lambda state: lock.enter(state, digits, now))

    async def take_key(self, box: BoxAddress, now: datetime) -> BoxEvent | Refused:
        """Take the key out of the open slot."""
        return await self._change(box, lambda state: lock.take_key(state, now))

    async def put_key_back(self, box: BoxAddress, now: datetime) -> BoxEvent | Refused:
        """Hang the key into the open slot."""
        return await self._change(box, lambda state: lock.put_key_back(state, now))

    # --- what tests and demos set --------------------------------------------------------------------------

    async def disturb(
        self, box: BoxAddress, *, offline: bool = False, fault: str | None = None, drift_s: int = 0
    ) -> None:
        """Cut the network, jam the door, or let the clock run wrong; without arguments all is well again."""
        await self._change(
            box, lambda state: (replace(state, offline=offline, fault=fault, drift_s=drift_s), None)
        )

    async def look(self, box: BoxAddress) -> BoxState:
        """Return the state, as somebody who opened the housing would see it."""
        return lock.from_json(await devices.look(self._db, box.organisation_id, _device(box)))

    async def _change(self, box: BoxAddress, act: Callable[[BoxState], tuple[BoxState, T]]) -> T:
        def on_document(document: devices.Document) -> tuple[devices.Document, T]:
            state, answer = act(lock.from_json(document))
            return lock.to_json(state), answer

        return await devices.change(self._db, box.organisation_id, _device(box), on_document)


def _device(box: BoxAddress) -> str:
    return f"key_box:{box.id}"


def _slots(box: BoxAddress) -> set[int]:
    return set(range(1, int(box.config.get("slots", 0)) + 1))


def _reached(state: BoxState) -> BoxState:
    if state.offline:
        raise DeviceUnreachableError("the key box does not answer")
    return state
