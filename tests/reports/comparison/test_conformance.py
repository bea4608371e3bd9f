"""Verdicts of several runs side by side: what is new, fixed, the same."""

from __future__ import annotations

import pytest

from reports.comparison.conformance import MOST_COLUMNS, side_by_side


def test_one_run_with_verdicts_has_nothing_beside_it(made, case):
    assert side_by_side([made("a", cases=(case(),)), made("b")], ["a", "b"]) is None


@pytest.mark.parametrize(
    ("verdicts", "change", "word"),
    [
        (("pass", "fail"), "new", "new: was pass"),
        (("info", "warn"), "new", "new: was info"),
        (("pass", "error"), "new", "new: was pass"),
        (("fail", "pass"), "fixed", "fixed: was fail"),
        (("fail", "warn"), "changed", "was fail"),
        (("fail", "skip"), "changed", "was fail"),  # not tried is not fixed
        (("fail", "fail"), "same", ""),
    ],
)
def test_a_change_is_marked_and_only_what_changed_is_open(made, case, verdicts, change, word):
    runs = [
        made(name, cases=(case(verdict=verdict), case("ENV-002"))) for name, verdict in zip("ab", verdicts, strict=True)
    ]
    found = side_by_side(runs, ["a", "b"])
    changed = found.differing + found.equal if change == "same" else found.differing
    cell = changed[0].cells[1]
    assert (changed[0].id, cell.change, cell.word) == ("ENV-001", change, word)
    assert [row.id for row in found.equal] == (["ENV-001", "ENV-002"] if change == "same" else ["ENV-002"])


def test_an_expectation_that_changed_is_a_change(made, case):
    runs = [made(str(known), cases=(case(verdict="fail", expected=known),)) for known in (False, True)]
    [row] = side_by_side(runs, ["a", "b"]).differing
    assert row.cells[1].word == "was not expected"


def test_a_requirement_that_one_run_did_not_test_is_said_so(made, case):
    runs = [made("a", cases=(case(), case("ENV-002"))), made("b", cases=(case(), case("ENV-003")))]
    words = {row.id: row.cells[1].word for row in side_by_side(runs, ["a", "b"]).differing}
    assert words == {"ENV-002": "no longer tested", "ENV-003": "not tested before"}


def test_runs_of_one_implementation_stand_side_by_side_and_changes_come_first(made, case):
    one = (case(implementation="fine"), case(implementation="bad", verdict="fail"), case(implementation="only a"))
    two = (case(implementation="fine"), case(implementation="bad"))
    found = side_by_side([made("a", cases=one), made("b", cases=two)], ["a", "b"])
    assert found.heads == (("bad", 2), ("fine", 2), ("only a", 1))
    assert [(column.implementation, column.run, column.first) for column in found.columns[:2]] == [
        ("bad", "a", True),
        ("bad", "b", False),
    ]
    assert found.sentences == (
        "bad, b beside a: fixed: ENV-001; 0 verdicts the same.",
        "No verdict changed from run to run: fine.",
    )


def test_different_implementations_are_compared_with_each_other(made, case):
    runs = [
        made("a", cases=(case(implementation="x"), case("ENV-002", implementation="x"))),
        made("b", cases=(case(implementation="y", verdict="fail"), case("ENV-002", implementation="y"))),
    ]
    found = side_by_side(runs, ["a", "b"])
    assert not found.shared
    assert [row.id for row in found.differing] == ["ENV-001"]
    assert "side by side" in found.sentences[0]


def test_columns_are_bounded_and_what_is_left_out_is_counted(made, case):
    cases = tuple(case(implementation=f"i{number:03}") for number in range(100))
    found = side_by_side([made("a", cases=cases), made("b", cases=cases)], ["a", "b"])
    assert len(found.columns) == MOST_COLUMNS
    assert found.left_out == 200 - MOST_COLUMNS
