"""What the documentation promises is what the program has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from supervision.settings import describe
from tests.architecture.settings_page import page
from tests.architecture.source import ROOT


def test_settings_page_is_up_to_date() -> None:
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == page(), "run script/settings-page"


def test_every_setting_has_a_help_line() -> None:
    assert [name for name, _, text in describe() if len(text) < 15] == []


LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def documents() -> list[Path]:
    """Return every page that people read in the repository."""
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").glob("*.md")]


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(document: Path) -> None:
    links = LINK.findall(document.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in local if not (document.parent / link).exists()] == []


COMMAND = re.compile(r"`(script/[a-z_-]+)")


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_scripts_named_in_pages_exist(document: Path) -> None:
    named = set(COMMAND.findall(document.read_text(encoding="utf-8")))
    assert [name for name in named if not (ROOT / name).exists()] == []
