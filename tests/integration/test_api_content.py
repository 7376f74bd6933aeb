"""What the operations answer, to the letter; lists page by page; the OpenAPI document as a document."""

from __future__ import annotations

import re
from typing import Any

import jsonschema_rs
import pytest

from supervision.clock import FixedClock
from supervision.web.api.openapi import document
from supervision.web.api.operations import OPERATIONS
from tests.serving import World, at

NO_EVSE_NEWS = {
    "status_at": None,
    "error_code": None,
    "power_w": None,
    "power_at": None,
    "current_a": None,
    "soc_percent": None,
}
NEVER_SEEN = {
    "connected": False,
    "ocpp": None,
    "boot": None,
    "booted_at": None,
    "seen_at": None,
    "connected_at": None,
    "disconnected_at": None,
    "clock_offset_s": None,
}
B1 = {
    "id": "b1",
    "vehicle": "car-1",
    "station": "st",
    "driver": "d1",
    "status": "booked",
    "planned_km": None,
    "quoted_cents": 1300,
    "made_at": "2026-11-21T08:00:00Z",
    "start_at": "2026-11-21T09:00:00Z",
    "end_at": "2026-11-21T11:00:00Z",
    "blocked_until": "2026-11-21T11:30:00Z",
    "started_at": None,
    "returned_at": None,
    "cancelled_at": None,
}
NO_CODE = {"code": None, "code_valid_from": None, "code_valid_until": None}


async def test_a_charging_station_is_registered_and_read_back(world: World) -> None:
    api = world.api("admin")
    body = {
        "identity": "NEW-1",
        "station": "st",
        "security_profile": 1,
        "password": "a-password-of-20-byt",
        "evses": [{"id": 1, "kind": "ac22"}, {"id": 2, "kind": "ac7", "phases": [2], "max_a": 16.0}],
    }
    status, made = await api.post("/charging-stations", body)
    evse = {"charging_transaction": None, "status": "Unknown", "min_a": 6.0, **NO_EVSE_NEWS}
    assert (status, made) == (
        201,
        {
            "identity": "NEW-1",
            "station": "st",
            "security_profile": 1,
            **NEVER_SEEN,
            "violations": made["violations"],
            "local_list": None,
            "boot_policy": "accept",
            "registration": None,
            "evses": [
                {"id": 1, "kind": "ac22", "phases": [1, 2, 3], "max_a": 32.0, **evse},
                {"id": 2, "kind": "ac7", "phases": [2], "max_a": 16.0, **evse},
            ],
        },
    )
    assert await api.get("/charging-stations/NEW-1") == (200, made)
    status, again = await api.post("/charging-stations", body)
    assert (status, again["code"], again["details"]) == (409, "conflict", {"charging_station": "NEW-1"})


async def test_C1_an_identity_taken_elsewhere_is_only_a_conflict(world: World) -> None:
    body = {"identity": "CP16", "station": "r-st", "security_profile": 0, "evses": [{"id": 1, "kind": "ac7"}]}
    status, answer = await world.api("rival").post("/charging-stations", body)
    assert (status, answer["code"], answer["details"]) == (409, "conflict", {"charging_station": "CP16"})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"password": None}, "password"),
        ({"password": "short"}, "password"),
        ({"password": "x" * 41}, "password"),
        ({"security_profile": 0}, "password"),
        ({"security_profile": 4}, "security_profile"),
        ({"identity": "with space"}, "identity"),
        ({"identity": "x" * 49}, "identity"),
        ({"identity": "a/b"}, "identity"),
        ({"evses": []}, "evses"),
        ({"evses": [{"id": 1, "kind": "ac22"}, {"id": 1, "kind": "ac7"}]}, "evses"),
        ({"evses": [{"id": 0, "kind": "ac22"}]}, "evses.0.id"),
        ({"evses": [{"id": 1, "kind": "ac99"}]}, "evses.0.kind"),
        ({"evses": [{"id": 1, "kind": "ac22", "min_a": 20, "max_a": 10}]}, "evses.0.min_a"),
        ({"evses": [{"id": 1, "kind": "ac22", "phases": [1, 1]}]}, "evses.0.phases"),
        ({"evses": [{"id": 1, "kind": "ac22", "phases": [4]}]}, "evses.0.phases.0"),
        ({"colour": "green"}, "body"),
    ],
)
async def test_a_wrong_registration_is_refused_with_its_field(
    world: World, change: dict[str, Any], field: str
) -> None:
    good = {
        "identity": "NEW-1",
        "station": "st",
        "security_profile": 1,
        "password": "a-password-of-20-byt",
        "evses": [{"id": 1, "kind": "ac22"}],
    }
    status, answer = await world.api("admin").post("/charging-stations", good | change)
    assert (status, answer["code"], answer["details"]) == (422, "invalid_field", {"field": field})


async def test_frames_and_charging_transactions_are_read_as_written(world: World) -> None:
    api = world.api("technician")
    _, frames = await api.get("/charging-stations/CP16/frames", limit=1)
    assert frames["items"] == [
        {
            "id": frames["items"][0]["id"],
            "at": "2026-11-21T07:51:00Z",
            "direction": "in",
            "frame": '[2,"CP16-m1","Heartbeat",{}]',
            "problem": None,
        }
    ]
    _, open_ones = await api.get("/charging-transactions", charging_station="CP16", open="true")
    assert open_ones == {
        "items": [
            {
                "id": open_ones["items"][0]["id"],
                "ocpp_transaction_id": "3",
                "charging_station": "CP16",
                "evse_id": 1,
                "id_token": "a1",
                "person": "d1",
                "booking": None,
                "vehicle": None,
                "started_at": "2026-11-21T01:00:00Z",
                "stopped_at": None,
                "meter_start_wh": 3000,
                "meter_stop_wh": None,
                "meter_last_wh": None,
                "measured_wh": None,
                "energy_wh": None,
                "stop_reason": None,
                "presumed": None,
                "settled": None,
                "charging_state": None,
                "state": "open",
                "review": None,
            }
        ],
        "next": None,
    }
    _, ended = await api.get("/charging-transactions", open="false")
    assert [item["energy_wh"] for item in ended["items"]] == [500, 500]


async def test_a_command_to_a_station_that_is_away_says_offline(world: World) -> None:
    status, answer = await world.api("manager").post(
        "/charging-stations/CP16/commands", {"action": "Reset", "payload": {"type": "Soft"}}
    )
    assert (status, answer) == (
        200,
        {"id": answer["id"], "state": "offline", "response": None, "error": None, "verdict": None},
    )


async def test_a_badge_is_added_once_whatever_its_case(world: World) -> None:
    api = world.api("manager")
    body = {"token": "D4", "type": "ISO14443", "status": "Blocked", "expires_at": "2027-01-01T01:00:00+01:00"}
    assert await api.post("/id-tokens", body) == (
        201,
        {
            "token": "D4",
            "type": "ISO14443",
            "status": "Blocked",
            "person": None,
            "parent": None,
            "expires_at": "2027-01-01T00:00:00Z",
            "organisation": "org",
        },
    )
    status, answer = await api.post("/id-tokens", body | {"token": "d4"})
    assert (status, answer["code"]) == (409, "conflict")
    status, elsewhere = await world.api("rival").post("/id-tokens", body)
    assert (status, elsewhere["organisation"]) == (201, "r-org")


async def test_the_booking_of_a_driver_lives_its_life(world: World, clock: FixedClock) -> None:
    api = world.api("driver")
    assert await api.get("/bookings/b1") == (200, {**B1, **NO_CODE})
    status, longer = await api.post("/bookings/b1/extend", {"end_at": "2026-11-21T13:00:00+01:00"})
    moved = {"end_at": "2026-11-21T12:00:00Z", "blocked_until": "2026-11-21T12:30:00Z"}
    assert (status, longer) == (200, {**B1, **NO_CODE, **moved})
    status, early = await api.post("/bookings/b1/start", {})
    assert (status, early["code"], early["details"]) == (
        422,
        "too_early_to_start",
        {"from": "2026-11-21T08:45:00Z"},
    )
    clock.advance(hours=1)
    status, started = await api.post("/bookings/b1/start", {"odometer_km": 100})
    assert (status, started["status"], started["started_at"]) == (200, "active", "2026-11-21T09:00:00Z")
    status, answer = await api.post("/bookings/b1/cancel", {})
    assert (status, answer["code"], answer["details"]) == (
        422,
        "wrong_state",
        {"status": "active", "move": "cancel"},
    )
    status, answer = await api.post("/bookings/b1/return", {"odometer_km": 99, "exception": "no cable"})
    assert (status, answer["code"]) == (422, "odometer_went_back")
    status, returned = await api.post("/bookings/b1/return", {"odometer_km": 120, "exception": "no cable"})
    assert (status, returned["status"], returned["returned_at"]) == (
        200,
        "completed",
        "2026-11-21T09:00:00Z",
    )


async def test_a_booking_is_priced_made_and_refused_to_the_next(world: World) -> None:
    times = {"start_at": at(0), "end_at": at(2)}
    _, free = await world.api("driver").get("/availability", community="com", **times)
    assert [item["vehicle"] for item in free["items"]] == ["car-1", "car-2", "car-3"]
    assert {item["price_cents"] for item in free["items"]} == {1300}
    status, made = await world.api("driver").post("/bookings", {"vehicle": "car-2", **times})
    assert (status, made["driver"], made["quoted_cents"], made["status"]) == (201, "d1", 1300, "booked")
    assert await world.api("driver").get(f"/bookings/{made['id']}") == (200, made)
    status, answer = await world.api("other driver").post("/bookings", {"vehicle": "car-2", **times})
    assert (status, answer["code"], answer["message"]) == (409, "overlap", "overlap (vehicle car-2)")
    assert answer["details"]["vehicle"] == "car-2"
    assert answer["details"]["proposals"]
    _, free = await world.api("driver").get("/availability", community="com", **times)
    assert [item["vehicle"] for item in free["items"]] == ["car-1", "car-3"]


async def test_C1_people_of_others_are_not_told_from_nobody(world: World) -> None:
    body = {"vehicle": "car-2", "start_at": at(0), "end_at": at(2)}
    for driver in ("r-d1", "nobody"):
        status, answer = await world.api("manager").post("/bookings", body | {"driver": driver})
        assert (status, answer["code"], answer["details"]) == (404, "driver_unknown", {"driver": driver})
        assert await world.api("manager").get("/bookings", driver=driver) == (
            200,
            {"items": [], "next": None},
        )


async def test_an_invoice_is_read_with_its_lines_and_as_pdf(world: World) -> None:
    api = world.api("driver")
    _, page = await api.get("/invoices", limit=1)
    short = page["items"][0]
    status, long = await api.get(f"/invoices/{short['id']}")
    assert (status, {name: long[name] for name in short}) == (200, short)
    assert sum(line["amount_cents"] for line in long["lines"]) == long["total_cents"] == short["total_cents"]
    pdf = await api.call("GET", f"/invoices/{short['id']}.pdf")
    assert (pdf.status_code, pdf.content[:5], pdf.headers["content-type"]) == (
        200,
        b"%PDF-",
        "application/pdf",
    )
    assert pdf.headers["content-disposition"] == f'attachment; filename="{short["number"]}.pdf"'


# --- lists ------------------------------------------------------------------------------------------

LISTS = {
    "/charging-stations": ("manager", "identity", ["CP16", "CP17", "CP18"]),
    "/charging-stations/CP16/frames": (
        "manager",
        "frame",
        [f'[2,"CP16-m{n}","Heartbeat",{{}}]' for n in (1, 2, 3)],
    ),
    "/charging-stations/CP16/commands": ("manager", "id", ["command1", "command3", "command2"]),
    "/command-batches": ("manager", "id", ["batch1", "batch3", "batch2"]),
    "/charging-stations/CP17/notices": ("manager", "name", ["Event3", "Event2", "Event1"]),
    "/charging-stations/CP17/errands": ("manager", "id", [3, 2, 1]),
    "/charging-stations/CP16/relay/answers": ("manager", "frame_id", [3, 2, 1]),
    "/unknown-charging-stations": ("operator", "identity", ["NEW-7", "NEW-8", "NEW-9"]),
    "/charging-transactions": ("manager", "ocpp_transaction_id", ["1", "2", "3"]),
    "/charging-transactions/review": ("manager", "reasons", [["unknown_token"], ["unknown_token"]]),
    "/authorisation-attempts": ("manager", "token_hint", ["a3", "a2", "a1"]),
    "/id-tokens": ("manager", "token", ["a1", "B2", "c3"]),
    "/vehicles": ("driver", "id", ["car-1", "car-2", "car-3"]),
    "/bookings": ("driver", "id", ["b1", "old1", "old2", "old3"]),
    "/invoices": ("driver", "booking", None),
}


def test_every_list_is_paged_here() -> None:
    paged = {one.path for one in OPERATIONS if "after" in one.query}
    assert paged == {re.sub("CP1[67]", "{identity}", path) for path in LISTS}


@pytest.mark.parametrize("path", LISTS)
async def test_lists_hold_everything_once_whatever_the_page(world: World, path: str) -> None:
    role, key, expected = LISTS[path]
    for limit in (1, 2, 3, 4, 1000):
        items, cursor, pages = await walked(world, role, path, limit)
        found = [item[key] for item in items]
        assert (found if expected else sorted(found)) == (expected or ["old1", "old2", "old3"])
        assert (cursor, pages) == (None, -(-len(found) // limit))


async def walked(world: World, role: str, path: str, limit: int) -> tuple[list[Any], str | None, int]:
    items: list[Any] = []
    cursor, pages = "", 0
    while cursor is not None and pages < 10:
        status, page = await world.api(role).get(path, limit=limit, **({"after": cursor} if cursor else {}))
        assert status == 200
        assert len(page["items"]) <= limit
        items += page["items"]
        cursor, pages = page["next"], pages + 1
    return items, cursor, pages


NO_LIMITS = ["", "0", "-1", "1001", "9" * 5000, "²", "١", "1.0", "ten", " 1", "1e2", "0x10"]
NO_CURSORS = ["nonsense", "-1", "9" * 40, ".", "1.", "/", "é", "%00x", "'; DROP TABLE x", "99999999999999.x"]


@pytest.mark.parametrize("path", LISTS)
async def test_limits_and_cursors_that_are_none_are_refused(world: World, path: str) -> None:
    for limit in NO_LIMITS:
        status, answer = await world.api("manager").get(path, limit=limit)
        assert (limit, status, answer["details"]) == (limit, 422, {"field": "limit"})
    for cursor in NO_CURSORS:  # where ids are text any text is a place in the list
        status, answer = await world.api("manager").get(path, after=cursor)
        assert (status, answer.get("details")) in [(200, None), (422, {"field": "after"})]


# --- the description --------------------------------------------------------------------------------


async def test_the_description_is_public_and_names_this_server(world: World) -> None:
    answer = await world.api(None).call("GET", "/openapi.json")
    assert (answer.status_code, answer.json()) == (200, document("http://site.example"))


def test_the_description_is_openapi_3_1() -> None:
    described = document()
    assert described["openapi"].startswith("3.1.")
    names = [operation["operationId"] for path in described["paths"].values() for operation in path.values()]
    assert len(set(names)) == len(names) == len(OPERATIONS)
    for path, methods in described["paths"].items():
        for operation in methods.values():
            in_path = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert in_path == {part.partition("}")[0] for part in path.split("{")[1:]}
            assert set(operation["responses"]) >= {"401", "default"}


def test_every_schema_of_the_description_is_json_schema() -> None:
    described = document()
    for schema in schemas_in(described["paths"]) + list(described["components"]["schemas"].values()):
        assert jsonschema_rs.meta.is_valid({"$schema": DIALECT, **schema})
        jsonschema_rs.validator_for({**schema, "components": described["components"]})  # references resolve


DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas_in(node: Any) -> list[Any]:
    if isinstance(node, list):
        return [found for part in node for found in schemas_in(part)]
    if not isinstance(node, dict):
        return []
    here = [node["schema"]] if "schema" in node else []
    return here + [found for part in node.values() for found in schemas_in(part)]
