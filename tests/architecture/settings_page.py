"""Writes docs/settings.md from the table of settings: `script/settings-page`."""

from __future__ import annotations

import sys

from supervision.settings import describe

HEAD = """\
# Settings

Made by `script/settings-page` from the table in `supervision/settings.py`; a test fails when it is out of
date.

Each setting is read, the first that names it winning, from the command line (`serve --http 0.0.0.0:80`), from
the environment (`SUPERVISION_HTTP`), from the TOML file given with `--config` (`http = "0.0.0.0:80"`), else
it has its default.

| Name | Environment | Default | What it does |
|---|---|---|---|
"""


def page() -> str:
    """Return the whole page."""
    return HEAD + "".join(
        f"| `{name}` | `SUPERVISION_{name.upper()}` | {_shown(default)} | {text} |\n"
        for name, default, text in describe()
    )


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return "" if default == "" else f"`{default}`"


if __name__ == "__main__":
    sys.stdout.write(page())
