from __future__ import annotations

from typing import Any

import pytest

from supervision.csms.parts import joined, learnt, limit_of, split


def told(action: str, value: Any, component: str = "DeviceDataCtrlr", **more: Any) -> dict[str, Any]:
    return {
        "component": {"name": component},
        "variable": {"name": "ItemsPerMessage", "instance": action},
        "attributeStatus": "Accepted",
        "attributeValue": value,
        **more,
    }


@pytest.mark.parametrize(
    ("count", "limit", "sizes"),
    [(5, 4, [4, 1]), (4, 4, [4]), (9, 3, [3, 3, 3]), (3, 1, [1, 1, 1]), (50, None, [50])],
)
def test_a_list_is_split_as_the_station_takes_it(count: int, limit: int | None, sizes: list[int]) -> None:
    payload = {"getVariableData": list(range(count)), "customData": {"vendorId": "x"}}
    found = split("GetVariables", payload, limit)
    assert [len(part["getVariableData"]) for part in found] == sizes
    assert [item for part in found for item in part["getVariableData"]] == list(range(count))
    assert all(part["customData"] == {"vendorId": "x"} for part in found)


@pytest.mark.parametrize(
    ("action", "payload"),
    [("Reset", {"type": "Soft"}), ("SetVariables", {}), ("SetVariables", {"setVariableData": "x"})],
)
def test_what_has_no_list_goes_as_it_is(action: str, payload: dict[str, Any]) -> None:
    assert split(action, payload, 1) == (payload,)


def test_the_answers_become_one() -> None:
    parts: list[dict[str, Any]] = [
        {"clearMonitoringResult": [1, 2], "customData": {}},
        {"clearMonitoringResult": [3]},
        {},
    ]
    assert joined("ClearVariableMonitoring", parts) == {"clearMonitoringResult": [1, 2, 3], "customData": {}}
    assert joined("ClearVariableMonitoring", parts[:1]) == parts[0]
    assert joined("Reset", [{"status": "Accepted"}]) == {"status": "Accepted"}
    assert joined("SetVariables", []) is None


@pytest.mark.parametrize(
    ("capabilities", "limit"),
    [
        ({}, None),
        ({"items_per_message": {"GetVariables": 4}}, 4),
        ({"items_per_message": {"SetVariables": 4}}, None),
        ({"variables": {"DeviceDataCtrlr.ItemsPerMessage[GetVariables]": "7"}}, 7),
        ({"variables": {"DeviceDataCtrlr.ItemsPerMessage": "9"}}, 9),
        (
            {
                "items_per_message": {"GetVariables": 2},
                "variables": {"DeviceDataCtrlr.ItemsPerMessage[GetVariables]": "7"},
            },
            2,
        ),
        ({"items_per_message": {"GetVariables": 0}}, None),
        ({"variables": {"DeviceDataCtrlr.ItemsPerMessage": "many"}}, None),
        ({"items_per_message": None, "variables": None}, None),
    ],
)
def test_the_limit_is_what_the_station_told(capabilities: dict[str, Any], limit: int | None) -> None:
    assert limit_of("GetVariables", capabilities) == limit


def test_a_message_without_a_limit_has_none() -> None:
    assert limit_of("Reset", {"items_per_message": {"Reset": 1}}) is None


def test_the_keys_of_1_6_go_in_parts_of_their_own_maximum() -> None:
    read = {"configurationKey": [{"key": "getConfigurationMaxKeys", "readonly": True, "value": "2"}, None]}
    assert learnt("GetConfiguration", read) == {"GetConfiguration": 2}
    assert learnt("GetConfiguration", {"configurationKey": [{"key": "A", "value": "2"}]}) == {}
    limit = limit_of("GetConfiguration", {"items_per_message": {"GetConfiguration": 2}})
    assert split("GetConfiguration", {"key": ["A", "B", "C"]}, limit) == ({"key": ["A", "B"]}, {"key": ["C"]})
    assert split("GetConfiguration", {}, limit) == ({},)  # all of them: the station's own choice
    answers: list[dict[str, Any]] = [
        {"configurationKey": [{"key": "A"}], "unknownKey": ["B"]},
        {"configurationKey": [{"key": "C"}]},
    ]
    assert joined("GetConfiguration", answers) == {
        "configurationKey": [{"key": "A"}, {"key": "C"}],
        "unknownKey": ["B"],
    }
    assert joined("GetConfiguration", [{"unknownKey": ["A"]}, {}]) == {"unknownKey": ["A"]}


def test_limits_are_learnt_from_what_is_read() -> None:
    results = [
        told("GetVariables", "4"),
        told("SetVariables", "5", attributeType="Actual"),
        told("SetVariableMonitoring", "6", component="MonitoringCtrlr"),
        told("ClearVariableMonitoring", "7"),  # another component's
        told("GetReport", "8"),  # no message of ours has it
        told("SetVariables", "9", attributeType="MaxSet"),
        told("SetVariables", "x"),
        {**told("SetVariables", "3"), "attributeStatus": "Rejected"},
        None,
        {},
    ]
    assert learnt("GetVariables", {"getVariableResult": results}) == {
        "GetVariables": 4,
        "SetVariables": 5,
        "SetVariableMonitoring": 6,
    }
    assert learnt("SetVariables", {"getVariableResult": results}) == {}
    assert learnt("GetVariables", None) == {}
