"""Whatever is sent, the answer is a clear 4xx, nothing is logged as our fault, and the service goes on."""

from __future__ import annotations

import json
import logging
from typing import Any
from urllib.parse import unquote

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supervision.web.api.operations import OPERATIONS
from supervision.web.pages import ROUTES
from tests.serving import CSRF, SITE, World, at

POST_PATHS = {
    "/charging-stations": "/charging-stations",
    "/charging-stations/{identity}/commands": "/charging-stations/CP16/commands",
    "/charging-stations/{identity}/logs": "/charging-stations/CP17/logs",
    "/firmware": "/firmware",
    "/firmware/{file}/campaigns": "/firmware/fw1/campaigns",
    "/command-batches": "/command-batches",
    "/charging-stations/{identity}/security": "/charging-stations/CP16/security",
    "/unknown-charging-stations/{identity}/adopt": "/unknown-charging-stations/NEW-9/adopt",
    "/charging-stations/{identity}/boot-policy": "/charging-stations/CP16/boot-policy",
    "/charging-stations/{identity}/relay": "/charging-stations/CP16/relay",
    "/desired-settings": "/desired-settings",
    "/desired-settings/standard": "/desired-settings/standard",
    "/charging-transactions/{id}/settlement": "/charging-transactions/1/settlement",
    "/id-tokens": "/id-tokens",
    "/bookings": "/bookings",
    **{
        f"/bookings/{{id}}/{verb}": f"/bookings/b1/{verb}"
        for verb in ("extend", "shorten", "cancel", "start", "return")
    },
}


@pytest.fixture(autouse=True)
def _nothing_is_our_fault(caplog: pytest.LogCaptureFixture) -> Any:
    yield
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR or r.exc_info] == []


def test_every_operation_with_a_body_is_tried_here() -> None:
    assert set(POST_PATHS) == {one.path for one in OPERATIONS if one.body is not None}


# --- the API: what is no JSON -----------------------------------------------------------------------

NO_JSON = [
    b"{",
    b"{'vehicle': 'car-1'}",
    b'{"vehicle": NaN}',
    b'{"vehicle": Infinity}',
    b'{"vehicle": -Infinity}',
    b"\xff\xfe\x00",
    b'{"vehicle": "\xc3\x28"}',
    b"<xml/>",
    b"vehicle=car-1",
    b'{"vehicle": 1}{"vehicle": 2}',
    b'{"vehicle": ' + b"9" * 5000 + b"}",
    b"[" * 100_000,
    b"[" * 40 + b"]" * 40,
    b'{"a":' * 900 + b"1" + b"}" * 900,
]


@pytest.mark.parametrize("path", POST_PATHS.values())
async def test_a_body_that_is_no_json_is_refused(world: World, path: str) -> None:
    for raw in NO_JSON:
        status, answer = await world.api("manager").send(path, raw)
        assert (raw[:20], status, answer["code"]) == (raw[:20], 400, "invalid_json")


WRONG_SHAPES = [b"[]", b"null", b"1", b'"text"', b"true", b'{"\\u0000": 1}', b'{"nobody knows": 1}']


@pytest.mark.parametrize("path", POST_PATHS.values())
async def test_a_body_of_the_wrong_shape_is_refused(world: World, path: str) -> None:
    for raw in WRONG_SHAPES:
        status, answer = await world.api("manager").send(path, raw)
        assert (raw, status, answer["code"]) == (raw, 422, "invalid_field")


# --- the API: what no column can hold ---------------------------------------------------------------

BAD_TEXTS = ["\0", "a\0b", "\ud800", "\udfff", "x\udc00y"]
BOOK = {"vehicle": "car-1", "driver": "d1", "start_at": at(0), "end_at": at(2)}
BADGE = {"token": "D4", "type": "ISO14443", "status": "Accepted"}
POINT = {"identity": "NEW-1", "station": "st", "evses": [{"id": 1, "kind": "ac22"}], "security_profile": 0}
RESET = {"action": "Reset", "payload": {"type": "Soft"}}
TEXT_FIELDS: list[tuple[str, dict[str, Any], str]] = [
    ("/bookings", BOOK, "vehicle"),
    ("/bookings", BOOK, "driver"),
    ("/bookings", BOOK, "purpose"),
    ("/bookings", BOOK, "start_at"),
    ("/id-tokens", BADGE, "token"),
    ("/id-tokens", BADGE, "type"),
    ("/id-tokens", BADGE, "parent"),
    ("/id-tokens", BADGE, "organisation"),
    ("/id-tokens", BADGE, "expires_at"),
    ("/charging-stations", POINT, "identity"),
    ("/charging-stations", POINT, "station"),
    ("/charging-stations", POINT, "password"),
    ("/charging-stations/CP16/commands", RESET, "action"),
    ("/charging-stations/CP16/security", {"action": "install"}, "certificate"),
    ("/bookings/b1/return", {}, "exception"),
]


async def unstorable_text_is_refused(world: World) -> None:
    for path, good, field in TEXT_FIELDS:
        for text in BAD_TEXTS:
            raw = json.dumps(good | {field: text}).encode()
            status, answer = await world.api("admin").send(path, raw)
            assert (path, field, status) == (path, field, 422)
            assert (answer["code"], answer["details"]) == ("invalid_field", {"field": field})
    deep = {"action": "DataTransfer", "payload": {"vendorId": "V", "data": "a\0b"}}
    status, answer = await world.api("admin").post("/charging-stations/CP16/commands", deep)
    assert (status, answer["details"]) == (422, {"field": "payload.data"})


async def test_text_no_database_can_hold_is_refused_on_sqlite(world: World) -> None:
    await unstorable_text_is_refused(world)
    await nul_in_addresses_is_refused(world)


async def test_text_no_database_can_hold_is_refused_on_postgresql(postgres_world: World) -> None:
    await unstorable_text_is_refused(postgres_world)
    await nul_in_addresses_is_refused(postgres_world)
    await whole_numbers_may_be_written_with_a_point(postgres_world)


async def nul_in_addresses_is_refused(world: World) -> None:
    api = world.api("admin")
    for operation in OPERATIONS:
        if operation.method != "GET":
            continue
        path = operation.path.replace("{identity}", "CP%0016").replace("{id}", "b%001")
        if operation.parameters:
            assert (await api.call("GET", path)).status_code == 404
        for name in operation.query:
            others = {"community": "com", "start_at": at(0), "end_at": at(2)}
            answer = await api.call("GET", path, params={**others, name: "a\0b"})
            expected = (404, {}) if operation.parameters else (422, {"field": name})
            assert (answer.status_code, answer.json()["details"]) == expected


async def whole_numbers_may_be_written_with_a_point(world: World) -> None:
    raw = (
        b'{"identity": "NEW-1", "station": "st", "security_profile": 0.0,'
        b' "evses": [{"id": 1.0, "kind": "ac22", "phases": [1.0, 2e0, 3], "max_a": 16.5}]}'
    )
    status, made = await world.api("admin").send("/charging-stations", raw)
    assert (status, made["evses"][0]["phases"], made["evses"][0]["max_a"]) == (201, [1, 2, 3], 16.5)


async def test_whole_numbers_may_be_written_with_a_point_on_sqlite(world: World) -> None:
    await whole_numbers_may_be_written_with_a_point(world)


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e30", "9007199254740993", "1" * 4000])
async def test_numbers_out_of_range_are_refused(world: World, number: str) -> None:
    raw = f'{{"odometer_km": {number}}}'.encode()
    status, answer = await world.api("driver").send("/bookings/b1/start", raw)
    assert (status, answer["details"]) == (422, {"field": "odometer_km"})


# --- the API: times ---------------------------------------------------------------------------------

NO_TIMES = [
    "",
    "2026-11-24",
    "2026-11-24T09:00:00",
    "2026-11-24 09:00:00+01:00",
    "2026-02-30T09:00:00Z",
    "2026-11-24T25:00:00Z",
    "2026-11-24T09:00:00+99:00",
    "2026-W48-2T09:00:00Z",
    "20261124T090000Z",
    "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59-01:00",
    "0000-01-01T00:00:00Z",
    "+2026-11-24T09:00:00Z",
    "tomorrow",
    "٢٠٢٦-11-24T09:00:00Z",
    "2026-11-24T09:00:00Z" * 100,
]


async def test_what_is_no_instant_is_refused_with_its_field(world: World) -> None:
    api = world.api("driver")
    for text in NO_TIMES:
        for field in ("start_at", "end_at"):
            status, answer = await api.post("/bookings", BOOK | {field: text})
            assert (text, status, answer["details"]) == (text, 422, {"field": field})
            query = {"community": "com", "start_at": at(0), "end_at": at(2), field: text}
            status, answer = await api.get("/availability", **query)
            if " " not in text:  # a plus sign that was not escaped arrives as a space
                assert (text, status, answer["details"]) == (text, 422, {"field": field})
        status, answer = await api.post("/bookings/b1/extend", {"end_at": text})
        assert (text, status, answer["details"]) == (text, 422, {"field": "end_at"})


@pytest.mark.parametrize(
    "start", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", at(0), "9999-12-30T00:00:00Z"]
)
@pytest.mark.parametrize("end", ["0001-01-02T00:00:00Z", at(2), "9999-12-31T23:59:59.999999Z"])
async def test_absurd_but_possible_times_get_the_rule_they_break(world: World, start: str, end: str) -> None:
    api, fine = world.api("driver"), (start, end) == (at(0), at(2))
    rules = {"ends_before_start", "in_the_past", "too_far_ahead", "too_long"}
    status, answer = await api.get("/availability", community="com", start_at=start, end_at=end)
    assert status == 200 if fine else (status == 422 and answer["code"] in rules)
    status, answer = await api.post("/bookings", {"vehicle": "car-1", "start_at": start, "end_at": end})
    assert status == 201 if fine else (status == 422 and answer["code"] in rules)
    for verb in ("extend", "shorten"):
        status, answer = await api.post(f"/bookings/b1/{verb}", {"end_at": end})
        assert (status, answer["code"] != "internal") == (422, True)


# --- the API: addresses, methods, sizes -------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/v1",
        "/api/v1/",
        "/api/v2/vehicles",
        "/api/v1/nothing",
        "/api/v1/vehicles/",
        "/api/v1//",
    ],
)
async def test_unknown_addresses_answer_in_json(world: World, path: str) -> None:
    answer = await world.client.get(path, follow_redirects=True)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_wrong_methods_name_the_right_ones(world: World) -> None:
    allowed: dict[str, set[str]] = {"/openapi.json": {"GET", "HEAD"}}
    for one in OPERATIONS:
        methods = {"GET", "HEAD"} if one.method == "GET" else {one.method}
        allowed.setdefault(one.path, set()).update(methods)
    for path, methods in allowed.items():
        for method in ("DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "BREW", "POST", "GET"):
            if method not in methods:
                answer = await world.api("admin").call(method, path.replace("{", "").replace("}", ""))
                assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
                assert set(answer.headers["allow"].split(", ")) == methods


@pytest.mark.parametrize("path", POST_PATHS.values())
async def test_a_huge_body_is_refused_announced_or_not(world: World, path: str) -> None:
    async def in_pieces() -> Any:
        for _ in range(20):
            yield b"x" * 100_000

    for content in (b"x" * 2_000_000, in_pieces()):
        answer = await world.api("admin").call("POST", path, content=content)
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("value", ["maybe", "2", "TRUE ", "null"])
async def test_a_flag_that_is_none_is_refused(world: World, value: str) -> None:
    status, answer = await world.api("manager").get("/charging-transactions", open=value)
    assert (status, answer["details"]) == (422, {"field": "open"})


# --- the API: anything at all -----------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
instants = st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat())


def bodies(path: str) -> st.SearchStrategy[dict[str, Any]]:
    """Values for every described field, now and then of the right kind, now and then missing."""
    schema = next(one.body for one in OPERATIONS if one.path == path and one.body is not None)
    some = {
        name: st.one_of(json_values, instants, likely(name, part))
        for name, part in schema["properties"].items()
    }
    wanted = {name: some[name] for name in schema["required"]}
    others = {name: value for name, value in some.items() if name not in wanted}
    return st.fixed_dictionaries(wanted, optional=others)


def likely(name: str, schema: Any) -> st.SearchStrategy[Any]:
    known = {
        "vehicle": "car-1",
        "driver": "d1",
        "station": "st",
        "action": "DataTransfer",
        "identity": "NEW-1",
    }
    if name in known:
        return st.just(known[name])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "integer": st.integers(-1, 10),
        "number": st.floats(-1, 700),
        "string": st.text(max_size=40),
    }
    otherwise: st.SearchStrategy[Any] = st.just({"type": "Soft"})
    return kinds.get(schema.get("type"), otherwise)


@pytest.mark.parametrize("path", POST_PATHS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_whatever_the_body_the_answer_is_described(
    world: World, path: str, data: st.DataObject
) -> None:
    body = data.draw(bodies(path))
    raw = json.dumps(body).encode()
    status, answer = await world.api("admin").send(POST_PATHS[path], raw)
    if status >= 300:
        assert status in {400, 403, 404, 409, 422}
        assert set(answer) == {"code", "message", "details"}


# --- the portal -------------------------------------------------------------------------------------

FORMS = sorted(path for method, path, _ in ROUTES if method == "POST")
NONSENSE = [
    "",
    "x" * 10_000,
    "\0",
    "é€😀",
    "9" * 5000,
    "-1",
    "9223372036854775808",
    "٣",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59-01:00",
    "2026-02-30",
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "../../etc/passwd",
    "[]",
]
FIELDS = [
    "email",
    "password",
    "next",
    "language",
    "theme",
    "back",
    "vehicle",
    "start",
    "end",
    "start_at",
    "end_at",
    "start_on",
    "start_time",
    "end_on",
    "end_time",
    "odometer_km",
    "reason",
    "without_charge",
    "organisation",
    "command",
    "where",
    "model",
    "action",
    "kind",
    "id",
    "evse",
    "limit",
    "value",
    "key",
    "type",
    "connector",
    "community",
    "station",
    "done",
    "payload",
    "text",
]


def filled(path: str, thing: str = "") -> str:
    known = {"{id}": thing or "b1", "{identity}": thing or "CP16"}
    for name, value in known.items():
        path = path.replace(name, value)
    return path


def friendly(page: Any) -> bool:
    """A page for people: HTML, no traceback, and no failure of ours."""
    is_page = page.headers.get("content-type", "").startswith("text/html")
    is_download = "content-disposition" in page.headers
    fits = is_page or is_download or page.status in {303, 307}
    return page.status < 500 and "Traceback" not in page.text and fits


@pytest.mark.parametrize("path", FORMS)
async def test_nonsense_in_a_form_gets_a_friendly_page(world: World, path: str) -> None:
    role = (
        "manager"
        if path.startswith(("/alerts", "/charging-stations", "/firmware", "/command-batches"))
        else "driver"
    )
    for text in NONSENSE:
        page = await world.submit(role, filled(path), dict.fromkeys(FIELDS, text))
        assert friendly(page), (path, text[:40], page.status, page.text[:500])


@pytest.mark.parametrize("path", FORMS)
async def test_a_form_that_is_not_ours_is_refused(world: World, path: str) -> None:
    for csrf in (None, "", "wrong", CSRF + "x", "é"):
        page = await world.submit("manager", filled(path), {}, csrf=csrf)
        assert (csrf, page.status, friendly(page)) == (csrf, 403, True)
    for site in ("cross-site", "same-site", "nonsense"):
        page = await world.submit("manager", filled(path), {}, sec_fetch_site=site)
        assert (site, page.status, friendly(page)) == (site, 403, True)
    page = await world.submit(None, filled(path), {})  # whose session ended is asked to sign in again
    assert page.status == 403 or page.headers["location"].startswith("/login")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"no boundary"),
        ("multipart/form-data; boundary=x", b"--x\r\nnonsense\r\n"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\na'),
        ("multipart/form-data; boundary=x; charset=no-such", b"--x--\r\n"),
        (
            "multipart/form-data; boundary=x; charset=unicode_escape",
            b'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n\\ud800\r\n--x--\r\n',
        ),
        ("application/x-www-form-urlencoded", b"&".join(b"f%d=1" % n for n in range(5000))),
        ("application/x-www-form-urlencoded", b"csrf=%ED%A0%80"),
        ("application/json", b'{"csrf": "x"}'),
        ("", b"csrf=x"),
        ("text/\xff", b"csrf=x"),
    ],
)
async def test_a_form_that_cannot_be_read_gets_a_friendly_page(world: World, kind: str, body: bytes) -> None:
    headers = [(b"Content-Type", kind.encode("latin-1")), (b"Cookie", b"session=session of driver")]
    for path in ("/login", "/bookings", "/preferences"):
        answer = await world.client.post(path, content=body, headers=headers)
        assert answer.status_code in {400, 403}
        assert answer.headers["content-type"].startswith("text/html")


async def test_a_huge_form_gets_a_friendly_page(world: World) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await world.client.post("/login", content=b"email=" + b"x" * 2_000_000, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (413, "text/html; charset=utf-8")


@pytest.mark.parametrize("path", sorted(path for method, path, _ in ROUTES if method == "GET"))
async def test_nonsense_in_an_address_gets_a_friendly_page(world: World, path: str) -> None:
    role = (
        "manager"
        if path.startswith(
            ("/supervision", "/stations", "/charging-stations", "/firmware", "/command-batches", "/files")
        )
        else "driver"
    )
    for text in NONSENSE:
        query = str(httpx2.QueryParams(dict.fromkeys(FIELDS, text[:1000])))
        known = "st" if path.startswith("/stations") else ""
        page = await world.visit(role, f"{filled(path, known)}?{query}")
        live = page.headers.get("content-type", "").startswith("text/event-stream")
        assert live or friendly(page), (path, text[:40], page.status, page.text[:500])


NO_IDS = ["%00", "%FF", "x" * 5000, "%2e%2e", "a%2Fb", "9" * 5000, "%0d%0a", "é", "%ED%A0%80"]


async def nonsense_ids_get_a_friendly_page(world: World) -> None:
    for method, path, _ in ROUTES:
        for thing in NO_IDS if "{" in path else []:
            page = (
                await world.visit("manager", filled(path, thing))
                if method == "GET"
                else await world.submit("manager", filled(path, thing), {"organisation": "org"})
            )
            assert (page.status in {403, 404, 422}, friendly(page)) == (True, True), (method, path, thing)


async def test_nonsense_ids_get_a_friendly_page_on_sqlite(world: World) -> None:
    await nonsense_ids_get_a_friendly_page(world)


async def test_nonsense_ids_and_fields_get_a_friendly_page_on_postgresql(postgres_world: World) -> None:
    await nonsense_ids_get_a_friendly_page(postgres_world)
    for method, path, _ in ROUTES:
        for text in ("a%00b", "9" * 40, "0001-01-01T00:00:00%2B01:00"):
            query = "&".join(f"{name}={text}" for name in FIELDS)
            page = (
                await postgres_world.visit("manager", f"{filled(path)}?{query}")
                if method == "GET"
                else await postgres_world.submit(
                    "manager", filled(path), dict.fromkeys(FIELDS, unquote(text))
                )
            )
            live = page.headers.get("content-type", "").startswith(("text/event-stream", "application/pdf"))
            assert live or friendly(page), (method, path, text, page.status)


@pytest.mark.parametrize(
    "cookie",
    [
        "session=",
        "session=\xff\xfe",
        "session=" + "x" * 4000,
        "=;;=",
        "session=a; session=b",
        "visitor=\xe9",
        "language=xx",
    ],
)
async def test_nonsense_cookies_are_nobody(world: World, cookie: str) -> None:
    answer = await world.client.get("/drive", headers=[(b"Cookie", cookie.encode("latin-1"))])
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login")


async def test_wrong_methods_and_unknown_pages_are_pages(world: World) -> None:
    for method, path, status in (
        ("DELETE", "/login", 405),
        ("PUT", "/drive", 405),
        ("GET", "/logout", 405),
        ("BREW", "/", 405),
        ("GET", "/nothing-here", 404),
        ("GET", "/static/../../etc/passwd", 404),
        ("GET", "/static/%2e%2e/%2e%2e/pyproject.toml", 404),
    ):
        answer = await world.client.request(method, SITE + path)
        assert (method, path, answer.status_code) == (method, path, status)
        assert "Traceback" not in answer.text
