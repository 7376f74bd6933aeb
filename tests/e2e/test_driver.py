"""A driver's day on a phone of 390 px, without JavaScript: everything is links and forms."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from chargepoint_emulator.emulator import Emulator
from tests.e2e.browser import looking
from tests.e2e.server import Server
from tests.e2e.shots import shot

TRIES = 120
CODE = re.compile(r"^\d{4} \d{4}$")


@pytest_asyncio.fixture(loop_scope="session")
async def phone(browser: Browser) -> AsyncIterator[Page]:
    async with looking(browser, width=390, java_script_enabled=False) as looker:
        yield looker.page


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def eurre(server: Server) -> AsyncIterator[Emulator]:
    async with server.emulator("EURRE-1", ocpp="1.6", kind="ac22", evses=4) as charging_station:
        await charging_station.connected()
        yield charging_station


async def reload_until(page: Page, selector: str) -> None:
    """Load the page again until something that the server does on its own has happened."""
    for _ in range(TRIES):
        if await page.locator(selector).count():
            return
        await page.reload()
    raise AssertionError(f"{selector} never came: {await page.inner_text('main')}")


async def code_shown(page: Page, *, instead_of: str = "") -> str:
    """The code on the booking page, once there is one that is not the old one."""
    for _ in range(TRIES):
        await reload_until(page, "p.code:not(.waiting)")
        code = " ".join((await page.inner_text("p.code")).split())
        if code != instead_of:
            return code
        await page.reload()
    raise AssertionError("the code never changed")


async def book_now(server: Server, page: Page, driver: str, car: str) -> None:
    """Sign in and book a car from now on, in four taps after the sign-in."""
    await server.sign_in(page, driver, onward="/drive")
    await page.click("text=Maintenant, 2 h")
    await page.click(f"text={car}")
    await page.click("text=/Réserver pour/")
    await expect(page.locator(".flash.ok")).to_have_text("C’est réservé.")


async def test_C24_C28_C29_C44_driver_books_takes_extends_returns_and_sees_the_invoice(
    server: Server, phone: Page, eurre: Emulator
) -> None:
    await eurre.plug(1, "zoe-52", soc=60)
    await server.sign_in(phone, "roux", onward="/drive")
    await phone.click("text=Maintenant, 2 h")
    await expect(phone.locator(".offer").first).to_contain_text("13,00")
    await shot(phone, "driver-search")
    await phone.click("text=Zoe")
    await expect(phone.locator(".prices")).to_contain_text("Frais de réservation")
    await shot(phone, "driver-confirm")
    await phone.click("text=/Réserver pour/")

    code = await code_shown(phone)
    assert CODE.match(code)
    await shot(phone, "driver-code")
    await phone.click("text=J’ai la voiture")
    await expect(phone.locator(".flash.ok")).to_have_text("Bonne route !")
    await eurre.unplug(1)

    await phone.click("text=/Prolonger, jusqu/")
    await phone.select_option("#end_at", index=1)
    await shot(phone, "driver-extend")
    await phone.click("main form button")
    await expect(phone.locator(".flash.ok")).to_have_text("La réservation est prolongée.")
    await expect(phone.locator(".prices .total")).to_contain_text("19,00")
    code = await code_shown(phone, instead_of=code)

    await phone.click("main a:has-text('Rendre la voiture')")
    await reload_until(phone, ".check-line.waiting")
    await phone.click("text=Terminer la réservation")
    await expect(phone.locator(".flash.error")).to_contain_text("Le câble n’est pas encore branché")

    await eurre.plug(1, "zoe-52", soc=40)
    assert await eurre.present(1, code.replace(" ", "")) == "Accepted"
    await phone.goto(phone.url)
    await reload_until(phone, ".check-line.done:nth-child(2)")
    await shot(phone, "driver-return")
    await phone.fill("#odometer_km", "24 310")
    await phone.click("text=Terminer la réservation")
    await expect(phone.locator(".flash.ok")).to_have_text("Merci, la réservation est terminée.")

    await reload_until(phone, "text=Voir la facture")
    await phone.click("text=Voir la facture")
    await expect(phone.locator("h1")).to_contain_text(re.compile(r"Facture F\d{4}-\d{6}"))
    await expect(phone.locator(".prices .total")).to_contain_text("19,00")
    await shot(phone, "driver-invoice")
    document = await phone.request.get(f"{phone.url}.pdf")
    assert (document.status, (await document.body())[:5]) == (200, b"%PDF-")


async def test_C38_refused_booking_says_why_and_offers_the_nearest_time(
    server: Server, phone: Page, browser: Browser
) -> None:
    await server.sign_in(phone, "morel", onward="/drive")
    await phone.click("text=Maintenant, 2 h")
    await phone.click("text=Kangoo")
    async with looking(browser, width=390, java_script_enabled=False) as other:
        await book_now(server, other.page, "fabre", "Kangoo")
    await phone.click("text=/Réserver pour/")
    await expect(phone.locator(".flash.error")).to_contain_text(
        "Cette voiture est déjà prise à ce moment-là."
    )
    await phone.click(".flash.error a")
    await phone.click("text=/Réserver pour/")
    await expect(phone.locator(".flash.ok")).to_have_text("C’est réservé.")
    await phone.click("text=Annuler cette réservation")
    await phone.click("text=Oui, l’annuler")
    await expect(phone.locator(".flash.ok")).to_have_text("La réservation est annulée.")
    await expect(phone.locator("h1 + .badge")).to_have_text("annulée")


async def test_C26_problem_reported_by_a_driver_reaches_the_manager(
    server: Server, phone: Page, browser: Browser
) -> None:
    await book_now(server, phone, "petit", "Megane")
    await phone.click("text=Signaler un problème")
    await phone.check("input[value=damage]")
    await phone.fill("#text", "rétroviseur cassé")
    await phone.click("main form button")
    await expect(phone.locator(".flash.ok")).to_have_text("Merci, votre signalement est bien arrivé.")
    async with looking(browser) as desk:
        await server.sign_in(desk.page, "martin")
        alert = desk.page.locator(".alert", has_text="rétroviseur cassé")
        await expect(alert).to_contain_text("signalé par D. Petit")
        await alert.get_by_text("Je m’en occupe").click()
        await expect(alert).to_contain_text("Camille Martin s’en occupe")
        await alert.get_by_text("C’est réglé").click()
        await expect(alert).to_have_count(0)


async def test_language_and_colours_are_chosen_by_a_form_and_kept(server: Server, phone: Page) -> None:
    await phone.goto(f"{server.http}/login")
    await phone.click("details.menu summary")
    await phone.click("button[value=en]")
    await expect(phone.locator("h1")).to_have_text("Sign in")
    await phone.click("details.menu summary")
    await phone.click("button[value=dark]")
    assert await phone.get_attribute("html", "lang") == "en"
    assert await phone.get_attribute("meta[name=color-scheme]", "content") == "dark"
