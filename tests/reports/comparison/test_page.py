"""The comparison as a page: held to everything that is true of every report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perf.record import Issue
from perf.summary import Interval
from reports.comparison.data import comparison
from reports.comparison.page import render
from tests.reports.formats.test_html import ATTACKS, HOSTILE, checked

if TYPE_CHECKING:
    from perf.summary import PointSummary
    from reports.recorded import Run


def test_two_runs_are_a_page_with_its_sections(made, summaries, case):
    summaries = few(summaries)
    runs = [
        made("a", summaries, (case(),), ["a note"]),
        made("b", summaries[:-1], (case(verdict="fail"),), complete=False),
    ]
    page = checked(render(comparison(runs)))
    names = ["verdict", "runs", "conformance", "throughput", "points", "alone", "differs", "reading"]
    assert [identity for identity in page.ids if identity in names] == names
    assert page.tags["figure"] == page.attributes.count(("svg", "role", "img")) == page.tags["desc"]
    assert "a: a note" in page.text
    assert page.text.index("Not complete:") < page.text.index("not shown to differ")
    assert page.text.count("means nothing") >= 2
    assert "new: was pass" in page.text


def test_the_answers_are_in_the_embedded_data(made, summary, interval):
    runs = [made("a", [summary()]), made("b", [summary(throughput=interval(10.0), emulated=False)])]
    told = json.loads("".join(checked(render(comparison(runs))).scripts))
    [point] = told["points"]
    assert point["runs"][1]["ratio_to_first"] == {"value": 2.0, "relation": "beyond", "refused": ""}
    assert point["runs"][0]["summary"]["working_set_bytes"] == 128 << 20
    assert [run["label"] for run in told["runs"]] == ["a", "b"]


def test_emulated_beside_real_shows_no_rate_of_the_emulated_anywhere(made, summary, interval):
    runs = [
        made("a", [summary()]),
        made("b", [summary(emulated=True, throughput=interval(77.125), latency_ns=interval(7712500.0))]),
    ]
    html = render(comparison(runs))
    page = checked(html)
    assert "77.1" not in html
    assert "7.71" not in html
    assert "no ratio: emulated beside real: a is real" in page.text


def test_an_invalid_number_is_struck_out(made, summary):
    wrong = Issue(level="INVALID", code="wrong-bytes", message="wrong")
    html = render(comparison([made("a", [summary()]), made("b", [summary(issues=(wrong,))])]))
    assert checked(html).tags["s"] == 1
    assert "no ratio: invalid, not counted" in html


def test_the_same_runs_give_the_same_bytes(made, summaries, case):
    def page(points: Any) -> str:
        return render(comparison([made(name, points, (case(), case("ENV-002", "fail"))) for name in "ab"]))

    assert page(few(summaries)) == page(few(summaries)[::-1])


@pytest.mark.deep
def test_eight_whole_sweeps_are_one_page_of_bounded_size(made, summaries):
    html = render(comparison([made(name, summaries) for name in "abcdefgh"]))
    checked(html)
    assert len(html) < 2_000_000


def test_runs_without_points_and_manifests_are_a_page(made):
    page = checked(render(comparison([made("a", machine=None, spec=7), made("b", settings=[], environment="x")])))
    assert "No verdict" in page.text


@pytest.mark.parametrize(
    "text", [ATTACKS[0] + ATTACKS[2] + ATTACKS[4], *(pytest.param(text, marks=pytest.mark.deep) for text in ATTACKS)]
)
def test_known_attacks_are_text(made, summary, case, text):
    checked(render(comparison(_hostile(made, summary, case, text, Interval(5.0, 4.0, 6.0, 0.97, 6)))))


NUMBERS = st.floats() | st.sampled_from([0.0, 1e-300, 1e300, float("inf"), float("nan")])


@pytest.mark.deep
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=HOSTILE, ends=st.tuples(NUMBERS, st.none() | NUMBERS))
def test_no_string_or_number_of_a_run_breaks_the_page(made: Any, summary: Any, case: Any, text: str, ends: Any) -> None:
    median, low = ends
    checked(render(comparison(_hostile(made, summary, case, text, Interval(median, low, median, 0.9, 1)))))


def few(summaries: list[PointSummary]) -> list[PointSummary]:
    """Return the scattered pushes of a model: what is enough for a figure and every kind of cell."""
    return [one for one in summaries if one.point.op == "push" and one.point.pattern == "scattered"]


def _hostile(made: Any, summary: Any, case: Any, text: str, odd: Interval) -> list[Run]:
    """Put `text` wherever a run has room for one, and an odd number where others have a rate."""
    name = text.encode("utf-8", "replace").decode()[:200]  # pydantic keeps lone surrogates and longer names out
    points = [
        summary(
            transport=name, workload=name, settings={name: name}, wires=(text,), allocation=text, throughput=interval,
            issues=(Issue(level="OPEN", code=name, message=name),), descriptor_bytes=size, failed=size % 3,
        )
        for size, interval in ((64, odd), (128, Interval(5.0, 4.0, 6.0, 0.97, 6)))
    ]  # fmt: skip
    other = summary(transport=name, workload=name, settings={name: name}, wires=("x",), descriptor_bytes=64)
    table = {text: text, "cpu": text, "deep": [{text: [text, {}]}]}
    fields = dict.fromkeys(("kvgauge", "seed", "started_at", "finished_at", "complete"), text) | {
        "command": [text, text], "machine": table, "versions": table, "environment": table, "spec": table,
        "settings": {"transports": [text], "why": [text], "devices": {text: {"name": text}}}, "load_average": [text],
    }  # fmt: skip
    tested = [
        (case(text, verdict, text, what=text, reproduce=text, example={"environment": {text: text}}), case(text, implementation="x"))
        for verdict in ("pass", "fail")
    ]  # fmt: skip
    return [
        made(text, points, tested[0], (text,), **fields),
        made(text, [*points, summary()], tested[1], **fields),
        made(text + "b", [other], None, machine={"cpu": "x"}),
    ]
