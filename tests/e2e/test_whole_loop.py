"""The whole loop on real input: issue 2's first paragraph, from the plug to the payment.

A charge point connects, a driver books the car beside it, the code opens the key box and starts the
charge, the car is charged in time for its next booking inside the site limit, it is returned and invoiced.
"""

from __future__ import annotations

import io
import logging
import re
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pypdf import PdfReader
from sqlalchemy import select

from chargepoint_emulator.authorisation import IdToken
from chargepoint_emulator.emulator import Emulator
from supervision import log as logs
from supervision.access.providers.immobiliser import ImmobiliserState
from supervision.access.providers.key_box import BoxEvent
from supervision.access.providers.key_box.simulated.lock import Opened
from supervision.kernel.errors import Refused
from supervision.store import schema
from tests.e2e.loop_service import (
    BADGE,
    COMMUNITY,
    MORNING,
    ORGANISATION,
    PASSWORD,
    RESERVE_WH,
    SITE_A,
    STATION,
    WH_PER_KM,
    Running,
    WatchedCar,
    World,
    eventually,
    highest_a,
    world,
)
from tests.e2e.loop_time import LoopTime, Predicate


def clock(text: str) -> datetime:
    """Return an hour of the loop's day, UTC."""
    hours, minutes = text.split(":")
    return MORNING.replace(hour=0) + timedelta(hours=int(hours), minutes=int(minutes))


@pytest.fixture(autouse=True)
def nothing_went_wrong() -> Iterator[None]:
    """Print what the server logs, for whoever reads a failure; an error in it fails the test."""
    loggers = logging.root.manager.loggerDict
    off = [name for name in loggers if name.startswith("supervision") and logging.getLogger(name).disabled]
    assert off == [], "nobody would hear of an error"
    shown, wrong = logging.StreamHandler(sys.stdout), _Errors()
    shown.setFormatter(logs.JsonFormatter())
    root = logging.getLogger()
    root.addHandler(shown)
    root.addHandler(wrong)
    yield
    root.removeHandler(shown)
    root.removeHandler(wrong)
    assert wrong.seen == []


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the name of the event."""
        self.seen.append(record.getMessage())


@pytest.fixture
async def place(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """Return the service on both databases."""
    async with world(database_url, tmp_path / "data") as made:
        yield made


@pytest.fixture
async def sqlite_place(sqlite_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """Return the service on SQLite."""
    async with world(sqlite_url, tmp_path / "data") as made:
        yield made


class Story:
    """People and cars at Eurre: each method is one act, awaited until the service has seen it."""

    def __init__(self, running: Running, points: dict[str, Emulator]) -> None:
        self.run = running
        self.time = running.time
        self.points = points
        self.cars = {name: WatchedCar(soc=50.0) for name in points}

    async def book(self, driver: str, vehicle: str, start: str, end: str, km: int) -> dict[str, Any]:
        """Look for a free car and book it."""
        times = {"start_at": clock(start).isoformat(), "end_at": clock(end).isoformat()}
        free = await self.run.people[driver].get("/availability", community=COMMUNITY, **times)
        offer = next(item for item in free["items"] if item["vehicle"] == vehicle)
        body = {"vehicle": vehicle, **times, "planned_km": km}
        made: dict[str, Any] = await self.run.people[driver].done("/bookings", **body)
        assert made["quoted_cents"] == offer["price_cents"]
        assert made["code"] is None
        return made

    async def booking(self, driver: str, booking_id: str) -> dict[str, Any]:
        """Return the booking as its driver sees it."""
        found: dict[str, Any] = await self.run.people[driver].get(f"/bookings/{booking_id}")
        return found

    async def plug(self, identity: str) -> None:
        """Plug the car in at its charge point."""
        car = self.cars[identity]
        car.at = self.points[identity]
        await self.points[identity].plug(1, car)

    async def code_in_mail_and_sms(self, driver: str, booking_id: str) -> str:
        """Wait for the code in the driver's mail and on his telephone; both must be the one in the app."""
        number = {"d1": "+33612345600", "d2": "+33612345601", "d3": "+33612345602"}[driver]
        found: list[set[str]] = []

        def both() -> bool:
            mails = [
                body
                for letter in self.run.mails.received
                if letter["To"] and f"{driver}@example.org" in letter["To"]
                if (body := _text_of(letter)) and _codes(body)
            ]
            texts = [sms.text for sms in self.run.sms.accepted if sms.to == number and _codes(sms.text)]
            found[:] = [_codes(mails[-1]), _codes(texts[-1])] if mails and texts else []
            return bool(found)

        await eventually(self.run, both, what="code by mail and SMS")
        code = str((await self.booking(driver, booking_id))["code"])
        assert found == [{code}, {code}]
        return code

    async def take(self, vehicle: str, code: str, driver: str, booking_id: str) -> None:
        """Open the box, take the key, release and start the car."""
        hands = self.run.hands
        taken = await hands.fetch(ORGANISATION, STATION, code)
        assert isinstance(taken, BoxEvent), taken
        assert (await self.booking(driver, booking_id))["status"] == "active"
        assert await hands.enter_in_car(ORGANISATION, vehicle, code) is ImmobiliserState.RELEASED
        assert await hands.start_car(ORGANISATION, vehicle) is ImmobiliserState.DRIVING

    async def bring(self, vehicle: str, identity: str, code: str) -> None:
        """Park, plug, show the code at the charge point, hang the key back."""
        await self.run.hands.stop_car(ORGANISATION, vehicle)
        await self.plug(identity)
        assert await self.points[identity].present(1, IdToken(value=code, kind="KeyCode")) == "Accepted"
        brought = await self.run.hands.bring(ORGANISATION, STATION, code)
        assert isinstance(brought, BoxEvent), brought

    async def plan(self) -> dict[str, Any]:
        """Return the charging plan as the manager sees it."""
        found: dict[str, Any] = await self.run.manager.get(f"/stations/{STATION}/charging-plan")
        return found

    async def profiles_hold(self) -> bool:
        """Tell whether nothing waits and every profile in a charge point was accepted and verified."""
        profiles = (await self.plan())["profiles"]
        holding = {(p["charging_station"], p["use"]) for p in profiles if p["state"] == "accepted"}
        return (
            len(holding) == 4
            and all(p["state"] == "accepted" for p in profiles)
            and all(p["verified"] in {"composite", "measured"} for p in profiles)
        )

    def codes_mailed(self) -> list[set[str]]:
        """Return the codes in all mails so far."""
        return [found for letter in self.run.mails.received if (found := _codes(_text_of(letter)))]

    async def charge_is_bound(self, identity: str, booking_id: str) -> None:
        """Wait until the charge that runs is known to be the booking's."""

        async def bound() -> bool:
            rows = await self.charging_transactions(identity)
            return (rows[-1]["booking_id"], rows[-1]["state"]) == (booking_id, "open")

        await self.time.until(bound, what="charge bound to the booking")

    def is_planned(self, *bookings: dict[str, Any]) -> Predicate:
        """The plan covers these bookings without a shortfall, and the charge points hold it."""

        async def holds() -> bool:
            plan = await self.plan()
            known = {need.get("booking_id") for need in plan["needs"]}
            short = [window for window in plan["plan"]["windows"][:2] if window["shortfall_wh"]]
            return {b["id"] for b in bookings} <= known and not short and await self.profiles_hold()

        return holds

    def is_late(self, booking: dict[str, Any]) -> Predicate:
        """The manager has an open alert and the driver a mail."""

        async def told() -> bool:
            alerts = await self.run.rows(select(schema.alerts).where(schema.alerts.c.closed_at.is_(None)))
            sent = await self.run.rows(select(schema.messages).where(schema.messages.c.state == "sent"))
            mailed = {(row["template"], row["booking_id"]) for row in sent if row["channel"] == "mail"}
            late = {row["cause"] for row in alerts}
            return f"late:{booking['id']}" in late and ("booking_late", booking["id"]) in mailed

        return told

    async def energy_is_exact(self) -> None:
        """What the service has counted is what the registers show, to the watt-hour."""

        async def quiet() -> bool:
            return all(point.online and not len(point.station.queue) for point in self.points.values())

        await self.time.until(quiet, what="queues empty")
        for identity, point in self.points.items():
            rows = [r for r in await self.charging_transactions(identity) if r["state"] == "ended"]
            assert [r["review"] for r in rows] == [None] * len(rows)
            assert [r["energy_wh"] for r in rows] == [r["meter_stop_wh"] - r["meter_start_wh"] for r in rows]
            if point.evses[1].car is None:
                assert rows[-1]["meter_stop_wh"] == round(point.evses[1].energy_wh)

    async def invoice(self, driver: str, booking: dict[str, Any], *, total_cents: int) -> dict[str, Any]:
        """Wait for the invoice of a booking; its PDF must say the same."""
        api = self.run.people[driver]
        found: list[dict[str, Any]] = []

        async def issued() -> bool:
            items = (await api.get("/invoices"))["items"]
            found[:] = [item for item in items if item["booking"] == booking["id"]]
            return bool(found)

        await self.time.until(issued, what="invoice")
        (invoice,) = found
        pages = PdfReader(io.BytesIO(await api.raw(f"/invoices/{invoice['id']}.pdf"))).pages
        text = "\n".join(page.extract_text() for page in pages)
        assert invoice["total_cents"] == total_cents
        assert invoice["number"] in text
        assert f"{total_cents / 100:.2f}" in text
        return invoice

    async def charging_transactions(self, identity: str) -> list[dict[str, Any]]:
        """Return the rows of one charge point, oldest first."""
        table = schema.charging_transactions
        wanted = select(table).where(table.c.charging_station == identity).order_by(table.c.id)
        return await self.run.rows(wanted)


def _text_of(letter: Any) -> str:
    body = letter.get_body(("plain",))
    return str(body.get_content()) if body is not None else ""


def _codes(text: str) -> set[str]:
    """Eight digits, however they are grouped for the eye."""
    return {"".join(found.split()) for found in re.findall(r"(?<![\d+])\d{4}\s?\d{4}(?!\d)", text)}


def errors_in(points: Sequence[Emulator]) -> list[str]:
    """Return the CALLERRORs that went either way."""
    return [frame.text for point in points for frame in point.frames if frame.text.startswith("[4,")]


async def open_story(stack: AsyncExitStack, running: Running) -> Story:
    """Switch both charge points on and wait until they hold their profiles."""
    points = {
        identity: await stack.enter_async_context(running.charger(identity, register_wh=1_000))
        for identity in ("EURRE-1", "EURRE-2")
    }
    story = Story(running, points)
    await running.time.until(story.profiles_hold, what="profiles before the first plug")
    return story


async def test_whole_loop_from_plug_to_payment(place: World) -> None:
    place.time = LoopTime(clock("7:30"))  # on a slow machine the bookings take a while, too
    async with place.running() as running, AsyncExitStack() as stack:
        story = await open_story(stack, running)
        time, zoe = story.time, story.cars["EURRE-1"]
        # Both cars stand at their points; the manager's badge starts them at any time.
        for identity, point in story.points.items():
            await story.plug(identity)
            assert await point.present(1, BADGE) == "Accepted"
        first = await story.book("d1", "zoe-1", "9:15", "10:00", 60)
        second = await story.book("d2", "zoe-1", "11:15", "12:00", 110)
        other = await story.book("d3", "zoe-2", "11:30", "13:00", 130)

        # The code comes an hour before the start, not a minute earlier.
        await time.run_until(clock("8:14"))
        assert story.codes_mailed() == []
        await time.run_until(clock("8:15"))
        code = await story.code_in_mail_and_sms("d1", first["id"])
        await time.run_until(clock("9:01"))
        await story.take("zoe-1", code, "d1", first["id"])
        await story.points["EURRE-1"].unplug(1)
        zoe.drive(60 * WH_PER_KM)
        await time.run_until(clock("9:45"))
        await story.bring("zoe-1", "EURRE-1", code)
        await story.charge_is_bound("EURRE-1", first["id"])
        returned = await running.people["d1"].done(f"/bookings/{first['id']}/return")
        assert returned["status"] == "completed"
        await story.invoice("d1", first, total_cents=first["quoted_cents"])

        # The plan knows what the next drivers need, and both cars hold it when they leave.
        await time.until(story.is_planned(second, other), what="a plan for the next bookings")
        await time.run_until(clock("10:15"))
        code = await story.code_in_mail_and_sms("d2", second["id"])
        await time.run_until(clock("11:15"))
        for identity, booking in (("EURRE-1", second), ("EURRE-2", other)):
            # The plan's tenth of a trip more is for what no plan knows: here commands that take minutes.
            assert story.cars[identity].stored_wh >= booking["planned_km"] * WH_PER_KM + RESERVE_WH
        await story.take("zoe-1", code, "d2", second["id"])
        await story.points["EURRE-1"].unplug(1)
        zoe.drive(40 * WH_PER_KM)

        # Twenty minutes late: the manager is alerted, the driver reminded, a half hour begun is billed.
        await time.run_until(clock("12:01"))
        await time.until(story.is_late(second), what="alert and mail of a late car")
        await time.run_until(clock("12:20"))
        await story.bring("zoe-1", "EURRE-1", code)
        returned = await running.people["d2"].done(f"/bookings/{second['id']}/return")
        assert returned["status"] == "completed"
        invoice = await story.invoice("d2", second, total_cents=second["quoted_cents"] + 1000)
        assert invoice["payment"] == "due"

        assert 0 < highest_a(list(story.cars.values())) <= SITE_A
        assert errors_in(list(story.points.values())) == []
        await story.energy_is_exact()

    # A day later, after a restart on the same data, the card is asked.
    place.time = LoopTime(clock("12:20") + timedelta(hours=24, minutes=1))
    async with place.running() as running:
        api = running.people["d2"]

        async def paid() -> bool:
            return bool((await api.get(f"/invoices/{invoice['id']}"))["payment"] == "paid")

        await place.time.until(paid, what="payment")


async def test_energy_is_exact_after_a_lost_line(sqlite_place: World) -> None:
    async with sqlite_place.running() as running, AsyncExitStack() as stack:
        story = await open_story(stack, running)
        for identity, point in story.points.items():
            await story.plug(identity)
            assert await point.present(1, BADGE) == "Accepted"
        await story.time.run_until(clock("8:20"))
        for point in story.points.values():
            await point.go_offline()
        await story.time.run_until(clock("9:00"))
        with story.time.standing_still():
            for point in story.points.values():
                await point.go_online()
                await point.wait_for(lambda cp: cp.online and len(cp.station.queue) == 0)
        await story.time.run_until(clock("10:00"))
        for point in story.points.values():
            await point.unplug(1)
        await story.energy_is_exact()
        assert 0 < highest_a(list(story.cars.values())) <= SITE_A
        assert errors_in(list(story.points.values())) == []


async def test_cancelled_code_opens_nothing_and_wrong_codes_lock_the_box(sqlite_place: World) -> None:
    async with sqlite_place.running() as running, AsyncExitStack() as stack:
        story = await open_story(stack, running)
        hands = running.hands
        await story.plug("EURRE-1")
        booking = await story.book("d1", "zoe-1", "8:50", "10:00", 20)
        code = await story.code_in_mail_and_sms("d1", booking["id"])
        await story.time.run_until(clock("8:40"))
        opened = await hands.enter_at_box(ORGANISATION, STATION, code)
        assert isinstance(opened, Opened)
        cancelled = await running.people["d1"].done(f"/bookings/{booking['id']}/cancel")
        assert (cancelled["status"], cancelled["code"]) == ("cancelled", None)

        async def dead() -> bool:
            return isinstance(await hands.enter_in_car(ORGANISATION, "zoe-1", code), Refused)

        await story.time.until(dead, what="code dead in the car")
        assert await story.points["EURRE-1"].present(1, IdToken(value=code, kind="KeyCode")) == "Invalid"
        refusals = [await hands.enter_at_box(ORGANISATION, STATION, code) for _ in range(6)]
        assert [r.code for r in refusals if isinstance(r, Refused)] == ["wrong_code"] * 4 + ["box_locked"] * 2


async def test_fleet_manager_sees_the_plug_at_once(sqlite_place: World) -> None:
    async with sqlite_place.running() as running, AsyncExitStack() as stack:
        story = await open_story(stack, running)
        await sign_in(running.client)
        async with running.client.stream("GET", "/supervision/events") as stream:
            assert stream.status_code == 200
            lines = stream.aiter_lines()
            await story.plug("EURRE-1")
            assert await story.points["EURRE-1"].present(1, BADGE) == "Accepted"
            seen = ""
            async for line in lines:
                seen += line
                if "hx-partial" in seen and "Charge mesurée" in seen:
                    return
            pytest.fail("the stream ended")


async def sign_in(client: httpx2.AsyncClient) -> None:
    """Sign the fleet manager in on the portal."""
    page = await client.get("/login")
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found is not None
    form = {"csrf": found[1], "email": "m1@example.org", "password": PASSWORD, "next": "/supervision"}
    answer = await client.post("/login", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/supervision")
