"""What the portal refuses, by plain HTTP: strangers, other tenants, forged forms, broken input."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from tests.e2e import service
from tests.e2e.server import Server

TOKEN = re.compile(r'name="csrf" value="([^"]*)"')
PRIVATE = (
    "/",
    "/drive",
    "/drive/confirm?vehicle=zoe",
    "/bookings",
    "/bookings/x",
    "/bookings/x/extend",
    "/bookings/x/return",
    "/bookings/x/problem",
    "/invoices",
    "/invoices/x",
    "/invoices/x.pdf",
    "/supervision",
    "/supervision/events",
    "/stations/eurre",
    "/stations/eurre/events",
    "/charging-stations",
    "/charging-stations/EURRE-1",
    "/charging-stations/EURRE-1/events",
    "/charging/review",
    "/charging/attempts",
    "/command-batches",
    "/command-batches/x",
    "/command-batches/x/events",
)
MANAGERS_ONLY = tuple(
    path for path in PRIVATE if path.startswith(("/supervision", "/stations", "/charging", "/command"))
)

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def client(server: Server) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=server.http) as opened:
        yield opened


async def token(client: httpx2.AsyncClient, path: str = "/login") -> str:
    found = TOKEN.search((await client.get(path, follow_redirects=True)).text)
    assert found
    return found[1]


async def sign_in(
    client: httpx2.AsyncClient, person: str, password: str = service.PASSWORD
) -> httpx2.Response:
    form = {
        "csrf": await token(client),
        "email": f"{person}@example.org",
        "password": password,
        "next": "/bookings",
    }
    return await client.post("/login", data=form)


@pytest.mark.parametrize("path", PRIVATE)
async def test_private_page_sends_a_stranger_to_the_sign_in(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login")


@pytest.mark.parametrize("path", MANAGERS_ONLY)
async def test_C1_manager_page_is_closed_to_a_driver(client: httpx2.AsyncClient, path: str) -> None:
    await sign_in(client, "morel")
    assert (await client.get(path)).status_code == 403


@pytest.mark.parametrize("path", ["/stations/eurre", "/charging-stations/EURRE-1", "/stations/eurre/events"])
async def test_C1_manager_of_another_organisation_finds_nothing(
    client: httpx2.AsyncClient, path: str
) -> None:
    await sign_in(client, "foreign")
    assert (await client.get(path)).status_code == 404
    assert "Eurre" not in (await client.get("/supervision")).text


async def test_sign_in_opens_a_session_and_sign_out_ends_it_on_the_server(client: httpx2.AsyncClient) -> None:
    answer = await sign_in(client, "morel")
    assert (answer.status_code, answer.headers["location"]) == (303, "/bookings")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    stolen = dict(client.cookies)
    assert (await client.get("/bookings")).status_code == 200
    await client.post("/logout", data={"csrf": await token(client, "/bookings")})
    client.cookies.update(stolen)
    assert (await client.get("/bookings")).status_code == 303


async def test_wrong_password_says_the_same_as_an_unknown_address(client: httpx2.AsyncClient) -> None:
    answers = [await sign_in(client, "morel", "wrong"), await sign_in(client, "nobody", "wrong")]
    assert [answer.status_code for answer in answers] == [401, 401]
    texts = {re.sub(r'value="[^"]*"', "", answer.text) for answer in answers}
    assert len(texts) == 1


async def test_sign_in_never_leads_to_another_site(client: httpx2.AsyncClient) -> None:
    for onward in ("https://evil.example", "//evil.example", "/\\evil.example", "evil"):
        form = {
            "csrf": await token(client),
            "email": "petit@example.org",
            "password": service.PASSWORD,
            "next": onward,
        }
        assert (await client.post("/login", data=form)).headers["location"] == "/"
        client.cookies.clear()


@pytest.mark.parametrize(
    "path", ["/bookings", "/bookings/x/cancel", "/logout", "/preferences", "/alerts/1/close", "/login"]
)
async def test_form_without_our_token_or_from_elsewhere_is_refused(
    client: httpx2.AsyncClient, path: str
) -> None:
    await sign_in(client, "martin")
    assert (await client.post(path, data={"csrf": "forged"})).status_code == 403
    assert (await client.post(path, data={})).status_code == 403
    good = await token(client, "/drive")
    cross = await client.post(path, data={"csrf": good}, headers={"Sec-Fetch-Site": "cross-site"})
    assert cross.status_code == 403


async def test_answers_carry_the_security_headers(client: httpx2.AsyncClient) -> None:
    page = (await client.get("/login")).headers
    assert page["content-security-policy"].startswith("default-src 'self'; object-src 'none'")
    assert "unsafe" not in page["content-security-policy"]
    assert page["x-content-type-options"] == "nosniff"
    assert page["referrer-policy"] == "same-origin"
    assert page["cache-control"] == "no-store"
    assert (await client.get("/static/app.css")).headers["cache-control"] == "no-cache"
    assert "immutable" in (await client.get("/static/app.css?x")).headers["cache-control"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/static/../app.py", 404),
        ("DELETE", "/login", 405),
        ("GET", "/bookings/%00", 404),
        ("GET", "/drive/confirm?vehicle=zoe&start_at=9999-99-99", 404),
        ("GET", "/invoices?after=zzz", 404),
        ("GET", "/charging-stations/EURRE-1?limit=99999999999999999999", 403),
    ],
)
async def test_broken_address_gets_a_friendly_page(
    client: httpx2.AsyncClient, method: str, path: str, status: int
) -> None:
    await sign_in(client, "morel")
    answer = await client.request(method, path)
    assert answer.status_code == status
    assert "<h1>" in answer.text


@pytest.mark.parametrize(
    "query",
    [
        "start_on=2026-13-45&start_time=10:00&end_on=2026-01-01&end_time=11:00",
        "start_on=9999-12-31&start_time=23:30&end_on=9999-12-31&end_time=23:59",
        "start_on=0001-01-01&start_time=00:00&end_on=0001-01-01&end_time=01:00",
        "start_on=2026-12-01&start_time=11:00&end_on=2026-12-01&end_time=10:00",
        "start_on=&start_time=&end_on=&end_time=",
        "start_on=2026-12-01&start_time=10:00:00.5&end_on=2026-12-01&end_time=1e3",
    ],
)
async def test_impossible_times_are_refused_in_words(client: httpx2.AsyncClient, query: str) -> None:
    await sign_in(client, "morel")
    answer = await client.get(f"/drive?{query}")
    assert answer.status_code == 200
    assert 'class="flash error"' in answer.text


async def test_body_over_the_limit_is_refused(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/login", data={"email": "x" * 2_000_000})
    assert answer.status_code == 413


async def test_code_of_a_booking_is_for_its_driver_alone(server: Server, client: httpx2.AsyncClient) -> None:
    await sign_in(client, "morel")
    form = {
        "csrf": await token(client, "/drive"),
        "vehicle": "e208",
        "start_at": "2026-12-24T10:00:00+01:00",
        "end_at": "2026-12-24T12:00:00+01:00",
    }
    made = await client.post("/bookings", data=form)
    assert made.status_code == 303
    path = made.headers["location"].partition("?")[0]
    assert (await client.get(path)).status_code == 200
    for person, status in (("fabre", 403), ("foreign", 404)):
        async with httpx2.AsyncClient(base_url=server.http) as other:
            await sign_in(other, person)
            for address in (path, f"{path}/extend", f"{path}/return", f"{path}/problem"):
                assert (await other.get(address)).status_code == status
    async with httpx2.AsyncClient(base_url=server.http) as manager:
        await sign_in(manager, "martin")
        seen = await manager.get(path)
        assert seen.status_code == 200
        assert "code-card" not in seen.text
