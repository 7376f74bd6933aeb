"""From average energies to currents a charger can give: 0, or between the minimum and the maximum.

Each interval is played forward in time. Tasks run at full current one after the other where they can (few
starts, best efficiency); where the site is too tight for that, they run side by side at lower currents. What
an interval could not hold moves to the cheapest time that still has room. Limits are checked in whole tenths
of an ampere, so they hold at every instant; loops have a fixed order, so equal problems give equal plans.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from supervision.charging.instance import MJ_PER_WH, Energies, Instance, Interval, Task

SECOND = 1000
STEP_DA = 10
"""By how much a task that already runs is raised when others give way: 1 A."""
WORTH_A_MOVE = MJ_PER_WH
MOST_TRIED_CELLS = 60_000
"""Bound on the work of `make_room`: tries x cells."""
Allocation = dict[int, int]
"""Task -> current in tenths of an ampere."""


@dataclass(eq=False)
class Cell:
    """A stretch of constant currents inside one interval."""

    start: int
    end: int
    interval: Interval
    currents: Allocation

    @property
    def length(self) -> int:
        """Milliseconds."""
        return self.end - self.start

    def copy(self) -> Cell:
        """A cell of its own that may be cut and filled."""
        return Cell(self.start, self.end, self.interval, self.currents)


@dataclass
class _Play:
    """One way to run an interval and what it left undone."""

    cells: list[Cell]
    left: dict[int, int]


Chooser = Callable[["_Moment"], Allocation]


@dataclass
class _Moment:
    """What a strategy sees when it chooses currents at an instant."""

    instance: Instance
    now: int
    interval: Interval
    left: dict[int, int]
    running: Allocation

    def slack(self, k: int) -> int:
        """Milliseconds the task could still wait in this interval and finish at full current."""
        task = self.instance.tasks[k]
        power = max(1, task.power(self.instance.cap_da(task, self.interval)))
        return self.interval.end - self.now - -(-self.left[k] // power)


def pack(instance: Instance, energies: Energies, hopeless: Sequence[int]) -> list[Cell]:
    """Return the timeline of currents, in time order and without gaps inside the horizon.

    `hopeless` is, per task, the energy that surely cannot be placed: nobody is moved aside for it.
    """
    packer = _Packer(instance, hopeless)
    shares: list[dict[int, int]] = [{} for _ in instance.intervals]
    for k, share in enumerate(energies):
        for i, energy in share.items():
            shares[i][k] = energy
    for interval, wanted in zip(instance.intervals, shares, strict=True):
        packer.play(interval, wanted)
    packer.place_leftovers()
    packer.make_room()
    return packer.cells


class _Packer:
    def __init__(self, instance: Instance, hopeless: Sequence[int]) -> None:
        self.instance = instance
        self.cells: list[Cell] = []
        self.needed = [task.need for task in instance.tasks]
        self.room = [task.room for task in instance.tasks]
        self.hopeless = hopeless
        self.levels = sorted({task.priority for task in instance.tasks})

    def play(self, interval: Interval, shares: Mapping[int, int]) -> None:
        """Append the cells of one interval, by the strategy that leaves the least undone."""
        wanted = {k: self._target(interval, k, share) for k, share in shares.items()}
        targets = {k: energy for k, energy in wanted.items() if energy > 0}
        if not targets:
            self.cells.append(Cell(interval.start, interval.end, interval, {}))
            return
        running = self.cells[-1].currents if self.cells else {}
        best = self._simulate(interval, targets, running, one_after_the_other)
        for strategy in (side_by_side, by_priority):
            if not any(best.left.values()):
                break
            played = self._simulate(interval, targets, running, strategy)
            if self._undone(played) < self._undone(best):
                best = played
        for cell in best.cells:
            self._commit(cell)

    def _target(self, interval: Interval, k: int, share: int) -> int:
        task = self.instance.tasks[k]
        most = task.power(self.instance.cap_da(task, interval)) * interval.length
        return min(share, most, self.needed[k])

    def _undone(self, played: _Play) -> list[int]:
        return self._by_level(played.left.items())

    def _by_level(self, amounts: Iterable[tuple[int, int]]) -> list[int]:
        """Energy per priority, the most important first: lists of these compare in that order."""
        sums = dict.fromkeys(self.levels, 0)
        for k, energy in amounts:
            sums[self.instance.tasks[k].priority] += energy
        return list(sums.values())

    def _commit(self, cell: Cell) -> None:
        for k, current in cell.currents.items():
            energy = self.instance.tasks[k].power(current) * cell.length
            self.needed[k] = max(0, self.needed[k] - energy)
            self.room[k] -= energy
        self.cells.append(cell)

    def _simulate(
        self, interval: Interval, targets: Mapping[int, int], running: Allocation, choose: Chooser
    ) -> _Play:
        left, now, cells = dict(targets), interval.start, list[Cell]()
        # Without rivals nothing needs a second look before somebody is done.
        look = self.instance.slot if self._contended(interval, targets) else interval.length
        room = {k: self.room[k] for k in targets}
        while now < interval.end:
            open_tasks = {k: energy for k, energy in left.items() if energy > 0}
            moment = _Moment(self.instance, now, interval, open_tasks, running)
            currents = choose(moment) if open_tasks else {}
            currents = {k: self._fit(k, current, left[k], room[k]) for k, current in currents.items()}
            end = self._next_event(interval, now, left, room, currents, look)
            cells.append(Cell(now, end, interval, currents))
            for k, current in currents.items():
                energy = self.instance.tasks[k].power(current) * (end - now)
                left[k] = max(0, left[k] - energy)
                room[k] -= energy
            running, now = currents, end
        return _Play(cells, left)

    def _contended(self, interval: Interval, targets: Mapping[int, int]) -> bool:
        """Tell whether those who want energy exceed the headroom together, each at its full current."""
        free = list(interval.headroom_da)
        for k in targets:
            task = self.instance.tasks[k]
            for phase in task.phases:
                free[phase] -= self.instance.cap_da(task, interval)
        return min(free) < 0

    def _next_event(
        self,
        interval: Interval,
        now: int,
        left: Mapping[int, int],
        room: Mapping[int, int],
        currents: Allocation,
        look: int,
    ) -> int:
        if not currents:
            return interval.end
        ends = [interval.end]
        if look < interval.length:
            ends.append((now // look + 1) * look)
        for k, current in currents.items():
            ends.append(now + duration(self.instance.tasks[k].power(current), left[k], room[k]))
        return min(ends)

    def _fit(self, k: int, current: int, left: int, room: int) -> int:
        """Lower the current a little when whole seconds at it would overfill the battery."""
        return fitting_current(self.instance.tasks[k], current, left, room)

    def place_leftovers(self) -> None:
        """Give what the intervals could not hold to the cheapest time with room, most important first."""
        self._place(self._waiting())

    def _place(self, waiting: Iterable[int]) -> None:
        for k in waiting:
            for cell in self._open_cells(k):
                if self.needed[k] <= 0:
                    break
                self._raise(k, cell)

    def _waiting(self) -> list[int]:
        tasks = self.instance.tasks
        waiting = [k for k, needed in enumerate(self.needed) if needed > 0]
        return sorted(waiting, key=lambda k: (tasks[k].priority, tasks[k].end, k))

    def _hopeful(self) -> list[int]:
        return [k for k in self._waiting() if self.needed[k] - self.hopeless[k] >= WORTH_A_MOVE]

    def _open_cells(self, k: int) -> list[Cell]:
        """The cells in which the task is plugged, the cheapest first, then the earliest."""
        task = self.instance.tasks[k]
        mine = [cell for cell in self.cells if task.start <= cell.start and cell.end <= task.end]
        return sorted(mine, key=lambda cell: (cell.interval.rank, cell.start))

    def make_room(self) -> None:
        """Where a task still lacks energy, move others aside if they can make it up at another time.

        Each try is kept only if less is lacking afterwards, so this never makes a plan worse; the number of
        tries is bounded, so a site that cannot serve everyone costs milliseconds, not minutes.
        """
        tries = MOST_TRIED_CELLS // max(1, len(self.cells))
        for k in self._hopeful():
            for start in [cell.start for cell in self._open_cells(k)]:
                if self.needed[k] <= max(0, self.hopeless[k]) or tries <= 0:
                    break
                cell = self._cell_at(start)
                if self.instance.cap_da(self.instance.tasks[k], cell.interval) <= cell.currents.get(k, 0):
                    continue
                tries -= 1
                self._try_in(k, cell)

    def _cell_at(self, start: int) -> Cell:
        return self.cells[bisect_left(self.cells, start, key=lambda cell: cell.start)]

    def _try_in(self, k: int, cell: Cell) -> None:
        before = self._lacking()
        saved = self.cells, self.needed, self.room
        self.cells = [one.copy() for one in self.cells]
        self.needed, self.room = list(self.needed), list(self.room)
        cell = self._cell_at(cell.start)
        self._push_aside(k, cell)
        self._place(self._hopeful())
        if self._lacking() >= before:
            self.cells, self.needed, self.room = saved

    def _lacking(self) -> list[int]:
        return self._by_level(enumerate(self.needed))

    def _push_aside(self, k: int, cell: Cell) -> None:
        """Free the task's phases in the cell up to its minimum current, or one step more where it runs."""
        task, own = self.instance.tasks[k], cell.currents.get(k, 0)
        wanted = task.min_da if not own else min(task.max_da, own + STEP_DA)
        gain = task.power(wanted) - task.power(own)
        part = self._split(cell, min(cell.length, duration(gain, self.needed[k], self.room[k])), at_end=False)
        for v in self._victims(k, part):
            free = _free(self.instance, part.interval.headroom_da, part.currents)
            lacking = wanted - own - min(free[phase] for phase in task.phases)
            if lacking <= 0:
                break
            self._lower(v, part, lacking)
        self._raise(k, part)

    def _victims(self, k: int, cell: Cell) -> list[int]:
        """Those on the same phases: first who can give way without stopping, the least important first."""
        tasks = self.instance.tasks
        sharing = [v for v in cell.currents if v != k and set(tasks[v].phases) & set(tasks[k].phases)]

        def order(v: int) -> tuple[int, int, int]:
            return -(cell.currents[v] - tasks[v].min_da), -tasks[v].priority, v

        return sorted(sharing, key=order)

    def _lower(self, v: int, cell: Cell, by_da: int) -> None:
        task, current = self.instance.tasks[v], cell.currents[v]
        rest = max(task.min_da, current - by_da)
        if current == task.min_da:
            rest = 0
        lost = (task.power(current) - task.power(rest)) * cell.length
        others = {k: amps for k, amps in cell.currents.items() if k != v}
        cell.currents = {**others, v: rest} if rest else others
        self.room[v] += lost
        delivered = task.room - self.room[v]
        self.needed[v] = max(0, task.need - delivered)

    def _raise(self, k: int, cell: Cell) -> None:
        task, own = self.instance.tasks[k], cell.currents.get(k, 0)
        free = _free(self.instance, cell.interval.headroom_da, cell.currents)
        current = min(task.max_da, own + min(free[phase] for phase in task.phases))
        if current < task.min_da or current <= own:
            return
        base = task.power(own)
        current = fitting_current(task, current, self.needed[k], self.room[k], own)
        gain = task.power(current) - base
        length = min(cell.length, duration(gain, self.needed[k], self.room[k]))
        used = self._split(cell, length, at_end=self._runs_after(k, cell))
        used.currents = {**used.currents, k: current}
        self.needed[k] = max(0, self.needed[k] - gain * used.length)
        self.room[k] -= gain * used.length

    def _runs_after(self, k: int, cell: Cell) -> bool:
        """Tell whether the task runs right after the cell and not right before: join it there."""
        position = self.cells.index(cell)
        before = position > 0 and k in self.cells[position - 1].currents
        after = position + 1 < len(self.cells) and k in self.cells[position + 1].currents
        return after and not before

    def _split(self, cell: Cell, length: int, *, at_end: bool) -> Cell:
        """Cut `length` ms off one end of the cell and return that part."""
        if length >= cell.length:
            return cell
        cut = cell.end - length if at_end else cell.start + length
        tail = Cell(cut, cell.end, cell.interval, cell.currents)
        cell.end = cut
        self.cells.insert(self.cells.index(cell) + 1, tail)
        return tail if at_end else cell


def duration(power_w: int, left: int, room: int) -> int:
    """Milliseconds to deliver `left` mJ: whole seconds, unless the battery has no room for the last one."""
    exact = -(-left // power_w)
    seconds = -(-exact // SECOND) * SECOND
    return seconds if seconds * power_w <= room else exact


def fitting_current(task: Task, current: int, left: int, room: int, own: int = 0) -> int:
    """The highest current up to `current` that ends on a whole second with the battery not overfull.

    Without any, `current` itself: it then ends on a millisecond.
    """
    for candidate in range(current, max(task.min_da, own + 1) - 1, -1):
        power = task.power(candidate) - task.power(own)
        if -(-left // (power * SECOND)) * SECOND * power <= room:
            return candidate
    return current


def one_after_the_other(moment: _Moment) -> Allocation:
    """Full current to those that cannot wait, then to those already running, then by what is due."""
    slot = moment.instance.slot

    def order(k: int) -> tuple[bool, bool, int, int]:
        cannot_wait = moment.slack(k) < slot  # the next look comes within a slot
        return not cannot_wait, k not in moment.running, moment.instance.tasks[k].priority, k

    return _full(moment, sorted(moment.left, key=order))


def by_priority(moment: _Moment) -> Allocation:
    """Full current strictly by priority, the least slack first."""
    tasks = moment.instance.tasks
    return _full(moment, sorted(moment.left, key=lambda k: (tasks[k].priority, moment.slack(k), k)))


def _full(moment: _Moment, order: Sequence[int]) -> Allocation:
    currents: Allocation = {}
    free = list(moment.interval.headroom_da)
    for k in order:
        task = moment.instance.tasks[k]
        current = min(task.max_da, *[free[phase] for phase in task.phases])
        if current >= task.min_da:
            currents[k] = current
            _take(free, task, current)
    return currents


def side_by_side(moment: _Moment) -> Allocation:
    """First what each needs to finish in time, least slack first; then what is free, in the same order."""
    tasks = moment.instance.tasks
    order = sorted(moment.left, key=lambda k: (moment.slack(k), tasks[k].priority, k))
    currents: Allocation = {}
    free = list(moment.interval.headroom_da)
    for k in order:
        task = tasks[k]
        wanted = min(task.max_da, max(task.min_da, _even_current_da(moment, k)))
        current = min(wanted, *[free[phase] for phase in task.phases])
        if current >= task.min_da:
            currents[k] = current
            _take(free, task, current)
    for k in [k for k in order if k in currents]:
        task = tasks[k]
        more = min(task.max_da - currents[k], *[free[phase] for phase in task.phases])
        currents[k] += more
        _take(free, task, more)
    return currents


def _take(free: list[int], task: Task, current: int) -> None:
    for phase in task.phases:
        free[phase] -= current


def _even_current_da(moment: _Moment, k: int) -> int:
    """Tenths of an ampere that spread what is left evenly over the rest of the interval, rounded up."""
    task = moment.instance.tasks[k]
    per_tenth = len(task.phases) * task.voltage_v * (moment.interval.end - moment.now)
    return -(-10 * moment.left[k] // per_tenth)


def _free(instance: Instance, headroom_da: Sequence[int], currents: Mapping[int, int]) -> list[int]:
    free = list(headroom_da)
    for k, current in currents.items():
        for phase in instance.tasks[k].phases:
            free[phase] -= current
    return free
