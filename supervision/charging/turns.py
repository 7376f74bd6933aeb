"""Whose turn it is to get a new profile: at every step a site's EVSEs stay below its limit together (pure).

Each EVSE obeys its old profile until it has accepted the new one, and nobody knows how soon that is. So a
profile that raises a limit waits until the others hold profiles that leave room for it. Clocks differ too:
a limit that falls counts as it was for `GAP` more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from supervision.charging.changeover import GAP
from supervision.charging.composite import Context, Profile, composite

AHEAD = timedelta(hours=24)
SOON = timedelta(minutes=15)
TOLERANCE_A = 0.05
"""Limits are floored to 0.1 A, so what adds up to the site limit may look a little more in binary."""

Use = str
Limits = Mapping[datetime, float]


@dataclass(frozen=True, kw_only=True)
class Place:
    """An EVSE with the profiles it has accepted, by use; `counts` if it may draw current at all now."""

    id: str
    phases: tuple[int, ...]
    max_a: float
    counts: bool
    held: Mapping[Use, Profile] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A profile in line; it will replace what the EVSE holds for the same use."""

    id: int
    place: str
    use: Use
    profile: Profile


def in_turn(
    proposals: Sequence[Proposal],
    places: Sequence[Place],
    *,
    limit_a: Sequence[float],
    voltage_v: int,
    now: datetime,
) -> list[int]:
    """Ids of the proposals that may be sent now in any order, falling limits first; the others wait.

    What fits a day ahead goes first. When two EVSEs are to swap their hours neither does: then the next
    quarter of an hour decides, and the second profile follows the first.
    """
    for reach in (AHEAD, SOON):
        found = _Site(places, limit_a=limit_a, voltage_v=voltage_v, now=now, reach=reach).choose(proposals)
        if found:
            return found
    return []


class _Site:
    """The highest current each EVSE may draw at every edge, whichever of its profiles it has by then."""

    def __init__(
        self,
        places: Sequence[Place],
        *,
        limit_a: Sequence[float],
        voltage_v: int,
        now: datetime,
        reach: timedelta,
    ) -> None:
        self._places = {place.id: place for place in places}
        self._limit_a = limit_a
        self._voltage_v = voltage_v
        self._now, self._reach = now, reach
        self._bound = {
            place.id: self._limits(place, place.held, since=_known(place, now)) for place in places
        }
        self._counting = {place.id for place in places if place.counts}

    def choose(self, proposals: Sequence[Proposal]) -> list[int]:
        wanted = {proposal.id: self._after(proposal) for proposal in proposals}

        def rise(proposal: Proposal) -> tuple[float, int]:
            held = self._bound[proposal.place][self._now]
            return wanted[proposal.id][self._now] - held, proposal.id

        chosen = []
        for proposal in sorted(proposals, key=rise):
            new, old = wanted[proposal.id], self._bound[proposal.place]
            if _never_above(new, old) or self._fits(proposal.place, new):
                chosen.append(proposal.id)
                self._bound[proposal.place] = _highest(new, old)
                self._counting.add(proposal.place)
        return chosen

    def _after(self, proposal: Proposal) -> Limits:
        place = self._places[proposal.place]
        return self._limits(place, {**place.held, proposal.use: proposal.profile}, since=self._now)

    def _limits(self, place: Place, held: Mapping[Use, Profile], *, since: datetime) -> Limits:
        if not held:
            return {self._now: place.max_a if place.counts else 0.0}
        context = Context(phases=len(place.phases), voltage_v=self._voltage_v, charging_since=since)
        steps = composite(list(held.values()), start=since, duration=self._reach, unit="A", context=context)
        top = place.max_a
        limits = {step.at: top if step.limit is None else min(top, step.limit) for step in steps}
        return _with_late_falls(limits, self._now)

    def _fits(self, place_id: str, new: Limits) -> bool:
        bound = {**self._bound, place_id: new}
        counting = self._counting | {place_id}
        drawing = {one: limits for one, limits in bound.items() if one in counting}
        edges = {edge for limits in drawing.values() for edge in limits}
        return all(self._inside(drawing, edge) for edge in edges)

    def _inside(self, drawing: Mapping[str, Limits], edge: datetime) -> bool:
        for phase, limit_a in enumerate(self._limit_a, start=1):
            here = [limits for one, limits in drawing.items() if phase in self._places[one].phases]
            if sum(_at(limits, edge) for limits in here) > limit_a + TOLERANCE_A:
                return False
        return True


def _known(place: Place, now: datetime) -> datetime:
    """How far back the profiles an EVSE holds tell what it may still be drawing: `GAP`, or to their start."""
    starts = [profile.start for profile in place.held.values() if profile.start and profile.start <= now]
    return max([now - GAP, *starts]) if starts else now


def _with_late_falls(limits: Limits, now: datetime) -> Limits:
    """From `now` on, at every instant the highest limit of the `GAP` before it."""
    first = min(limits)
    edges = {now, *(at for edge in limits for at in (edge, edge + GAP) if at > now)}

    def highest(edge: datetime) -> float:
        since = max(first, edge - GAP)
        return max([_at(limits, since), *(limit for at, limit in limits.items() if since < at <= edge)])

    return {edge: highest(edge) for edge in edges}


def _at(limits: Limits, instant: datetime) -> float:
    return limits[max(edge for edge in limits if edge <= instant)]


def _never_above(new: Limits, old: Limits) -> bool:
    return all(_at(new, edge) <= _at(old, edge) for edge in {*new, *old})


def _highest(one: Limits, other: Limits) -> Limits:
    return {edge: max(_at(one, edge), _at(other, edge)) for edge in {*one, *other}}
