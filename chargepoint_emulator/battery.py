"""The battery of a car: what it takes from the current offered to it. Pure, exact over any span.

Between two changes of the offered current the solution is closed-form (constant current, then the exponential
approach of a linear taper), so a step of six hours and six hours of one-second steps give the same energy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

VOLTAGE_V = 230.0
FULL_SOC = 100.0
_SECONDS_PER_HOUR = 3600.0
_SNAP_S = 1e-3


@dataclass(frozen=True, kw_only=True)
class Battery:
    """A battery behind its on-board charger.

    ``soc`` is in percent (0 to 100); ``max_a`` and ``min_a`` are per phase; the car takes nothing when
    offered less than ``min_a``. Above ``taper_from_soc`` the accepted current falls linearly to
    ``taper_floor`` x ``max_a`` at 100 %. ``efficiency`` is stored energy per energy drawn from the socket.
    """

    capacity_wh: float
    soc: float
    phases: int
    max_a: float
    min_a: float
    efficiency: float = 0.9
    taper_from_soc: float = 80.0
    taper_floor: float = 0.1

    def draw_a(self, offered_a: float) -> float:
        """Return the current per phase taken when ``offered_a`` per phase is offered."""
        if offered_a < self.min_a or offered_a <= 0 or self.soc >= FULL_SOC:
            return 0.0
        return min(offered_a, self._ceiling_a())

    def power_w(self, *, offered_a: float, phases: int) -> float:
        """Return the power drawn now from a socket with ``phases`` phases."""
        return self.draw_a(offered_a) * VOLTAGE_V * self.phases_used(phases)

    def phases_used(self, phases: int) -> int:
        """Return how many of the socket's phases this car uses."""
        return min(self.phases, phases)

    def seconds_until_full(self, *, offered_a: float, phases: int) -> float:
        """Return the time to 100 % under a constant offer; infinite when nothing flows."""
        if self.draw_a(offered_a) == 0:
            return math.inf
        constant_s = self._constant_seconds(offered_a, phases)
        at_knee = self._after_constant(offered_a, phases, constant_s)
        return constant_s + at_knee.taper_seconds(phases)

    def step(self, *, offered_a: float, phases: int, seconds: float) -> tuple[Battery, float]:
        """Return the battery after ``seconds`` of a constant offer, and the energy drawn in Wh."""
        if seconds <= 0 or self.draw_a(offered_a) == 0:
            return self, 0.0
        if seconds >= self.seconds_until_full(offered_a=offered_a, phases=phases) - _SNAP_S:
            return replace(self, soc=FULL_SOC), self._energy_to(FULL_SOC)
        constant_s = min(seconds, self._constant_seconds(offered_a, phases))
        at_knee = self._after_constant(offered_a, phases, constant_s)
        after = at_knee.after_taper(phases, seconds - constant_s)
        return after, self._energy_to(after.soc)

    def discharged(self, energy_wh: float) -> Battery:
        """Return the battery after a drive that used ``energy_wh``."""
        return replace(self, soc=max(0.0, self.soc - FULL_SOC * energy_wh / self.capacity_wh))

    def _energy_to(self, soc: float) -> float:
        return (soc - self.soc) / FULL_SOC * self.capacity_wh / self.efficiency

    def _ceiling_a(self) -> float:
        over = max(0.0, self.soc - self.taper_from_soc)
        return self.max_a - self._slope() * over

    def _slope(self) -> float:
        """Amperes lost per percent above the knee."""
        return self.max_a * (1 - self.taper_floor) / (FULL_SOC - self.taper_from_soc)

    def _soc_per_amp_second(self, phases: int) -> float:
        watts = VOLTAGE_V * self.phases_used(phases)
        return FULL_SOC * watts * self.efficiency / (self.capacity_wh * _SECONDS_PER_HOUR)

    def _constant_seconds(self, offered_a: float, phases: int) -> float:
        """Time during which the offer, not the taper, is the binding limit."""
        current = min(offered_a, self.max_a)
        knee = min(FULL_SOC, self.taper_from_soc + (self.max_a - current) / self._slope())
        return max(0.0, knee - self.soc) / (current * self._soc_per_amp_second(phases))

    def _after_constant(self, offered_a: float, phases: int, seconds: float) -> Battery:
        gained = min(offered_a, self.max_a) * self._soc_per_amp_second(phases) * seconds
        return replace(self, soc=min(FULL_SOC, self.soc + gained))

    def taper_seconds(self, phases: int) -> float:
        """Return the time to 100 % when the taper alone limits the current."""
        decay = self._slope() * self._soc_per_amp_second(phases)
        floor_a = self.taper_floor * self.max_a
        return max(0.0, math.log(self._ceiling_a() / floor_a) / decay)

    def after_taper(self, phases: int, seconds: float) -> Battery:
        """Return the battery after a while during which the taper alone limited the current."""
        if seconds <= 0:
            return self
        decay = self._slope() * self._soc_per_amp_second(phases)
        lost_a = self._ceiling_a() * -math.expm1(-decay * seconds)
        return replace(self, soc=min(FULL_SOC, self.soc + lost_a / self._slope()))
