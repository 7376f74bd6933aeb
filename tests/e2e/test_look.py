"""Every page of the sample afternoon, on a phone and on a desk, by day and by night: axe finds nothing,
nothing overflows, the content security policy blocks nothing because nothing is inline.

With the environment variable LOOK=DIR the screenshots are kept for human eyes.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.async_api import Browser, Route

from supervision.web import rendering
from supervision.web.headers import POLICY
from tests.e2e.browser import looking, sizes
from tests.unit.web.driver_samples import PAGES
from tests.unit.web.samples import shell

WEB = Path(rendering.__file__).parent
TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "png": "image/png"}
ORIGIN = "http://portal.test"


async def answer(route: Route) -> None:
    """Serve templates and static files without a server, under the real policy."""
    path = route.request.url.removeprefix(ORIGIN).partition("?")[0]
    if path.startswith("/static/"):
        body, kind = (WEB / path[1:]).read_bytes(), TYPES[path.rpartition(".")[2]]
    elif path.endswith(("/events", ".webmanifest", "/sw.js")):
        await route.fulfill(status=204)
        return
    else:
        _, language, name = path.split("/")
        template, viewer, at, view = PAGES[name]
        text = rendering.render(template, {"shell": shell(at, viewer), "view": view}, language=language)
        body, kind = text.encode(), "text/html; charset=utf-8"
    headers = {"Content-Type": kind, "Content-Security-Policy": POLICY}
    await route.fulfill(body=body, headers=headers)


@pytest.mark.parametrize("name", PAGES)
async def test_page_is_sound_at_every_size_and_in_both_themes(browser: Browser, name: str) -> None:
    folder = os.environ.get("LOOK")
    async with looking(browser) as looker:
        await looker.page.route("**/*", answer)
        await looker.page.goto(f"{ORIGIN}/fr/{name}")
        for width, theme in sizes():
            await looker.resize(width, theme)
            if folder:
                target = Path(folder) / f"{name}-{width}-{theme}.png"
                await looker.page.screenshot(path=target, full_page=True)
            assert await looker.faults() == [], (width, theme)
