"""The cars that can be plugged in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chargepoint_emulator.battery import Battery
from chargepoint_emulator.kinds import Kind

DC_MAX_A = 80.0


@dataclass(frozen=True, kw_only=True)
class CarModel:
    """A model as its on-board charger sees the world; currents are per phase."""

    name: str
    capacity_wh: float
    phases: int
    max_a: float
    min_a: float
    efficiency: float


MODELS = {
    model.name: model
    for model in (
        CarModel(name="zoe-52", capacity_wh=52_000, phases=3, max_a=32, min_a=8, efficiency=0.89),
        CarModel(name="zoe-41", capacity_wh=41_000, phases=3, max_a=32, min_a=8, efficiency=0.88),
        CarModel(name="kangoo-45", capacity_wh=45_000, phases=3, max_a=32, min_a=8, efficiency=0.89),
        CarModel(name="spring-25", capacity_wh=25_000, phases=1, max_a=30, min_a=6, efficiency=0.89),
        CarModel(name="e208-46", capacity_wh=46_000, phases=1, max_a=32, min_a=6, efficiency=0.90),
        CarModel(name="r5-40", capacity_wh=40_000, phases=3, max_a=16, min_a=6, efficiency=0.91),
        CarModel(name="r5-52", capacity_wh=52_000, phases=3, max_a=16, min_a=6, efficiency=0.91),
    )
}


class Car:
    """One car with its battery; it keeps its charge between two plugs."""

    def __init__(self, *, model: CarModel | str, soc: float = 50.0) -> None:
        """Take a model or its name, and the state of charge in percent."""
        self.model = MODELS[model] if isinstance(model, str) else model
        self._battery = Battery(
            capacity_wh=self.model.capacity_wh,
            soc=soc,
            phases=self.model.phases,
            max_a=self.model.max_a,
            min_a=self.model.min_a,
            efficiency=self.model.efficiency,
        )

    @property
    def soc(self) -> float:
        """State of charge in percent."""
        return self._battery.soc

    @property
    def stored_wh(self) -> float:
        """Energy in the battery."""
        return self.soc / 100 * self.model.capacity_wh

    def drive(self, energy_wh: float) -> None:
        """Use energy on the road."""
        self._battery = self._battery.discharged(energy_wh)

    def behind(self, kind: Kind) -> Battery:
        """Return the battery as seen by a socket: a DC point by-passes the on-board charger."""
        if not kind.dc:
            return self._battery
        return replace(self._battery, phases=kind.phases, max_a=DC_MAX_A, min_a=kind.min_a)

    def take(self, *, kind: Kind, offered_a: float, seconds: float) -> float:
        """Charge for a while under a constant offer; return the energy drawn in Wh."""
        after, energy_wh = self.behind(kind).step(offered_a=offered_a, phases=kind.phases, seconds=seconds)
        self._battery = replace(self._battery, soc=after.soc)
        return energy_wh
