"""Rural network: the code stays readable without it, and leaves the phone with the sign-out."""

from __future__ import annotations

from playwright.async_api import Browser, Route, expect

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

# The page's copy of itself arrives only once the sign-out has been pressed, and before the page is left.
COPY_ARRIVES_LATE = """
    const fetchNow = window.fetch;
    let deliver;
    const pressed = new Promise((resolve) => { deliver = resolve; });
    window.fetch = async (...request) => {
        const answer = await fetchNow(...request);
        window.copyAnswered = true;
        await pressed;
        return answer;
    };
    document.addEventListener("submit", (event) => {
        event.preventDefault();
        deliver();
        setTimeout(() => event.target.submit(), 500);
    });
"""


async def as_an_old_browser(route: Route) -> None:
    """Answer without the header by which the server has a newer browser forget everything."""
    answer = await route.fetch(max_redirects=0)
    headers = {name: value for name, value in answer.headers.items() if name != "clear-site-data"}
    assert headers != answer.headers
    await route.fulfill(response=answer, headers=headers)


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
        await page.add_init_script(COPY_ARRIVES_LATE)
        await page.route("**/logout", as_an_old_browser)
        await page.goto(f"{server.http}{path}")
        while not await page.evaluate("window.copyAnswered === true"):
            await page.wait_for_timeout(100)
        await page.click("details.menu summary")
        await page.click("text=Se déconnecter")
        await expect(page.locator("h1")).to_have_text("Se connecter")
        assert await page.evaluate("caches.has('pages')") is False
