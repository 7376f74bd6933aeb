"""Every page renders in both languages, without inline style or script, from sound view models alone."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from supervision.web import rendering
from supervision.web.shell import Viewer
from tests.unit.web.driver_samples import PAGES
from tests.unit.web.samples import shell

WEB = Path(rendering.__file__).parent
SPRITE = set(re.findall(r'symbol id="([a-z0-9-]+)"', (WEB / "static/vendor/lucide/sprite.svg").read_text()))


def page(name: str, language: str = "fr") -> str:
    template, viewer, path, view = PAGES[name]
    return rendering.render(template, {"shell": shell(path, viewer), "view": view}, language=language)


class Inspector(HTMLParser):
    """Collects what the content security policy would block, ids, and forms without a token."""

    def __init__(self) -> None:
        super().__init__()
        self.blocked: list[str] = []
        self.ids: list[str] = []
        self.forms: list[str] = []
        self.tokens = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.blocked += [f"{tag} {name}" for name in given if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and not given.get("src")):
            self.blocked.append(tag)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if tag == "form" and given.get("method") == "post":
            self.forms.append(str(given["action"]))
        if tag == "input" and given.get("name") == "csrf":
            self.tokens += 1


def inspected(text: str) -> Inspector:
    inspector = Inspector()
    inspector.feed(text)
    return inspector


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("name", PAGES)
def test_page_has_nothing_inline_no_double_id_and_a_token_in_every_form(name: str, language: str) -> None:
    found = inspected(page(name, language))
    assert found.blocked == []
    assert sorted(found.ids) == sorted(set(found.ids))
    assert found.tokens == len(found.forms)


@pytest.mark.parametrize("name", PAGES)
def test_page_asks_no_third_party(name: str) -> None:
    assert re.findall(r'(?:src|href|action)="(?:https?:)?//[^"]+"', page(name)) == []


@pytest.mark.parametrize("name", PAGES)
def test_page_uses_only_icons_of_the_sprite(name: str) -> None:
    assert set(re.findall(r'sprite\.svg#([a-z0-9-]+)"', page(name))) <= SPRITE


def test_every_icon_of_the_sprite_is_used_somewhere() -> None:
    sources = "".join(path.read_text() for path in [*WEB.glob("templates/*.html"), WEB / "shell.py"])
    assert {name for name in SPRITE if not re.search(rf"""['"]{name}['"]""", sources)} == set()


def test_booking_page_shows_the_code_in_groups_of_four() -> None:
    assert "<span>4821</span> <span>9037</span>" in page("booking")
    assert "4821" not in page("booking-waiting")


def test_text_from_people_is_escaped() -> None:
    template, _, path, view = PAGES["invoices"]
    hostile = shell(path, Viewer(name="<script>x</script>", email="x", manages=False, drives=True))
    text = rendering.render(template, {"shell": hostile, "view": view}, language="en")
    assert "&lt;script&gt;x&lt;/script&gt;" in text


def test_htmx_and_its_extension_are_not_deferred() -> None:
    """A deferred htmx may start before its extension is there; the page then never connects."""
    assert re.findall(r'<script src="/static/vendor/[^"]+"( defer)?>', page("supervision")) == ["", ""]
