"""Frames in readable form: what a technician reads first, and nothing hostile can break."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import pytest

from supervision.web.views.frames import RawFrame, matches, readable
from tests.unit.web.samples import PARIS

AT = datetime(2026, 11, 21, 13, 20, tzinfo=UTC)


def frame(text: str, direction: Literal["in", "out"] = "in", number: int = 1) -> RawFrame:
    return RawFrame(id=number, at=AT, direction=direction, text=text)


@pytest.mark.parametrize(
    ("text", "kind", "action", "summary"),
    [
        (
            '[2,"1","StatusNotification",{"connectorId":1,"status":"Charging","errorCode":"NoError"}]',
            "call",
            "StatusNotification",
            "connectorId 1 · status Charging · errorCode NoError",
        ),
        (
            '[2,"2","MeterValues",{"connectorId":1,"meterValue":[{"timestamp":"t","sampledValue":'
            '[{"value":"7200","measurand":"Power.Active.Import","unit":"W"}]}]}]',
            "call",
            "MeterValues",
            "connectorId 1 · timestamp t · Power.Active.Import 7200 W",
        ),
        ('[4,"9","NotSupported","no",{}]', "error", "", "NotSupported: no"),
        ('[3,"9",{}]', "result", "", ""),
        ("not json", "other", "", ""),
        ("[" * 5000, "other", "", ""),
        ('{"a":1}', "other", "", ""),
    ],
)
def test_frame_reads_as_kind_action_and_facts(text: str, kind: str, action: str, summary: str) -> None:
    (line,) = readable([frame(text)], PARIS)
    assert (line.kind, line.action, line.summary, line.raw) == (kind, action, summary, text)
    assert line.at.hour == 14


def test_answer_gets_the_action_of_its_call_from_the_other_side() -> None:
    frames = [
        frame('[2,"7","Reset",{"type":"Soft"}]', "out", 1),
        frame('[2,"7","Heartbeat",{}]', "in", 2),
        frame('[3,"7",{"status":"Accepted"}]', "in", 3),
        frame('[3,"7",{"currentTime":"t"}]', "out", 4),
    ]
    assert [line.action for line in readable(frames, PARIS)] == ["Reset", "Heartbeat", "Reset", "Heartbeat"]


def test_filter_keeps_direction_action_or_errors() -> None:
    frames = [frame('[2,"7","Reset",{}]', "out"), frame('[4,"7","NotSupported","",{}]', "in")]
    lines = readable(frames, PARIS)
    assert [matches(line, action="", kind="error") for line in lines] == [False, True]
    assert [matches(line, action="Reset", kind="out") for line in lines] == [True, False]
    assert [matches(line, action="Heartbeat", kind="") for line in lines] == [False, False]


def test_long_payload_is_cut() -> None:
    many = ",".join(f'"k{number}":"{"v" * 100}"' for number in range(50))
    (line,) = readable([frame(f'[2,"1","DataTransfer",{{{many}}}]')], PARIS)
    assert line.summary.count("·") == 10
    assert len(line.summary) < 800
