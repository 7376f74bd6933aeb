"""Rural network: the code stays readable without it, and leaves the phone with the sign-out."""

from __future__ import annotations

from playwright.async_api import Browser, expect

from tests.e2e.browser import looking
from tests.e2e.server import Server
from tests.e2e.shots import shot

SAVED = """
async path => {
    await navigator.serviceWorker.ready;
    const saved = await (await caches.open("pages")).match(path);
    return Boolean(saved && (await saved.text()).includes('class="code" translate="no"'));
}
"""


async def test_C24_code_is_shown_without_network_and_forgotten_after_signing_out(
    server: Server, browser: Browser
) -> None:
    async with looking(browser, width=390) as looker:
        page = looker.page
        await server.sign_in(page, "blanc", onward="/drive")
        await page.click("text=Maintenant, 2 h")
        await page.click("text=Twingo")
        await page.click("text=/Réserver pour/")
        await expect(page.locator("p.code:not(.waiting)")).to_be_visible(timeout=30_000)
        code, path = await page.inner_text("p.code"), await page.evaluate("location.pathname")
        while not await page.evaluate(SAVED, path):
            await page.wait_for_timeout(100)

        await page.context.set_offline(True)
        await page.goto(f"{server.http}{path}")
        await expect(page.locator("p.code")).to_have_text(code)
        await expect(page.locator(".offline-note")).to_be_visible()
        await shot(page, "driver-offline")
        await page.goto(f"{server.http}/invoices")
        await expect(page.locator("h1")).to_have_text("Pas de réseau")

        await page.context.set_offline(False)
        await page.goto(f"{server.http}{path}")
        await page.click("details.menu summary")
        await page.click("text=Se déconnecter")
        await expect(page.locator("h1")).to_have_text("Se connecter")
        assert await page.evaluate("caches.has('pages')") is False
