"""Debian's Chromium, and what every page must pass in it: axe, no overflow, a silent console."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

AXE = (Path(__file__).parent / "vendor/axe/axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
AXE_RUN = """
rules => axe.run({runOnly: rules}).then(result => result.violations.map(found =>
    `${found.id}: ${found.nodes.map(node => node.html.slice(0, 120)).join(' | ')}`))
"""
PHONE = 700
HEIGHTS = {True: 844, False: 900}
Theme = Literal["light", "dark"]


def chromium_path() -> str:
    """Where the browser is; its absence fails the test and names the apt line."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "Chromium is missing: apt-get install chromium"
    return found


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """Run the browser for the length of a block."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox"])
        yield browser
        await browser.close()


@dataclass
class Looker:
    """A browser page that remembers what went wrong on it."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Collect console errors, scripts that threw, and requests to strangers."""
        self.page.on("console", self._note_console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"console: {message.text}")

    async def resize(self, width: int, theme: Theme) -> None:
        """Show the page in another window and by another light, without loading it again."""
        await self.page.set_viewport_size({"width": width, "height": HEIGHTS[width < PHONE]})
        await self.page.emulate_media(color_scheme=theme)

    async def violations(self) -> list[str]:
        """What axe says about the page as it stands."""
        # Evaluated, not added as a script tag: the content security policy rightly refuses the latter.
        await self.page.evaluate(AXE)
        found: list[str] = await self.page.evaluate(AXE_RUN, RULES)
        return found

    async def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        wide: int = await self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return max(0, wide)

    async def faults(self) -> list[str]:
        """Everything that is wrong, empty for a sound page."""
        wide = await self.overflow()
        return [*self.complaints, *await self.violations(), *([f"{wide} px too wide"] if wide else [])]


@asynccontextmanager
async def looking(
    browser: Browser, *, width: int = 1440, theme: Theme = "light", **options: Any
) -> AsyncIterator[Looker]:
    """Open a fresh context with one page; time and language as in the Drôme."""
    context: BrowserContext = await browser.new_context(
        viewport={"width": width, "height": HEIGHTS[width < PHONE]},
        color_scheme=theme,
        locale=options.pop("locale", "fr-FR"),
        timezone_id="Europe/Paris",
        reduced_motion="reduce",  # a colour on its way to another is no colour to judge
        **options,
    )
    looker = Looker(await context.new_page())
    looker.listen()
    yield looker
    await context.close()


def sizes() -> Iterator[tuple[int, Theme]]:
    """A phone and a desk, by day and by night."""
    for width in (390, 1440):
        yield width, "light"
        yield width, "dark"
