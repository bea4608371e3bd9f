"""The conformance matrix in the page: evidence in every cell, and hostile implementations kept as text."""

from __future__ import annotations

import json

import pytest

from conformance.record import FILE, Case, Recorder
from conformance.verdict import Verdict
from reports.data import report_data
from reports.formats.html import render
from reports.sections.conformance import matrix
from reports.writing import write_report
from suite.errors import BadInput
from suite.run import manifest

BROKEN = {"environment": {"DYN_KVBM_NIXL_BACKEND_UCX": "y"}}


def case(requirement="ENV-001", implementation="mine", verdict="pass", **changes):
    broken = verdict in {"fail", "warn"}
    fields = {
        "case": f"test_x[{implementation}]",
        "expected": False,
        "what": "it is wrong" if broken else "",
        "example": BROKEN if broken else None,
        "reproduce": "env A=B kvgauge conform mine" if broken else "",
    }
    return Case(requirement, implementation, verdict=verdict, **(fields | changes))


def test_cells_stand_for_all_their_cases():
    """The worst case wins, and what it says is the cell's."""
    found = matrix([case(verdict="pass"), case(verdict="fail"), case(verdict="pass")])
    [row] = found.rows
    [cell] = row.cells
    assert (cell.verdict, cell.what, json.loads(cell.example)) == ("fail", "it is wrong", BROKEN)
    assert found.sentences == ("mine: breaks a MUST in ENV-001.",)


def test_those_with_fewest_problems_come_first():
    found = matrix(
        [case(implementation="a", verdict="fail"), case(implementation="b"), case(implementation="c", verdict="warn")]
    )
    assert found.implementations == ("b", "c", "a")
    assert found.sentences[0] == "b keeps all that was tested: 1 requirements."


def test_what_does_not_concern_an_implementation_is_not_a_verdict():
    found = matrix([case("ENV-001", "a"), case("ENV-002", "b")])
    assert [[cell is None for cell in row.cells] for row in found.rows] == [[False, True], [True, False]]


def test_an_expected_failure_says_so():
    page = render(report_data({}, [], [], conformance=matrix([case(verdict="fail", expected=True)])))
    assert "fail (expected)" in page


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_is_a_word_and_a_glyph(verdict):
    page = render(report_data({}, [], [], conformance=matrix([case(verdict=verdict.value)])))
    assert f'class="v-{verdict}"' in page
    assert f" {verdict.value}" in page


@pytest.mark.parametrize("text", ["</script><script>alert(1)</script>", '"><img src=x>', "\x1b[31m", "\u202e"])
def test_foreign_text_stays_text(text):
    """Names, findings, examples and lines come from elsewhere."""
    foreign = case(
        implementation=text, verdict="fail", what=text, reproduce=text, example={"environment": {text: text}}
    )
    page = render(report_data({}, [], [], conformance=matrix([foreign])))
    assert text not in page


def test_a_page_of_conformance_alone_has_no_empty_figures(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.add(case(verdict="fail"))
    recorder.close()
    begun = manifest.begin(seed=0, spec={}, settings={})
    (tmp_path / "manifest.json").write_text(json.dumps(manifest.end(begun, complete=True)))
    page = write_report(tmp_path).read_text("utf-8")
    assert 'id="conformance"' in page
    assert 'id="throughput"' not in page
    assert "breaks a MUST in ENV-001" in page
    assert "not complete" not in page


@pytest.mark.parametrize("damage", ["footer", "half a line", "newer", "not ours"])
def test_a_damaged_record_is_a_message_not_half_a_report(tmp_path, damage):
    recorder = Recorder(tmp_path)
    recorder.add(case())
    recorder.close()
    (tmp_path / "manifest.json").write_text(json.dumps(manifest.begin(seed=0, spec={}, settings={})))
    record = tmp_path / FILE
    lines = record.read_text().splitlines()
    record.write_text(
        {
            "footer": "\n".join(lines[:-1]),
            "half a line": "\n".join(lines)[:-5],
            "newer": "\n".join(lines).replace('"schema":1', '"schema":2'),
            "not ours": "hello\n",
        }[damage]
    )
    with pytest.raises(BadInput, match=FILE):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()
