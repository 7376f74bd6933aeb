"""Jinja2 for the portal: one environment per language, autoescape on, undefined names are errors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from supervision.web import timeline
from supervision.web.i18n import LANGUAGES, Translator, translator
from supervision.web.i18n.bars import booking_text, window_text
from supervision.web.i18n.words import Words

FOLDER = Path(__file__).parent
FILTERS = (
    "clock",
    "clock_s",
    "day",
    "long_day",
    "short_day",
    "moment",
    "near",
    "relative_day",
    "ago",
    "duration",
    "number",
    "euros",
    "kw",
    "kwh",
    "kilo",
    "amps",
    "percent",
)


@cache
def icon(name: str, *, label: str = "") -> Markup:
    """A lucide icon of the vendored sprite; without a label it is decoration."""
    access = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    use = f'<use href="/static/vendor/lucide/sprite.svg#{name}"/>'
    return Markup(f'<svg class="icon" {access}>{use}</svg>')  # noqa: S704 - our own names, label escaped


@cache
def environment(language: str) -> Environment:
    """The environment of one language; its globals and filters speak it."""
    words = translator(language)
    env = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    env.filters |= {name: getattr(words, name) for name in FILTERS} | {"x": timeline.per_cent}
    env.globals |= _globals(words)
    return env


def _globals(words: Translator) -> dict[str, Any]:
    return {
        "_": words.gettext,
        "ngettext": words.ngettext,
        "span": words.span,
        "say": Words(words),
        "language": words.language,
        "languages": LANGUAGES,
        "icon": icon,
        "booking_text": partial(booking_text, words),
        "window_text": partial(window_text, words),
        "draw_lane": timeline.draw_lane,
        "draw_power": timeline.draw_power,
    }


@cache
def static_version() -> str:
    """Name our own static files by their content, so that browsers may keep them for ever."""
    names = ("app.css", "dark.css", "app.js")
    content = b"".join((FOLDER / "static" / name).read_bytes() for name in names)
    return hashlib.sha256(content).hexdigest()[:12]


def render(template: str, context: Mapping[str, object], *, language: str) -> str:
    """Render a whole page or a fragment."""
    return environment(language).get_template(template).render(context)


def render_part(template: str, macro: str, *args: object, language: str) -> str:
    """Render one macro of a template: the markup of the whole page, for fragments and live updates."""
    module = environment(language).get_template(template).module
    return str(getattr(module, macro)(*args))
