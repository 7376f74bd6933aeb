"""Why a window got what it got: one code, its figures, and one English sentence for the command line.

The portal translates the code; the sentence is what a machine's reader sees.
"""

from __future__ import annotations

from collections.abc import Sequence

from supervision.charging.instance import MJ_PER_WH, Instance
from supervision.charging.model import ChargingWindow, Period, PlanningProblem, Reason
from supervision.kernel.timespan import format_instant

SENTENCES = {
    "over": "the car was unplugged at {until}, before now",
    "nothing_needed": "no energy is needed before {until}",
    "met": "{delivered_wh} Wh by {ready_at}, in the cheapest time before {until}",
    "met_now": "{delivered_wh} Wh by {ready_at}: the time until {until} leaves no choice of hours",
    "battery_full": "the battery takes only {max_wh} Wh of the {need_wh} Wh wanted",
    "below_minimum_current": "the site leaves at most {free_a} A, below this car's minimum of {min_a} A",
    "too_short": "even alone at full current only {possible_wh} Wh of {need_wh} Wh fit before {until}",
    "site_limit": "the site limit, shared, leaves {delivered_wh} Wh of {need_wh} Wh before {until}",
}
NO_CHOICE = 0.9
"""From this share of the possible energy on, the plan is a matter of time, not of price."""


def explain(
    *,
    problem: PlanningProblem,
    instance: Instance,
    window: ChargingWindow,
    k: int | None,
    periods: Sequence[Period],
    delivered_wh: int,
) -> Reason:
    """Choose the code that decides this window; `k` is its task, None when there was nothing to plan."""
    params: dict[str, object] = {
        "need_wh": window.need_wh,
        "delivered_wh": delivered_wh,
        "max_wh": window.max_wh,
        "until": format_instant(window.plugged_until),
    }
    if periods:
        params["ready_at"] = format_instant(periods[-1].end)
    code = (
        _without_task(problem, window) if k is None else _with_task(instance, k, window, delivered_wh, params)
    )
    return Reason(code, params, SENTENCES[code].format(**params))


def _without_task(problem: PlanningProblem, window: ChargingWindow) -> str:
    if window.plugged_until <= problem.now:
        return "over"
    return "nothing_needed" if window.need_wh <= 0 else "battery_full"


def _with_task(
    instance: Instance, k: int, window: ChargingWindow, delivered_wh: int, params: dict[str, object]
) -> str:
    task = instance.tasks[k]
    span = [instance.intervals[i] for i in instance.spans[k]]
    possible = sum(task.power(instance.cap_da(task, i)) * i.length for i in span) // MJ_PER_WH
    params["possible_wh"] = possible
    params["min_a"] = task.min_da / 10
    params["free_a"] = max(min(i.headroom_da[phase] for phase in task.phases) for i in span) / 10
    if delivered_wh >= window.need_wh:
        return "met_now" if window.need_wh >= NO_CHOICE * possible else "met"
    if delivered_wh >= window.max_wh:
        return "battery_full"
    if possible == 0:
        return "below_minimum_current"
    return "too_short" if possible < min(window.need_wh, window.max_wh) else "site_limit"
