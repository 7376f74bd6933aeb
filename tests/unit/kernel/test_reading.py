"""Strict reading of JSON from outside."""

from __future__ import annotations

from decimal import Decimal

import pytest

from supervision.kernel.errors import FieldError
from supervision.kernel.reading import Fields, read_json


def test_read_json_keeps_decimals_exact() -> None:
    assert read_json('{"a": 0.1}') == {"a": Decimal("0.1")}


def test_fields_return_typed_values() -> None:
    read = Fields({"n": 2.0, "d": "0.25", "t": "x", "f": True, "l": [{"n": 1}]})
    assert (read.integer("n"), read.decimal("d"), read.text("t"), read.flag("f")) == (
        2,
        Decimal("0.25"),
        "x",
        True,
    )
    assert [child.integer("n") for child in read.children("l")] == [1]
    read.close()


@pytest.mark.parametrize("value", [True, "1", 1.5, 11, None, "1e3", [], float("inf"), float("nan")])
def test_integer_refuses_what_is_not_a_whole_number_within_the_bounds(value: object) -> None:
    with pytest.raises(FieldError, match=r"^\$\.n: "):
        Fields({"n": value}).integer("n", at_most=10)


@pytest.mark.parametrize("value", [True, "x", "NaN", "1e-999999999", "1e99", -1, None, {}])
def test_decimal_refuses_what_cannot_be_a_price(value: object) -> None:
    with pytest.raises(FieldError, match=r"^\$\.n: "):
        Fields({"n": value}).decimal("n")


def test_close_names_the_unknown_field() -> None:
    with pytest.raises(FieldError) as refused:
        Fields({"a": 1}, "$.x[0]").close()
    assert refused.value.path == "$.x[0].a"
