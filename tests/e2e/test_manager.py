"""A manager at a desk: the page moves by itself, a command gets its answer, plans explain themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from chargepoint_emulator.emulator import Emulator
from tests.e2e.browser import Looker, looking
from tests.e2e.server import Server
from tests.e2e.shots import shot

SOON_MS = 20_000


@pytest_asyncio.fixture(loop_scope="session")
async def desk(browser: Browser, server: Server) -> AsyncIterator[Looker]:
    async with looking(browser) as looker:
        await server.sign_in(looker.page, "martin")
        yield looker


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def crest(server: Server) -> AsyncIterator[Emulator]:
    async with server.emulator("CREST-1", ocpp="2.0.1", kind="ac11") as charging_station:
        await charging_station.connected()
        yield charging_station


async def text_soon(page: Page, selector: str, text: str) -> None:
    await expect(page.locator(selector).first).to_contain_text(text, timeout=SOON_MS)


async def test_supervision_page_follows_the_charging_station_without_reload(
    desk: Looker, crest: Emulator, server: Server
) -> None:
    page = desk.page
    card = "#station-crest .timeline.on-wide"
    await text_soon(page, card, "non branchée")
    await page.evaluate("window.untouched = true")
    await crest.plug(1, "zoe-52", soc=30)
    await text_soon(page, card, "branch")
    command = await page.request.get(f"{server.http}/charging-stations/CREST-1")
    assert command.ok
    await crest.wait_for(lambda station: station.online)
    await crest.unplug(1)
    await text_soon(page, card, "non branchée")
    assert await page.evaluate("window.untouched")
    assert await desk.faults() == []


async def test_command_is_sent_and_its_answer_shown_in_place(
    desk: Looker, crest: Emulator, server: Server
) -> None:
    page = desk.page
    await page.goto(f"{server.http}/charging-stations/CREST-1")
    await page.click("summary:has-text('Demander un message')")
    await page.evaluate("window.untouched = true")
    await page.click("form:has(input[value=trigger]) button")
    await text_soon(
        page, "#outcome .flash", "TriggerMessage: répondu, accepté, en attente du message – status Accepted"
    )
    assert await page.evaluate("window.untouched")
    await text_soon(page, "#frame-rows", "StatusNotification")
    await shot(page, "manager-charging-station")
    assert await desk.faults() == []


async def test_remote_start_charges_and_the_window_says_why(
    desk: Looker, crest: Emulator, server: Server
) -> None:
    page = desk.page
    await crest.plug(1, "zoe-52", soc=30)
    await page.goto(f"{server.http}/charging-stations/CREST-1")
    await page.fill("#id_token", "04A1B2C3")
    await page.click("form:has(input[value=start]) button")
    await text_soon(
        page,
        "#outcome .flash",
        "RequestStartTransaction: répondu, accepté, en attente du début de la recharge – status Accepted",
    )
    await page.goto(f"{server.http}/supervision")
    planned = page.locator("#station-crest .timeline.on-wide a:has(rect.planned)").first
    await expect(planned).to_be_attached(timeout=SOON_MS)
    await planned.dispatch_event("click")
    await text_soon(page, "#why h3", "E208")
    await text_soon(page, "#why", "une batterie bien remplie")
    await shot(page, "manager-supervision")
    assert await desk.faults() == []


async def test_supervision_works_by_keyboard_alone(desk: Looker) -> None:
    page = desk.page
    await page.goto(page.url)
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"
    await page.focus("details.menu summary")
    await page.keyboard.press("Enter")
    await expect(page.locator(".menu-panel")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator(".menu-panel")).to_be_hidden()
