"""What every key box and every immobiliser must do, whoever makes it: one suite, each provider a case.

A provider joins by an entry in `KEY_BOXES` or `IMMOBILISERS` that makes it and its bench: the hands at the
device, and the cut of its network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from supervision.access.providers import DeviceUnreachableError
from supervision.access.providers.immobiliser import (
    CarAddress,
    CarCode,
    ImmobiliserProvider,
    ImmobiliserState,
)
from supervision.access.providers.immobiliser.simulated import SimulatedImmobilisers
from supervision.access.providers.key_box import BoxAddress, BoxCode, Health, KeyBoxProvider
from supervision.access.providers.key_box.simulated import SimulatedKeyBoxes
from supervision.access.providers.key_box.simulated.lock import Opened
from supervision.kernel.errors import Refused
from supervision.store.db import Database
from tests import factories
from tests.factories import TESTS

T = datetime(2026, 11, 21, 8, tzinfo=UTC)
BOX = BoxAddress(id="box", organisation_id="org")
CAR = CarAddress(vehicle_id="car-1", organisation_id="org")
CODE = BoxCode(
    booking_id="b1", revision=1, digits="12345678", slot=1, valid_from=T, valid_until=T + timedelta(hours=2)
)
IN_CAR = CarCode(
    booking_id="b1", revision=1, digits="12345678", valid_from=T, valid_until=T + timedelta(hours=2)
)
DURING = T + timedelta(hours=1)

KEY_BOXES: list[Callable[[Database], SimulatedKeyBoxes]] = [SimulatedKeyBoxes]
IMMOBILISERS: list[Callable[[Database], SimulatedImmobilisers]] = [SimulatedImmobilisers]


@pytest.fixture(params=KEY_BOXES)
async def boxes(request: pytest.FixtureRequest, db: Database) -> SimulatedKeyBoxes:
    await db.write(TESTS, factories.organisation)
    provider: SimulatedKeyBoxes = request.param(db)
    return provider


@pytest.fixture(params=IMMOBILISERS)
async def cars(request: pytest.FixtureRequest, db: Database) -> SimulatedImmobilisers:
    await db.write(TESTS, factories.organisation)
    provider: SimulatedImmobilisers = request.param(db)
    return provider


async def test_providers_keep_their_protocols(db: Database) -> None:
    box: KeyBoxProvider = SimulatedKeyBoxes(db)
    car: ImmobiliserProvider = SimulatedImmobilisers(db)
    assert box.capabilities.digits == 8
    assert car is not None


# --- key boxes --------------------------------------------------------------------------------------------


async def test_C8_box_opens_for_a_code_it_was_told(boxes: SimulatedKeyBoxes) -> None:
    assert isinstance(await boxes.enter_code(BOX, "12345678", DURING), Refused)
    await boxes.put(BOX, [CODE], T)
    assert await boxes.enter_code(BOX, "12345678", DURING) == Opened(
        slot=1, booking_id="b1", key_present=True
    )


async def test_box_told_twice_is_told_once(boxes: SimulatedKeyBoxes) -> None:
    await boxes.put(BOX, [CODE], T)
    first = await boxes.look(BOX)
    await boxes.put(BOX, [CODE], T)
    assert await boxes.look(BOX) == first


async def test_box_forgets_what_is_no_longer_in_the_list(boxes: SimulatedKeyBoxes) -> None:
    await boxes.put(BOX, [CODE], T)
    await boxes.put(BOX, [], T)
    assert isinstance(await boxes.enter_code(BOX, "12345678", DURING), Refused)


async def test_C8_box_knows_which_key_is_there(boxes: SimulatedKeyBoxes) -> None:
    await boxes.put(BOX, [CODE], T)
    assert await boxes.keys(BOX) == {1: True}
    await boxes.enter_code(BOX, "12345678", DURING)
    await boxes.take_key(BOX, DURING)
    assert await boxes.keys(BOX) == {1: False}
    await boxes.enter_code(BOX, "12345678", DURING)
    await boxes.put_key_back(BOX, DURING)
    assert await boxes.keys(BOX) == {1: True}


async def test_box_without_network_works_on_and_is_told_later(boxes: SimulatedKeyBoxes) -> None:
    await boxes.put(BOX, [CODE], T)
    await boxes.disturb(BOX, offline=True)
    with pytest.raises(DeviceUnreachableError):
        await boxes.put(BOX, [], T)
    with pytest.raises(DeviceUnreachableError):
        await boxes.keys(BOX)
    with pytest.raises(DeviceUnreachableError):
        await boxes.open_now(BOX, 1, DURING)
    assert await boxes.health(BOX, T) == Health(reachable=False)
    assert isinstance(await boxes.enter_code(BOX, "12345678", DURING), Opened)
    await boxes.disturb(BOX)
    await boxes.put(BOX, [], T)
    assert isinstance(await boxes.enter_code(BOX, "12345678", DURING), Refused)


async def test_box_tells_how_far_its_clock_was_off(boxes: SimulatedKeyBoxes) -> None:
    await boxes.disturb(BOX, drift_s=-600)
    assert (await boxes.health(BOX, T)).clock_offset_s == -600
    assert (await boxes.put(BOX, [CODE], T)).clock_offset_s == -600
    assert (await boxes.put(BOX, [CODE], T)).clock_offset_s == 0


async def test_C27_box_opens_from_afar(boxes: SimulatedKeyBoxes) -> None:
    await boxes.put(BOX, [CODE], T)
    await boxes.open_now(BOX, 1, DURING)
    assert not isinstance(await boxes.take_key(BOX, DURING), Refused)


async def test_boxes_do_not_share_codes(boxes: SimulatedKeyBoxes) -> None:
    await boxes.put(BOX, [CODE], T)
    assert isinstance(await boxes.enter_code(replace(BOX, id="other"), "12345678", DURING), Refused)


async def test_configured_slots_hold_their_keys_before_any_code(boxes: SimulatedKeyBoxes) -> None:
    assert await boxes.keys(replace(BOX, config={"slots": 2})) == {1: True, 2: True}


# --- immobilisers ----------------------------------------------------------------------------------------


async def test_C7_car_does_not_start_without_the_code(cars: SimulatedImmobilisers) -> None:
    await cars.put(CAR, [IN_CAR], T)
    assert await cars.switch_on(CAR) == Refused("immobilised")
    assert await cars.enter_code(CAR, "87654321", DURING) == Refused("wrong_code")
    assert await cars.enter_code(CAR, "12345678", T - timedelta(minutes=1)) == Refused("wrong_code")
    assert await cars.enter_code(CAR, "12345678", DURING) is ImmobiliserState.RELEASED
    assert await cars.switch_on(CAR) is ImmobiliserState.DRIVING
    assert await cars.state(CAR) is ImmobiliserState.DRIVING


async def test_C7_car_is_never_stopped_while_it_drives(cars: SimulatedImmobilisers) -> None:
    await cars.put(CAR, [IN_CAR], T)
    await cars.enter_code(CAR, "12345678", DURING)
    await cars.switch_on(CAR)
    assert await cars.arm(CAR, DURING) is ImmobiliserState.DRIVING
    await cars.put(CAR, [], DURING)
    assert await cars.enter_code(CAR, "00000000", DURING) is ImmobiliserState.DRIVING
    assert await cars.state(CAR) is ImmobiliserState.DRIVING
    assert await cars.switch_off(CAR) is ImmobiliserState.ARMED
    assert await cars.switch_on(CAR) == Refused("immobilised")


async def test_C7_released_car_starts_again_however_late_and_without_network(
    cars: SimulatedImmobilisers,
) -> None:
    await cars.put(CAR, [IN_CAR], T)
    await cars.enter_code(CAR, "12345678", DURING)
    await cars.put(CAR, [], DURING)
    await cars.disturb(CAR, offline=True)
    for _ in range(2):
        assert await cars.switch_on(CAR) is ImmobiliserState.DRIVING
        assert await cars.switch_off(CAR) is ImmobiliserState.RELEASED
    for call in (cars.state(CAR), cars.arm(CAR, DURING), cars.put(CAR, [], DURING)):
        with pytest.raises(DeviceUnreachableError):
            await call


async def test_C7_armed_car_wants_a_code_again(cars: SimulatedImmobilisers) -> None:
    await cars.put(CAR, [IN_CAR], T)
    await cars.enter_code(CAR, "12345678", DURING)
    assert await cars.arm(CAR, DURING) is ImmobiliserState.ARMED
    assert await cars.switch_on(CAR) == Refused("immobilised")
    assert await cars.switch_off(CAR) is ImmobiliserState.ARMED
