"""The JSON of API.md in and out, and every nonsense named by its field."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from supervision.charging.problem import parse_problem, run
from supervision.kernel.errors import FieldError

AT = "2026-11-21T18:00:00+01:00"
UNTIL = "2026-11-21T20:00:00+01:00"
DOCUMENT: dict[str, Any] = {
    "now": AT,
    "slot_min": 15,
    "grid": {
        "limit_a": [32, 32, 32],
        "voltage_v": 230,
        "prices": [{"from": AT, "eur_per_kwh": 0.2065}],
        "base_load_w": [{"from": AT, "watts": [500, 0, 0]}],
        "limits": [{"from": UNTIL, "limit_a": [20, 20, 20]}],
    },
    "evses": [{"id": "e1", "phases": [1, 2, 3], "max_a": 32, "min_a": 6}],
    "cars": [
        {
            "id": "zoe",
            "phases": 3,
            "max_a": 32,
            "min_a": 8,
            "efficiency": 0.9,
            "windows": [
                {
                    "evse": "e1",
                    "plugged_from": AT,
                    "plugged_until": UNTIL,
                    "need_wh": 14200,
                    "max_wh": 30000,
                    "priority": 1,
                }
            ],
        }
    ],
}
MISSING = object()


def changed(path: str, value: object) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    *parents, last = path.split("/")
    place: Any = document
    for step in parents:
        place = place[int(step)] if step.isdigit() else place[step]
    key: Any = int(last) if last.isdigit() else last
    if value is MISSING:
        del place[key]
    else:
        place[key] = value
    return document


def test_the_example_of_the_interface_page_is_answered_in_its_shape() -> None:
    document = changed(
        "grid", {"limit_a": [52, 52, 52], "voltage_v": 230, "prices": DOCUMENT["grid"]["prices"]}
    )
    assert json.loads(run(json.dumps(document))) == {
        "status": "ok",
        "solver": "highs",
        "cost_eur": 2.93,
        "peak_a": [32.0, 32.0, 32.0],
        "windows": [
            {
                "car": "zoe",
                "evse": "e1",
                "delivered_wh": 14204,
                "shortfall_wh": 0,
                "reason": "14204 Wh by 2026-11-21T17:38:36Z, "
                "in the cheapest time before 2026-11-21T19:00:00Z",
                "periods": [
                    {
                        "from": "2026-11-21T17:00:00Z",
                        "to": "2026-11-21T17:38:36Z",
                        "amps": 32.0,
                        "watts": 22080,
                    }
                ],
            }
        ],
    }


def test_defaults_fill_what_may_be_left_out() -> None:
    document = changed("slot_min", MISSING)
    del document["cars"][0]["efficiency"], document["cars"][0]["windows"][0]["priority"]
    for optional in ("prices", "base_load_w", "limits"):
        del document["grid"][optional]
    parsed = parse_problem(document)
    assert (parsed.slot_min, parsed.cars["zoe"].efficiency, parsed.windows[0].priority) == (15, 0.9, 1)
    assert (parsed.grid.prices, parsed.grid.base_load_w, parsed.grid.limits) == ((), (), ())


WINDOW = "cars/0/windows/0"
BROKEN: list[tuple[str, object, str]] = [
    ("now", MISSING, "now: is missing"),
    ("now", "2026-11-21T18:00:00", "now: must be an RFC 3339 instant with an offset"),
    ("now", 5, "now: must be a text"),
    ("now", "0001-01-01T00:00:00+14:00", "now: must be an RFC 3339 instant"),
    ("slot_min", 0, "slot_min: must be a number from 1 to 1440"),
    ("slot_min", 7.5, "slot_min: must be a whole number"),
    ("extra", 1, "extra: unknown field"),
    ("grid", [], "grid: must be an object"),
    ("grid/limit_a", [], "grid.limit_a: must hold one number per phase"),
    ("grid/limit_a", [32, -1, 32], "grid.limit_a[1]: must be a number from 0"),
    ("grid/limit_a", [32, True, 32], "grid.limit_a[1]: must be a number"),
    ("grid/limit_a", [32, 32, 32, 32], "grid.limit_a: must hold one number per phase"),
    ("grid/voltage_v", 0, "grid.voltage_v: must be a number from 1"),
    ("grid/voltage_v", "230", "grid.voltage_v: must be a number"),
    ("grid/prices/0/eur_per_kwh", float("nan"), "grid.prices[0].eur_per_kwh: must be a number from"),
    ("grid/prices/0/eur_per_kwh", None, "grid.prices[0].eur_per_kwh: must be a number"),
    ("grid/prices", [DOCUMENT["grid"]["prices"][0]] * 2, "grid.prices[1].from: must be after"),
    ("grid/base_load_w/0/watts", [1, 2], "grid.base_load_w[0].watts: must hold 3 numbers"),
    ("grid/limits/0/limit_a", [1, 2], "grid.limits[0].limit_a: must hold 3 numbers"),
    ("grid/limits/0/amps", [1, 2, 3], "grid.limits[0].amps: unknown field"),
    ("evses", MISSING, "evses: is missing"),
    ("evses", {}, "evses: must be a list"),
    ("evses", [], "cars[0].windows[0].evse: unknown EVSE 'e1'"),
    ("evses/0/id", "", "evses[0].id: must be a text"),
    ("evses/0/phases", [], "evses[0].phases: must name each of its phases once"),
    ("evses/0/phases", [1, 1], "evses[0].phases: must name each of its phases once"),
    ("evses/0/phases", [4], "evses[0].phases[0]: must be a number from 1 to 3"),
    ("evses/0/min_a", 33, "evses[0].min_a: must not be more than max_a"),
    ("evses/0/max_a", 0, "evses[0].max_a: must be more than 0"),
    ("evses", DOCUMENT["evses"] * 2, "evses[1].id: 'e1' is used twice"),
    ("cars/0/phases", 4, "cars[0].phases: must be a number from 1 to 3"),
    ("cars/0/efficiency", 1.2, "cars[0].efficiency: must be a number from 0 to 1"),
    ("cars/0/efficiency", 0, "cars[0].efficiency: must be more than 0"),
    ("cars", DOCUMENT["cars"] * 2, "cars[1].id: 'zoe' is used twice"),
    (f"{WINDOW}/evse", "e9", "cars[0].windows[0].evse: unknown EVSE 'e9'"),
    (f"{WINDOW}/evse", ["e1"], "cars[0].windows[0].evse: must be a text"),
    (f"{WINDOW}/plugged_until", AT, "cars[0].windows[0].plugged_until: must be after plugged_from"),
    (f"{WINDOW}/need_wh", MISSING, "cars[0].windows[0].need_wh: is missing"),
    (f"{WINDOW}/need_wh", -1, "cars[0].windows[0].need_wh: must be a number from 0"),
    (f"{WINDOW}/need_wh", 1.5, "cars[0].windows[0].need_wh: must be a whole number"),
    (f"{WINDOW}/max_wh", float("inf"), "cars[0].windows[0].max_wh: must be a number from 0"),
    (f"{WINDOW}/priority", "high", "cars[0].windows[0].priority: must be a number"),
    (f"{WINDOW}/until", AT, "cars[0].windows[0].until: unknown field"),
    (
        "cars/0/windows",
        DOCUMENT["cars"][0]["windows"] * 2,
        "cars[0].windows[1]: overlaps cars[0].windows[0] on EVSE 'e1'",
    ),
]


@pytest.mark.parametrize(("path", "value", "message"), BROKEN)
def test_a_broken_document_names_its_field(path: str, value: object, message: str) -> None:
    with pytest.raises(FieldError) as refused:
        parse_problem(changed(path, value))
    assert str(refused.value).startswith(message)


def test_a_car_in_two_places_at_once_is_refused() -> None:
    document = changed("evses", [DOCUMENT["evses"][0], {**DOCUMENT["evses"][0], "id": "e2"}])
    document["cars"][0]["windows"].append({**DOCUMENT["cars"][0]["windows"][0], "evse": "e2"})
    with pytest.raises(FieldError) as refused:
        parse_problem(document)
    assert str(refused.value) == "cars[0].windows[1]: overlaps cars[0].windows[0] on car 'zoe'"


def test_an_evse_on_a_phase_the_site_has_not_is_refused() -> None:
    document = {**DOCUMENT, "grid": {"limit_a": [60], "voltage_v": 230}}
    with pytest.raises(FieldError) as refused:
        parse_problem(document)
    assert str(refused.value) == "evses[0].phases: names phase 3, the site has 1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "$: not JSON"),
        ("[", "$: not JSON"),
        ("[]", "$: must be an object"),
        ('{"now": NaN}', "$: NaN is not a number"),
        ('{"now": -Infinity}', "$: -Infinity is not a number"),
        ('{"slot_min": ' + "9" * 5000 + "}", "$: not JSON"),
        ("[" * 100_000, "$: not JSON"),
    ],
)
def test_a_text_that_is_no_problem_is_refused(text: str, message: str) -> None:
    with pytest.raises(FieldError) as refused:
        run(text)
    assert str(refused.value).startswith(message)
