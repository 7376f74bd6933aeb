"""Where a relay may dial: table of addresses."""

from __future__ import annotations

import pytest

from supervision.csms.relay.target import is_identity, named_hosts, read_target, refuse_target
from supervision.kernel.errors import Refused

HOSTS = named_hosts(" ocpp.example.org, Backup.example:9001 ,, [2001:db8::1]")


def test_hosts_of_the_operator_are_read_without_case_and_spaces() -> None:
    assert frozenset({"ocpp.example.org", "backup.example:9001", "[2001:db8::1]"}) == HOSTS


@pytest.mark.parametrize(
    ("url", "spelt"),
    [
        ("wss://ocpp.example.org/ocpp/", "wss://ocpp.example.org:443/ocpp"),
        ("WSS://OCPP.Example.ORG/Ocpp", "wss://ocpp.example.org:443/Ocpp"),
        ("ws://backup.example:9001", "ws://backup.example:9001"),
        (" wss://[2001:DB8::1]:9000/a/b ", "wss://[2001:db8::1]:9000/a/b"),
    ],
)
def test_address_on_the_list_is_dialled_in_one_spelling(url: str, spelt: str) -> None:
    target = read_target(url)
    assert target is not None
    assert target.url == spelt
    assert refuse_target(url, HOSTS) is None
    assert read_target(target.url) == target


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ocpp.example.org",
        "http://ocpp.example.org/",
        "file:///etc/passwd",
        "wss://user@ocpp.example.org/",
        "wss://user:secret@ocpp.example.org/",
        "wss://ocpp.example.org/?a=b",
        "wss://ocpp.example.org/#a",
        "wss://ocpp.example.org/a b",
        "wss://ocpp.example.org//double",
        "wss://ocpp.example.org/%2e%2e",
        "wss://ocpp.example.org/../up",
        "wss://ocpp.example.org:99999/",
        "wss://ocpp.example.org:0/",
        "wss://ocpp.example.org\\@other.example/",
        "wss://ocpp.example.org\r\nHost: other.example",
        "wss://-ocpp.example.org/",
        "wss://öcpp.example.org/",
        "wss://ocpp.example.org/" + "a" * 500,
    ],
)
def test_address_that_could_mean_two_things_is_none(url: str) -> None:
    assert read_target(url) is None
    assert refuse_target(url, HOSTS) == Refused("relay_url")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("wss://other.example/", "other.example"),
        ("wss://ocpp.example.org.other.example/", "ocpp.example.org.other.example"),
        ("ws://backup.example:9002/", "backup.example"),
        ("ws://127.0.0.1:9000/", "127.0.0.1"),
        ("ws://[::1]:9000/", "[::1]"),
    ],
)
def test_host_that_the_operator_has_not_named_is_refused(url: str, host: str) -> None:
    assert refuse_target(url, HOSTS) == Refused("relay_host", {"host": host})


def test_empty_list_turns_relays_off() -> None:
    assert refuse_target("wss://ocpp.example.org/", named_hosts("")) == Refused("relay_off")


@pytest.mark.parametrize(
    ("name", "usable"),
    [
        ("CP16", True),
        ("FR*ABC*E1", True),
        ("a" * 48, True),
        ("a" * 49, False),
        ("", False),
        ("..", False),
        ("with:colon", False),
        ("a/b", False),
    ],
)
def test_identity_stands_in_an_address_and_before_a_colon(name: str, usable: bool) -> None:
    assert is_identity(name) is usable
