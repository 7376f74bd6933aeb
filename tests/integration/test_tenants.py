"""No page shows anything of another organisation; a foreign address is like one that does not exist (C1)."""

from __future__ import annotations

import re

import pytest

from supervision.web.pages import ROUTES
from tests.serving import World, at

GETS = sorted(path for method, path, _ in ROUTES if method == "GET")
POSTS = sorted(path for method, path, _ in ROUTES if method == "POST")
RIVALS = ("rival", "rival driver")

# Pages without an id: everybody gets his own, or the way to sign in.
OWN_PAGES = {
    "/",
    "/login",
    "/offline",
    "/drive",
    "/bookings",
    "/invoices",
    "/supervision",
    "/supervision/events",
    "/charging-stations",
    "/command-batches",
    "/firmware",
}
# Pages of one thing: the thing of organisation org, and one that does not exist.
THINGS = {
    "/drive/confirm": ("vehicle=car-1", "vehicle=zz"),
    "/bookings/{id}": ("b1", "zz"),
    "/bookings/{id}/extend": ("b1", "zz"),
    "/bookings/{id}/return": ("b1", "zz"),
    "/bookings/{id}/return/events": ("b1", "zz"),
    "/bookings/{id}/problem": ("b1", "zz"),
    "/bookings/{id}/events": ("b1", "zz"),
    "/invoices/{id}": ("INVOICE", "zz"),
    "/invoices/{id}.pdf": ("INVOICE", "zz"),
    "/stations/{id}": ("st", "zz"),
    "/stations/{id}/events": ("st", "zz"),
    "/charging-stations/{identity}": ("CP16", "ZZ"),
    "/charging-stations/{identity}/events": ("CP16", "ZZ"),
    "/command-batches/{id}": ("batch1", "zz"),
    "/command-batches/{id}/events": ("batch1", "zz"),
    "/charging-stations/{identity}/machine": ("CP17", "ZZ"),
    "/charging-stations/{identity}/journal": ("CP17", "ZZ"),
    "/charging-stations/{identity}/reports/{number}": ("CP17/1", "ZZ/1"),
    "/files/{id}": ("fw1", "zz"),
}
# What stands on pages of organisation org and of no other; ids of the rival begin with r-.
OURS = re.compile(r"(?<![-\w])(CP1[678]|car-[123]|AA-00\d-AA|[dm]\d secret-name|old\d|b1|Com|St)(?![-\w])")
SEEN_BY = dict.fromkeys(
    ["/stations", "/charging-stations", "/command-batches", "/supervision", "/files"], "manager"
)


def test_C1_every_page_is_tried_here() -> None:
    assert set(GETS) == OWN_PAGES | set(THINGS)


def address(path: str, thing: str, invoice: str) -> str:
    thing = thing.replace("INVOICE", invoice)
    if "{" in path:
        parts = iter(thing.split("/"))
        return re.sub(r"{\w+}", lambda _: next(parts), path)
    times = f"start={at(0)}&end={at(2)}&start_at={at(0)}&end_at={at(2)}".replace("+", "%2B")
    return f"{path}?{thing}&{times}"


async def invoice_of(world: World) -> str:
    _, page = await world.api("manager").get("/invoices")
    return str(page["items"][0]["id"])


@pytest.mark.parametrize("path", sorted(THINGS))
async def test_C1_a_foreign_page_is_like_none(world: World, path: str) -> None:
    invoice = await invoice_of(world)
    ours, nothing = (address(path, thing, invoice) for thing in THINGS[path])
    owner = next((role for start, role in SEEN_BY.items() if path.startswith(start)), "driver")
    assert (await world.visit(owner, ours)).status == 200
    for role in RIVALS:
        foreign, none = await world.visit(role, ours), await world.visit(role, nothing)
        assert (role, foreign.status) == (role, none.status)
        assert foreign.status in {403, 404}
        assert plain(foreign.text, ours) == plain(none.text, nothing)


def plain(text: str, where: str) -> str:
    """The page without its own address, which it may repeat in the form for the language."""
    path = where.partition("?")[0]
    return re.sub(r'name="back" value="[^"]*"', "", text).replace(path, "")


@pytest.mark.parametrize("path", sorted(OWN_PAGES))
async def test_C1_a_page_shows_nothing_of_others(world: World, path: str) -> None:
    for role in (*RIVALS, None):
        page = await world.visit(role, path)
        assert page.status in {200, 303, 403}
        assert OURS.findall(page.text) == []


async def test_C1_the_words_looked_for_do_stand_on_our_own_pages(world: World) -> None:
    for role, path, word in (
        ("manager", "/supervision", "St"),
        ("manager", "/charging-stations", "CP16"),
        ("driver", "/bookings", "b1"),
        ("driver", "/drive", "Com"),
    ):
        assert word in (await world.visit(role, path)).text


@pytest.mark.parametrize("path", GETS)
async def test_C1_nobody_sees_nothing(world: World, path: str) -> None:
    thing = THINGS.get(path, ("", ""))[0]
    page = await world.visit(None, address(path, thing, await invoice_of(world)) if thing else path)
    is_public = path in {"/login", "/offline"}
    assert page.status == (200 if is_public else 303)
    assert is_public or page.headers["location"].startswith("/login")


@pytest.mark.parametrize("path", [path for path in POSTS if "{" in path])
async def test_C1_a_foreign_form_does_nothing(world: World, path: str) -> None:
    before = await world.api("driver").get("/bookings")
    for role in RIVALS:
        answers = set()
        for thing in ("CP16", "ZZ") if "identity" in path else ("b1", "zz"):
            form = {"end_at": at(4, day=0), "organisation": "org", "command": "reset", "reason": "x"}
            page = await world.submit(role, re.sub(r"{\w+}", thing, path), form)
            answers.add(page.status)
        assert answers <= {403, 404}
        assert len(answers) == 1
    assert await world.api("driver").get("/bookings") == before


async def test_C1_a_foreign_alert_cannot_be_acknowledged(world: World) -> None:
    for organisation in ("org", "r-org"):  # the first alert is org's
        await world.submit("rival", "/alerts/1/acknowledge", {"organisation": organisation})
    async with world.services.db.read("org") as reader:
        alerts = await world.services.alerts.open_alerts(reader, "org")
    assert [alert.acknowledged_at for alert in alerts] == [None]


async def test_C1_a_foreign_car_cannot_be_booked(world: World) -> None:
    times = {"start": at(0), "end": at(2), "start_at": at(0), "end_at": at(2)}
    for role in RIVALS:
        statuses = {
            (await world.submit(role, "/bookings", {"vehicle": vehicle, **times})).status
            for vehicle in ("car-2", "zz")
        }
        assert statuses == {404}
