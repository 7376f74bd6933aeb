"""Screenshots for docs/walkthrough.md: taken by the tests, kept when SCREENSHOTS names a folder."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.async_api import Page


async def shot(page: Page, name: str) -> None:
    """Keep the page as it stands."""
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        await page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled")
