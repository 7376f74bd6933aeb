"""Which settings are wished for a station, how they compare, how they are said in both versions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supervision.csms import desired
from supervision.csms.desired import (
    ConfigurationState,
    Found,
    Item,
    ItemState,
    StationKind,
    Wish,
    judge,
    same_value,
)
from supervision.csms.standard_settings import STANDARD

KIND = StationKind(identity="CP16", ocpp="1.6", vendor="Maker", model="M1", firmware="1.4.2")
NAME = "ConnectionTimeOut"


def wish(value: str | None = "60", **scope: str) -> Wish:
    return replace(Wish(ocpp="1.6", name=NAME, value=value), **scope)


def resolved(*wishes: Wish) -> list[str | None]:
    return [one.value for one in desired.resolve(wishes, KIND)]


@pytest.mark.parametrize(
    "scope",
    [
        {"vendor": "maker "},
        {"vendor": "Maker", "model": "m1"},
        {"vendor": "Maker", "model": "M1", "firmware": "1.4"},
        {"charging_station": "CP16"},
    ],
)
def test_more_precise_wish_wins_whatever_the_order(scope: dict[str, str]) -> None:
    assert resolved(wish(), wish("90", **scope)) == resolved(wish("90", **scope), wish()) == ["90"]


def test_precision_goes_from_all_to_the_very_station() -> None:
    ladder = [
        wish("1"),
        wish("2", vendor="Maker"),
        wish("3", vendor="Maker", model="M1"),
        wish("4", vendor="Maker", model="M1", firmware="1."),
        wish("5", vendor="Maker", model="M1", firmware="1.4"),
        wish("6", charging_station="CP16"),
    ]
    assert [resolved(*ladder[:count]) for count in range(1, 7)] == [[str(n)] for n in range(1, 7)]


@pytest.mark.parametrize(
    "scope",
    [
        {"vendor": "Other"},
        {"model": "M2"},
        {"firmware": "1.5"},
        {"charging_station": "CP17"},
        {"ocpp": "2.0.1"},
    ],
)
def test_wish_for_others_is_none(scope: dict[str, str]) -> None:
    assert resolved(wish("60", **scope)) == []


def test_station_can_be_left_as_it_is() -> None:
    assert resolved(wish("60"), wish(None, charging_station="CP16")) == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("60", "60"),
        ("60", " 60.0 "),
        ("true", "True"),
        ("a,b", "B, a"),
        ("a,b", "a,b,"),
        ("Energy.Active.Import.Register", '"Energy.Active.Import.Register"'),
        ("", ""),
    ],
)
def test_values_are_equal_as_stations_mean_it(wanted: str, found: str) -> None:
    assert same_value(wanted, found)
    assert same_value(found, wanted)


@pytest.mark.parametrize(
    ("wanted", "found"), [("60", "61"), ("true", "1"), ("a,b", "a"), ("a", "a,b"), ("", "x"), ("NaN", "0")]
)
def test_values_that_differ(wanted: str, found: str) -> None:
    assert not same_value(wanted, found)
    assert not same_value(found, wanted)


def test_nothing_found_equals_nothing() -> None:
    assert not same_value("", None)


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (None, ItemState.UNKNOWN),
        (Found(value="60", read_only=True), ItemState.OK),
        (Found(value="90", read_only=True), ItemState.READ_ONLY),
        (Found(value="90"), ItemState.DIFFERS),
        (Found(value=None), ItemState.DIFFERS),
    ],
)
def test_setting_is_judged_by_what_was_read(found: Found | None, state: ItemState) -> None:
    assert judge(wish("60"), found).state is state


def test_part_of_a_list_that_the_station_takes_is_not_fought_over() -> None:
    before = Item(name=NAME, wanted="a,b", found="a", state=ItemState.PARTLY, tried="a")
    assert judge(wish("a,b"), Found(value="a"), before).state is ItemState.PARTLY
    assert judge(wish("a,c"), Found(value="a"), before).state is ItemState.DIFFERS
    assert judge(wish("a,b"), Found(value="x"), before).state is ItemState.DIFFERS


@pytest.mark.parametrize("state", [ItemState.REFUSED, ItemState.IGNORED, ItemState.REBOOT_REQUIRED])
def test_look_keeps_why_a_setting_differs(state: ItemState) -> None:
    before = Item(name=NAME, wanted="60", found="90", state=state)
    now = Item(name=NAME, wanted="60", found="90", state=ItemState.DIFFERS)
    moved = Item(name=NAME, wanted="60", found="91", state=ItemState.DIFFERS)
    assert desired.looked_at(now, before).state is state
    assert desired.looked_at(moved, before).state is ItemState.DIFFERS


def test_list_is_what_has_more_than_one_member() -> None:
    values = ("a,b,c", " a ,, b ", "a", "")
    assert [desired.list_members(value) for value in values] == [["a", "b", "c"], ["a", "b"], [], []]


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ([], ConfigurationState.IN_SYNC),
        (["ok", "unknown", "partly"], ConfigurationState.IN_SYNC),
        (["ok", "differs"], ConfigurationState.DRIFT),
        (["read_only"], ConfigurationState.DRIFT),
        (["refused"], ConfigurationState.DRIFT),
        (["ignored"], ConfigurationState.DRIFT),
        (["differs", "reboot_required"], ConfigurationState.REBOOT_REQUIRED),
    ],
)
def test_station_stands_as_its_settings(states: list[str], state: ConfigurationState) -> None:
    items = [Item(name="x", wanted="", found=None, state=ItemState(word)) for word in states]
    assert desired.overall(items) is state


@pytest.mark.parametrize(
    "name",
    [
        "AuthorizationKey",
        "SecurityCtrlr.BasicAuthPassword",
        "BasicAuthPassword",
        "VendorPassword",
        "Wifi.Passphrase",
    ],
)
def test_secrets_are_known_by_their_names(name: str) -> None:
    assert desired.is_secret(name)


@pytest.mark.parametrize("one", STANDARD, ids=lambda one: one.name)
def test_standard_set_is_well_formed_with_a_reason_and_no_secret(one: Wish) -> None:
    assert desired.is_name(one.ocpp, one.name)
    assert not desired.is_secret(one.name)
    assert len(one.reason) > 20
    assert one.value


def test_standard_set_wishes_each_setting_once() -> None:
    names = [(one.ocpp, one.name.casefold()) for one in STANDARD]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize(
    ("ocpp", "name", "good"),
    [
        ("1.6", "HeartbeatInterval", True),
        ("1.6", "two words", False),
        ("1.6", "x" * 51, False),
        ("2.0.1", "TxCtrlr.EVConnectionTimeOut", True),
        ("2.0.1", "OCPPCommCtrlr.MessageAttempts[TransactionEvent]", True),
        ("2.0.1", "Connector[1].Available", True),
        ("2.0.1", "TxCtrlr", False),
        ("2.0.1", "A.B.C", False),
    ],
)
def test_names_are_those_of_the_version(ocpp: str, name: str, good: bool) -> None:
    assert desired.is_name(ocpp, name) is good


def test_wire_of_1_6() -> None:
    assert desired.read_call("1.6", ["A", "B"]) == ("GetConfiguration", {"key": ["A", "B"]})
    response = {
        "configurationKey": [{"key": "a", "readonly": True, "value": "1"}, {"key": "B", "readonly": False}],
        "unknownKey": ["C"],
    }
    assert desired.read_result("1.6", ["A", "B", "C"], response) == {
        "A": Found(value="1", read_only=True),
        "B": Found(value=None),
    }
    assert desired.write_call("1.6", [("A", "2")]) == ("ChangeConfiguration", {"key": "A", "value": "2"})
    told = [
        desired.write_result("1.6", ["A"], {"status": word})["A"]
        for word in ("Accepted", "RebootRequired", "NotSupported", "Rejected", "")
    ]
    assert told == [
        ItemState.OK,
        ItemState.REBOOT_REQUIRED,
        ItemState.UNKNOWN,
        ItemState.REFUSED,
        ItemState.REFUSED,
    ]


def test_wire_of_2_0_1() -> None:
    name = "OCPPCommCtrlr.MessageAttempts[TransactionEvent]"
    place = {
        "component": {"name": "OCPPCommCtrlr"},
        "variable": {"name": "MessageAttempts", "instance": "TransactionEvent"},
    }
    other = {"component": {"name": "C", "instance": "1"}, "variable": {"name": "V"}}
    assert desired.read_call("2.0.1", [name, "C[1].V"]) == (
        "GetVariables",
        {"getVariableData": [place, other]},
    )
    results = [
        {**place, "attributeStatus": "Accepted", "attributeValue": "3"},
        {**other, "attributeStatus": "UnknownComponent"},
    ]
    assert desired.read_result("2.0.1", [name, "C[1].V"], {"getVariableResult": results}) == {
        name: Found(value="3")
    }
    assert desired.write_call("2.0.1", [(name, "10")]) == (
        "SetVariables",
        {"setVariableData": [{"attributeValue": "10", **place}]},
    )
    written = [{**place, "attributeStatus": "RebootRequired"}]
    assert desired.write_result("2.0.1", [name, "C[1].V"], {"setVariableResult": written}) == {
        name: ItemState.REBOOT_REQUIRED,
        "C[1].V": ItemState.REFUSED,
    }


@pytest.mark.parametrize(
    ("found", "limit"),
    [
        (None, 10),
        (Found(value="4"), 4),
        (Found(value="0"), 1),
        (Found(value="5000"), 50),
        (Found(value="many"), 10),
        (Found(value=None), 10),
    ],
)
def test_items_of_a_message_are_bounded(found: Found | None, limit: int) -> None:
    assert desired.limit_in(found) == limit
