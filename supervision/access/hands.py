"""A driver's hands at simulated devices: the demo, the tests and the portal's trial page use them.

Only boxes and cars of the simulated providers can be handled; a real box is handled by real hands.
"""

from __future__ import annotations

from supervision.access import store
from supervision.access.providers.immobiliser import CarAddress, ImmobiliserState
from supervision.access.providers.immobiliser.simulated import SimulatedImmobilisers
from supervision.access.providers.key_box import BoxAddress, BoxEvent
from supervision.access.providers.key_box.simulated import SimulatedKeyBoxes
from supervision.access.providers.key_box.simulated.lock import Opened
from supervision.access.service import AccessService
from supervision.access.store import KeyBox
from supervision.clock import Clock
from supervision.kernel.errors import Refused
from supervision.store.db import Database

SIMULATED = "simulated"


class Hands:
    """Types codes, takes keys, starts cars."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        *,
        access: AccessService,
        key_boxes: SimulatedKeyBoxes,
        immobilisers: SimulatedImmobilisers,
    ) -> None:
        self._db = db
        self._clock = clock
        self._access = access
        self._key_boxes = key_boxes
        self._immobilisers = immobilisers

    async def enter_at_box(self, organisation_id: str, station_id: str, digits: str) -> Opened | Refused:
        """Type a code on the station's keypad."""
        box = await self._box(organisation_id, station_id)
        if isinstance(box, Refused):
            return box
        now = self._clock.now()
        opened = await self._key_boxes.enter_code(_address(box), digits, now)
        if isinstance(opened, Opened):
            event = BoxEvent(kind="opened", at=now, slot=opened.slot, booking_id=opened.booking_id)
        else:
            event = BoxEvent(kind="refused", at=now, details={"reason": opened.code})
        await self._access.box_saw(box, event)
        return opened

    async def take_key(self, organisation_id: str, station_id: str) -> BoxEvent | Refused:
        """Take the key out of the open slot: the booking starts."""
        box = await self._box(organisation_id, station_id)
        if isinstance(box, Refused):
            return box
        return await self._told(box, await self._key_boxes.take_key(_address(box), self._clock.now()))

    async def put_key_back(self, organisation_id: str, station_id: str) -> BoxEvent | Refused:
        """Hang the key into the open slot."""
        box = await self._box(organisation_id, station_id)
        if isinstance(box, Refused):
            return box
        return await self._told(box, await self._key_boxes.put_key_back(_address(box), self._clock.now()))

    async def fetch(self, organisation_id: str, station_id: str, digits: str) -> BoxEvent | Refused:
        """Type the code and take the key."""
        opened = await self.enter_at_box(organisation_id, station_id, digits)
        return opened if isinstance(opened, Refused) else await self.take_key(organisation_id, station_id)

    async def bring(self, organisation_id: str, station_id: str, digits: str) -> BoxEvent | Refused:
        """Type the code and hang the key back."""
        opened = await self.enter_at_box(organisation_id, station_id, digits)
        return opened if isinstance(opened, Refused) else await self.put_key_back(organisation_id, station_id)

    async def enter_in_car(
        self, organisation_id: str, vehicle_id: str, digits: str
    ) -> ImmobiliserState | Refused:
        """Type the code in the car: it may be started until it is returned."""
        car = CarAddress(vehicle_id=vehicle_id, organisation_id=organisation_id)
        return await self._immobilisers.enter_code(car, digits, self._clock.now())

    async def start_car(self, organisation_id: str, vehicle_id: str) -> ImmobiliserState | Refused:
        """Switch the car on."""
        return await self._immobilisers.switch_on(
            CarAddress(vehicle_id=vehicle_id, organisation_id=organisation_id)
        )

    async def stop_car(self, organisation_id: str, vehicle_id: str) -> ImmobiliserState:
        """Switch the car off."""
        return await self._immobilisers.switch_off(
            CarAddress(vehicle_id=vehicle_id, organisation_id=organisation_id)
        )

    async def _box(self, organisation_id: str, station_id: str) -> KeyBox | Refused:
        async with self._db.read(organisation_id) as reader:
            box = await store.key_box_of(reader, organisation_id, station_id)
        if box is None or box.provider != SIMULATED:
            return Refused("no_key_box", {"station": station_id})
        return box

    async def _told(self, box: KeyBox, event: BoxEvent | Refused) -> BoxEvent | Refused:
        if isinstance(event, BoxEvent):
            await self._access.box_saw(box, event)
        return event


def _address(box: KeyBox) -> BoxAddress:
    return BoxAddress(id=box.id, organisation_id=box.organisation_id, config=box.config)
