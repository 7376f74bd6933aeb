"""Every translatable sentence of the portal, read from templates and sources as gettext tools would."""

from __future__ import annotations

from pathlib import Path

from babel.messages.extract import extract_from_dir

WEB = Path(__file__).parents[3] / "supervision" / "web"
METHODS = [("templates/**.html", "jinja2"), ("**.py", "python")]
KEYWORDS: dict[str, tuple[int, ...] | None] = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}


def messages() -> dict[str, str | None]:
    """Message id -> plural id (None without one)."""
    found: dict[str, str | None] = {}
    for _, _, message, _, _ in extract_from_dir(
        WEB,
        METHODS,
        options_map={"templates/**.html": {"silent": "false"}},
        keywords=KEYWORDS,
        comment_tags=(),
    ):
        singular, plural = (message[0], message[1]) if isinstance(message, tuple) else (message, None)
        found[singular] = plural
    return found
