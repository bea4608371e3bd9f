"""An expectation is met by exactly the violation that it names, and what is printed to be pasted covers all that fails."""

from __future__ import annotations

import tomllib

import pytest

from conformance.expectations import Expectation, Expectations
from conformance.record import Case
from conformance.verdict import Verdict

WARN = Expectation("ENV-020", Verdict.WARN, "it panics", implementation="a")
FAIL = Expectation("ENV-020", Verdict.FAIL, "it panics", implementation="a")


def case(verdict, *, expected, implementation="a"):
    return Case("ENV-020", implementation, "test_x", verdict, expected, "the process ended", None, "")


@pytest.mark.parametrize("name", ["", "a"])
def test_a_warn_that_was_foreseen_is_met(name):
    one = Expectations((Expectation("ENV-020", Verdict.WARN, "it panics", implementation=name),))
    assert one.foresees("a", "ENV-020", Verdict.WARN)
    assert one.unmet([case("warn", expected=True), case("pass", expected=False)]) == []


def test_an_entry_with_the_wrong_verdict_is_unmet_beside_the_right_one():
    [told] = Expectations((WARN, FAIL)).unmet([case("warn", expected=True)])
    assert "was expected to fail" in told


def test_an_entry_about_an_implementation_that_is_not_under_test_is_passed_over():
    assert Expectations((WARN,)).unmet([case("pass", expected=False, implementation="b")]) == []


def test_what_can_be_pasted_is_what_fails():
    cases = [case("warn", expected=False)]
    assert Expectations().block(cases) == ""
    assert tomllib.loads(Expectations().block(cases, strict=True))["expect"] == [
        {"id": "ENV-020", "verdict": "warn", "implementation": "a", "reason": "the process ended"}
    ]
    assert Expectations().block([case("warn", expected=True)], strict=True) == ""
