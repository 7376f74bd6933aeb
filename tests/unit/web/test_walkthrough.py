"""The walkthrough shows only pictures that a test takes, and every one of them exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
SHOWN = set(re.findall(r"\(images/([a-z-]+)\.png\)", (ROOT / "docs/walkthrough.md").read_text()))


def test_pictures_of_the_walkthrough_are_taken_by_tests() -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests/e2e").glob("test_*.py"))
    taken = set(re.findall(r'shot\(\w+, "([a-z-]+)"\)', tests))
    assert taken == SHOWN


def test_pictures_of_the_walkthrough_exist_and_no_others() -> None:
    assert {path.stem for path in (ROOT / "docs/images").glob("*.png")} == SHOWN
