"""One browser and one event loop for the whole directory: starting Chromium costs more than a page."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.e2e import service
from tests.e2e.browser import launched
from tests.e2e.server import Server, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that drive the browser run on its loop, the session's."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Return the running browser."""
    async with launched() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """Return the server of the small service; every test uses people and cars of its own."""
    async with running(tmp_path_factory.mktemp("server"), service.document()) as started:
        yield started
