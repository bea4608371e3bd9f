from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from perf.record import Issue
from reports.data import ONE_MACHINE, report_data

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.summary import PointSummary

KEYS = ("kvgauge", "command", "seed", "started_at", "finished_at", "complete", "machine", "versions", "environment",
        "settings", "spec", "load_average")  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_no_manifest_stops_a_report(manifest: dict[str, object]) -> None:
    data = report_data(manifest, [], [])
    assert data.complete is (manifest.get("complete") is True)


def test_the_recorded_time_and_command_are_the_manifests(manifest: dict[str, object]) -> None:
    data = report_data(manifest, [], ["Good."], run="a")
    assert data.created == manifest["started_at"]
    assert data.command == "kvgauge run --out 'runs/a b'"  # where kvgauge is installed is nobody's business
    assert data.locality == ONE_MACHINE
    assert ("Memory", "8 GiB") in {(fact.name, fact.value) for fact in data.tested}


def test_a_manifest_without_a_machine_claims_no_locality() -> None:
    assert not report_data({}, [], []).locality


def test_points_are_read_beside_those_they_are_compared_with(summaries: list[PointSummary]) -> None:
    shuffled = report_data({}, summaries[::-1], []).summaries
    assert shuffled == report_data({}, summaries, []).summaries
    transports = [entry.point.transport for entry in shuffled[:3]]
    assert transports == ["nixl:UCX", "ucx", "copy"]


def test_the_same_doubt_about_many_points_is_one_problem(summary: Callable[..., PointSummary]) -> None:
    doubt = Issue(level="OPEN", code="noisy", message="The host was busy.")
    points = [summary(op=op, issues=(doubt,)) for op in ("push", "pull")] + [summary(transport="ucx", failed=2)]
    failed, noisy = report_data({}, points, []).problems
    assert (failed.level, failed.sentence) == ("FAILED", "Failed in 2 of 11 launches.")
    assert (noisy.level, len(noisy.points)) == ("OPEN", 2)


def test_bytes_that_were_not_right_are_a_problem_even_without_an_issue(summary: Callable[..., PointSummary]) -> None:
    (problem,) = report_data({}, [summary(verified=False)], []).problems
    assert problem.level == "INVALID"
