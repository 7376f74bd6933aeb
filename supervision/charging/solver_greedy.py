"""The planner without a solver: each task takes its cheapest hours, the most pressing task first.

Same question and same form of answer as `solver_highs`: how much energy each task takes in each interval so
that the *average* current of all tasks stays inside the headroom. Packing turns averages into real currents.
"""

from __future__ import annotations

from collections.abc import Sequence

from supervision.charging.instance import Energies, Instance, Task


def energies(instance: Instance) -> Energies:
    """Fill task by task (priority, then least slack), each in its cheapest intervals, the earlier first."""
    free = [
        [amps * interval.length for amps in interval.headroom_da] for interval in instance.intervals
    ]  # tenths of an ampere x ms still unused, per phase
    answer: list[dict[int, int]] = [{} for _ in instance.tasks]
    for k in sorted(range(len(instance.tasks)), key=lambda k: _urgency(instance, k)):
        answer[k] = _fill(instance, k, free)
    return answer


def alone(instance: Instance, k: int) -> int:
    """The most the task could take if no other car were there, in mJ."""
    return sum(_capacity(instance, instance.tasks[k], i) for i in instance.spans[k])


def _urgency(instance: Instance, k: int) -> tuple[int, float, int, int]:
    task = instance.tasks[k]
    return task.priority, alone(instance, k) / task.need, task.end, k


def _capacity(instance: Instance, task: Task, i: int) -> int:
    interval = instance.intervals[i]
    return task.power(instance.cap_da(task, interval)) * interval.length


def _fill(instance: Instance, k: int, free: Sequence[list[int]]) -> dict[int, int]:
    task, left = instance.tasks[k], instance.tasks[k].need
    taken: dict[int, int] = {}
    for i in sorted(instance.spans[k], key=lambda i: (instance.intervals[i].price, i)):
        if left <= 0:
            break
        capacity = _capacity(instance, task, i)
        per_unit = task.power(10) / 10  # watts per tenth of an ampere
        unused = min(free[i][phase] for phase in task.phases)
        energy = min(left, capacity, int(unused * per_unit))
        if energy <= 0:
            continue
        taken[i] = energy
        left -= energy
        used = -int(-energy // per_unit)
        for phase in task.phases:
            free[i][phase] = max(0, free[i][phase] - used)
    return taken
