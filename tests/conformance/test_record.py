from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.record import FILE, Case, Recorder, by_requirement, read_cases
from conformance.verdict import ORDER, Verdict, worst
from suite.errors import BadInput


def case(**changes):
    fields = {
        "requirement": "ENV-001",
        "implementation": "mine",
        "case": "test_x[mine]",
        "verdict": "pass",
        "expected": False,
        "what": "",
        "example": None,
        "reproduce": "",
    }
    return Case(**(fields | changes))


def test_what_is_written_is_read_back(tmp_path):
    recorder = Recorder(tmp_path / "new")
    cases = [case(), case(verdict="fail", what="é\n", example={"environment": {"A": "\\xff"}})]
    for one in cases:
        recorder.add(one)
    recorder.close()
    recorder.close()
    assert read_cases(tmp_path / "new" / FILE) == cases


def test_an_old_record_is_not_written_over(tmp_path):
    Recorder(tmp_path).close()
    with pytest.raises(BadInput, match="cannot write"):
        Recorder(tmp_path)


@given(st.lists(st.sampled_from(Verdict), min_size=1))
def test_verdicts_only_rise(verdicts):
    """A skip never hides a failure, and an error is above all: it means that nothing can be said."""
    assert worst(verdicts) in verdicts
    assert all(ORDER.index(one) <= ORDER.index(worst(verdicts)) for one in verdicts)


def test_cases_are_put_together_by_requirement_and_implementation():
    cases = [case(), case(verdict="warn"), case(requirement="ENV-002"), case(implementation="other", verdict="error")]
    found = {key: verdict.value for key, (verdict, _) in by_requirement(cases).items()}
    assert found == {("ENV-001", "mine"): "warn", ("ENV-001", "other"): "error", ("ENV-002", "mine"): "pass"}


@given(st.binary(max_size=200))
def test_any_file_is_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("record") / FILE
    path.write_bytes(data)
    with pytest.raises(BadInput):
        read_cases(path)


def test_a_line_that_is_no_case_is_named(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.close()
    header, footer = (tmp_path / FILE).read_text().splitlines()
    wrong = json.dumps({"kind": "case", "schema": 1, "verdict": "pass"})
    (tmp_path / FILE).write_text("\n".join([header, wrong, footer]))
    with pytest.raises(BadInput, match=f"{FILE}:2"):
        read_cases(tmp_path / FILE)


@pytest.mark.parametrize(
    "changes",
    [
        {"requirement": {}},
        {"implementation": ["a"]},
        {"what": 3},
        {"expected": "yes"},
        {"example": [1]},
        {"note": None},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_case_with_a_value_of_another_type_is_named(tmp_path, changes):
    recorder = Recorder(tmp_path)
    recorder.add(case())
    recorder.close()
    header, good, footer = (tmp_path / FILE).read_text().splitlines()
    (tmp_path / FILE).write_text("\n".join([header, json.dumps(json.loads(good) | changes), footer]))
    with pytest.raises(BadInput, match=f"{FILE}:2: not a case"):
        read_cases(tmp_path / FILE)
