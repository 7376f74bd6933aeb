"""The ledger of mutation names what there is."""

from __future__ import annotations

import pytest

from tests.mutation import ledger
from tests.mutation.ledger import ROOT, Entry

LEDGER = ledger.read()


@pytest.mark.parametrize("entry", LEDGER.values(), ids=LEDGER)
def test_module_and_tests_are_there(entry: Entry) -> None:
    assert [name for name in (entry.path, *entry.tests) if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("entry", LEDGER.values(), ids=LEDGER)
def test_an_equivalent_mutant_is_of_a_line_that_stands_there_and_has_its_reason(entry: Entry) -> None:
    source = " ".join((ROOT / entry.path).read_text(encoding="utf-8").split())
    for one in entry.equivalents:
        assert one.was in source
        assert one.now not in source
        assert len(one.why) >= 20
