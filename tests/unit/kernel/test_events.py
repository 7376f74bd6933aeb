from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

import pytest

from supervision.kernel import events
from supervision.kernel.events import BookingMade, BookingMoved, Event, event_from

KINDS = [
    kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
]


def example(kind: type[Event]) -> Event:
    """Make an event of a kind with a value of the right type in each field."""
    examples: dict[Any, Any] = {str: "x", int: 7}
    hints = get_type_hints(kind)
    given: dict[str, Any] = {
        item.name: examples.get(hints[item.name]) for item in fields(kind) if item.default is MISSING
    }
    return kind(**given)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_event_survives_the_way_through_json(kind: type[Event]) -> None:
    happened = example(kind)
    assert event_from(kind.name, json.loads(json.dumps(happened.payload()))) == happened


def test_event_is_known_by_its_class_name() -> None:
    assert (BookingMade.name, BookingMoved.name) == ("BookingMade", "BookingMoved")


def test_field_of_a_newer_version_is_ignored() -> None:
    payload = {
        "organisation_id": "org",
        "booking_id": "b",
        "vehicle_id": "v",
        "station_id": "s",
        "colour": "red",
    }
    assert event_from("BookingMade", payload) == BookingMade(
        organisation_id="org", booking_id="b", vehicle_id="v", station_id="s"
    )


def test_unknown_event_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        event_from("NeverHeard", {})
