"""The examples of docs/money.md are what the commands answer, and every tariff field is explained there."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

from supervision.billing.model import Tariff, Trip
from supervision.billing.quote import run as quote
from supervision.sharing.settle import run as settle

PAGE = (Path(__file__).parents[3] / "docs" / "money.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```json {kind}\n(.*?)```", PAGE, re.DOTALL)


def test_money_page_examples_are_real_answers() -> None:
    asked = [quote(text) for text in blocks("quote")] + [settle(text) for text in blocks("settle")]
    shown = blocks("quote-answer") + blocks("settle-answer")
    assert [json.loads(text) for text in asked] == [json.loads(text) for text in shown]
    assert len(shown) == 3


def test_money_page_explains_every_field_of_tariffs_and_trips() -> None:
    named = set(re.findall(r"`([a-z_]+)`", PAGE))
    assert {field.name for field in (*fields(Tariff), *fields(Trip))} - named == set()
