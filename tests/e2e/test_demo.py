"""The demo as a visitor meets it: the accounts work, the page moves, a booking goes the whole way."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from supervision.demo import towns
from tests.e2e.browser import looking
from tests.e2e.shots import shot

# Half a minute a second: quick enough to wait, slow enough to type.
SPEED = int(os.environ.get("DEMO_SPEED", "30"))


@asynccontextmanager
async def demo(folder: Path) -> AsyncIterator[str]:
    with (folder / "demo.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "supervision", "demo", "--speed", str(SPEED)),
            *("--data", str(folder), "--http", "127.0.0.1:0", "--ocpp", "127.0.0.1:0"),
            stdout=PIPE,
            stderr=log,
        )
    assert process.stdout is not None
    try:
        yield await printed_address(process.stdout)
    finally:
        process.terminate()
        code = await process.wait()
    text = (folder / "demo.log").read_text()
    assert code == 0, text[-2000:]
    assert '"level": "ERROR"' not in text, text[-4000:]


async def printed_address(lines: asyncio.StreamReader) -> str:
    while line := (await lines.readline()).decode():
        if found := re.search(r"http://\S+", line):
            return found[0]
    pytest.fail("the demo ended before it printed its address")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with demo(tmp_path_factory.mktemp("demo")) as found:
        yield found


async def sign_in(page: Page, address: str, email: str) -> None:
    await page.goto(f"{address}/login")
    await page.fill("#email", email)
    await page.fill("#password", towns.PASSWORD)
    await page.click("main form button")


async def press_until_done(page: Page, address: str, act: str) -> None:
    """Press a button of the street until the world is ready for it (a charger needs its seconds)."""
    for _ in range(60):
        await page.goto(f"{address}/street")
        button = page.locator(f"button[value={act}]").first
        if await button.count():
            await button.click()
        if "told=done" in page.url:
            return
        await page.wait_for_timeout(1000)
    pytest.fail(f"{act}: {await page.inner_text('main')}")


async def moved(page: Page, before: str) -> None:
    """Wait until the page shows something else; the policy forbids scripts that wait for it."""
    for _ in range(120):
        if await page.inner_text("main") != before:
            return
        await page.wait_for_timeout(500)
    pytest.fail("nothing moved on the page")


async def show_charging(page: Page) -> None:
    """Wait for the picture a newcomer should see first: power in the past, plans ahead."""
    await expect(page.locator(".timeline.on-wide path.drawn").first).to_be_attached(timeout=90_000)
    await expect(page.locator(".timeline.on-wide rect.planned").first).to_be_attached(timeout=90_000)


async def afternoon(page: Page) -> None:
    """For the pictures of the documentation only: let half a day pass, so that there is much to see."""
    while os.environ.get("SCREENSHOTS") and "à 14:" not in await page.inner_text("#updated"):
        await page.wait_for_timeout(500)


async def test_manager_sees_eight_cars_and_the_page_moves_by_itself(browser: Browser, address: str) -> None:
    async with looking(browser) as looker:
        page = looker.page
        await sign_in(page, address, towns.MANAGER)
        await expect(page).to_have_url(f"{address}/supervision")
        await page.wait_for_load_state()  # the address changes before the page is whole
        shown = await page.inner_text("main")
        assert [name for _, name, *_ in towns.VEHICLES if name not in shown] == []
        await page.evaluate("window.untouched = true")
        await moved(page, shown)
        assert await page.evaluate("window.untouched")
        assert await looker.faults() == []
        await show_charging(page)
        await afternoon(page)
        await shot(page, "supervision")
        await looker.resize(1440, "dark")
        await shot(page, "supervision-dark")
        await looker.resize(390, "light")
        await shot(page, "supervision-phone")


async def book_now(page: Page, address: str) -> str:
    """Book the first free car for the first time offered; the clock runs, so a start may slip away."""
    for _ in range(20):
        await page.goto(f"{address}/drive")
        await page.click("a.chip >> nth=0")
        await page.click(".offer a >> nth=0")
        await page.click("main form button.primary")
        if page.url.endswith("?done=booked"):
            return page.url.partition("?")[0]
    pytest.fail(await page.inner_text("main"))


async def test_booking_by_hand_is_opened_charged_returned_and_invoiced(
    browser: Browser, address: str
) -> None:
    async with looking(browser, width=390, java_script_enabled=False) as looker:
        page = looker.page
        await sign_in(page, address, towns.DRIVER)
        booking = await book_now(page, address)
        for act in ("fetch", "drive", "plug", "bring"):
            await press_until_done(page, address, act)
        for _ in range(60):
            await page.goto(f"{booking}/return")
            if page.url.endswith("/return"):
                await page.click("main form button.primary >> nth=0")
            if "done=returned" in page.url:
                break
            await page.wait_for_timeout(1000)
        assert "done=returned" in page.url, await page.inner_text("main")
        for _ in range(60):
            await page.goto(f"{address}/invoices")
            if "€" in await page.inner_text("main"):
                break
            await page.wait_for_timeout(500)
        assert "€" in await page.inner_text("main")
