"""How many cases are drawn, and that a slow transport gets fewer."""

from __future__ import annotations

import pytest

from conformance.properties import given
from conformance.properties import transfer_strategies as strategies
from conformance.verdict import Violation


class Implementation:
    """Whatever is tested: `given_case` only remembers by it."""


def drawn(broken_from=1 << 20):
    """Return the property of a transport that breaks each case from a given one on, and the cases it was asked for."""
    tried = []

    @given.given_case(strategies.plain())
    def prop(implementation, case):
        assert isinstance(implementation, Implementation)
        tried.append(case)
        if len(tried) > broken_from:
            raise Violation("broken", {}, case=case.as_json())

    return prop, tried


@pytest.mark.parametrize(("seconds", "count"), [(0.0, given._LEAST), (60.0, None)])
def test_where_cases_are_slow_there_are_fewer_and_some_in_any_case(monkeypatch, seconds, count):
    monkeypatch.setattr(given, "_EACH_S", seconds)
    prop, tried = drawn()
    prop(implementation=Implementation())
    assert len(tried) == count if count else len(tried) >= 6


def test_each_implementation_has_time_of_its_own(monkeypatch):
    monkeypatch.setattr(given, "_EACH_S", 0.0)
    prop, tried = drawn()
    for _ in range(2):
        prop(implementation=Implementation())
    assert len(tried) == 2 * given._LEAST


def test_what_breaks_before_time_is_up_is_told(monkeypatch):
    monkeypatch.setattr(given, "_EACH_S", 0.0)
    prop, _ = drawn(broken_from=given._LEAST - 1)
    with pytest.raises(Violation, match="broken"):
        prop(implementation=Implementation())
