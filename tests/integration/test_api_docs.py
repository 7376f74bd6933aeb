"""docs/api.md: its examples are carried out, and it lists every code the API can answer."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

from tests.architecture.source import ROOT
from tests.serving import World

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(
    r"```http\n(?P<method>\w+) (?P<path>\S+)\n(?P<body>.*?)```\n```json\n(?P<answer>.*?)```", re.DOTALL
)
# Codes of key boxes, mails, payments, forms and signing in, which no operation of the API answers with.
ELSEWHERE = {
    "already_credited",
    "bad_credentials",
    "bad_energy",
    "box_fault",
    "box_locked",
    "code_not_released",
    "code_revoked",
    "device_unreachable",
    "file_missing",
    "immobilised",
    "key_present",
    "message_outdated",
    "no_key_box",
    "no_tariff",
    "password_length",
    "payment_in_progress",
    "percent_out_of_range",
    "slot_closed",
    "too_many_attempts",
    "wrong_code",
    "wrong_field",
}


async def test_the_examples_are_answered_as_written(world: World) -> None:
    examples = list(EXAMPLE.finditer(PAGE))
    assert len(examples) == 5
    for example in examples:
        body = json.loads(example["body"]) if example["body"] else None
        path = example["path"].removeprefix("/api/v1")
        answer = await world.api("driver").call(example["method"], path, json=body)
        shown: dict[str, Any] = json.loads(example["answer"])
        found = {**answer.json(), "status": answer.status_code}
        assert {name: found[name] for name in shown} == shown


def test_every_code_of_the_source_is_listed() -> None:
    listed = set(re.findall(r"`([a-z]+(?:_[a-z]+)*)`", PAGE))
    missing = codes_in(ROOT / "supervision") - listed - ELSEWHERE
    assert missing == set()


def codes_in(root: Path) -> set[str]:
    """Return the literal codes of `Refused(code)` and `ApiError(status, code)`, the demo left out."""
    found: set[str] = set()
    for path in root.rglob("*.py"):
        if "demo" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                place = {"Refused": 0, "ApiError": 1}.get(node.func.id)
                if place is not None and len(node.args) > place:
                    code = node.args[place]
                    if isinstance(code, ast.Constant):
                        found.add(str(code.value))
    return found
