"""Runs in, columns and cells out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perf.comparing.pairing import pairs
from perf.record import Issue
from perf.words import NONE
from reports.comparison.charts import charts
from reports.comparison.data import OTHER_MACHINE, comparison, labels
from reports.comparison.sentences import RUNS_APART

WRONG = Issue(level="INVALID", code="wrong-bytes", message="wrong")


def cell(data, run=1, row=0):
    return data.groups[0].rows[row].cells[run]


def test_two_runs_of_the_same_are_not_shown_to_differ(made, summaries):
    data = comparison([made("a", summaries), made("b", summaries)])
    assert [column.label for column in data.columns] == ["a", "b"]
    assert not data.alone
    assert "are not shown to differ" in data.sentences[0]
    assert data.sentences[-1] == RUNS_APART
    assert [what for what, _ in data.banners] == ["Emulated GPUs:"]


def test_the_first_run_has_no_ratio_and_every_cell_says_what_it_held(made, summary, interval):
    data = comparison([made("a", [summary()]), made("b", [summary(throughput=interval(10.0))])])
    assert cell(data, 0).ratio is None
    assert cell(data).ratio.value == 2.0
    assert cell(data).held == "128 MiB in 4k pages"
    assert "“b” was faster: nixl:UCX moved a-model's KV cache in scattered pages (push)" in data.sentences[0]
    assert (
        "2.00 times the first; the intervals are apart, beyond the 21 % band. Wire in both: cma." in data.sentences[0]
    )
    assert any("1 with intervals apart, beyond the 21 % band (1 faster, 0 slower)" in one for one in data.sentences)


def test_a_slower_run_is_told_by_the_name_of_the_faster(made, summary, interval):
    data = comparison([made("a", [summary()]), made("b", [summary(throughput=interval(2.0))])])
    assert data.sentences[0].startswith("“a” was faster")
    assert "0.400 times the first" in data.sentences[0]


def test_the_headline_is_the_largest_that_can_be_compared(made, summary):
    """Of unlike memory the larger transfer has no ratio, so the smaller one is told."""
    small, large = summary(), summary(unit="block", descriptor_bytes=4 << 20, descriptors=64)
    runs = [made("a", [small, large]), made("b", [small, replace(large, allocation="huge")])]
    assert "in scattered pages" in comparison(runs).sentences[0]
    assert "1 without a ratio (unlike memory" in " ".join(comparison(runs).sentences)


def test_how_much_copy_changed_is_told(made, summary, interval):
    runs = [
        made(name, [summary(transport="copy", throughput=interval(rate)), summary()])
        for name, rate in (("a", 4), ("b", 6))
    ]
    assert any("ran in “b” at 1.50 times its rate in “a” (1 point)" in one for one in comparison(runs).sentences)


def test_runs_of_different_transports_name_them(made, summary):
    data = comparison([made("a", [summary()]), made("b", [summary(transport="ucx")])])
    assert cell(data).carrier == "ucx"
    assert data.groups[0].rows[0].carrier == ""
    assert "GB/s [4.8, 5.25] by ucx in “b” and 5 GB/s [4.8, 5.25] by nixl:UCX in “a”" in data.sentences[0]


def test_another_machine_is_named_before_anything_and_at_every_ratio(made, summary, manifest):
    other = manifest["machine"] | {"cpu": "Another processor", "cores": 96}
    data = comparison([made("a", [summary()]), made("b", [summary()], machine=other)])
    [(what, sentence)] = data.banners
    assert what == "Another machine:"
    assert "cpu Another processor, not A processor @ 2.0 GHz; cores 96, not 2" in sentence
    assert cell(data).ratio.value == 1.0
    assert cell(data).remarks[0] == OTHER_MACHINE
    assert data.sentences[0].endswith("They are different machines.")
    assert not comparison([made("a", [summary()]), made("b", [summary()])]).columns[1].machine


def test_a_machine_that_is_not_recorded_is_not_taken_for_the_same(made, summary):
    data = comparison([made("a", [summary()]), made("b", [summary()], machine="hello")])
    assert "not recorded" in data.banners[0][1]
    assert cell(data).remarks == (OTHER_MACHINE,)
    assert data.locality == ""


def test_emulated_beside_real_has_no_ratio_no_line_and_a_banner(made, summary, interval):
    emulated = summary(emulated=True, throughput=interval(77.125))
    data = comparison([made("a", [summary()]), made("b", [emulated])])
    assert cell(data).ratio.value is None
    assert cell(data).row.throughput.value == cell(data).row.latency.value == NONE
    assert data.charts == ()
    assert any(what == "Emulated GPUs:" and "the only point of b" in told for what, told in data.banners)
    assert "77.1" not in repr((data.sentences, data.banners))
    assert "no ratio between “b” and “a”: emulated beside real" in data.sentences[0]


def test_invalid_and_failed_points_are_never_counted(made, summary):
    bad = [summary(issues=(WRONG,)), summary(op="pull", launches=0, failed=6, throughput=None)]
    good = [summary(), summary(op="pull")]
    data = comparison([made("a", good), made("b", bad)])
    assert [group.rows[0].cells[1].ratio.value for group in data.groups] == [None, None]
    assert (data.columns[1].invalid, data.columns[1].failed) == (1, 1)
    assert any("2 in both" in one or "2 points in both, 2 without a ratio" in one for one in data.sentences)
    assert data.charts == ()


def test_points_of_some_runs_are_listed_and_counted(made, summary):
    both, some, own = summary(), summary(op="pull"), summary(op="pull", unit="block", descriptor_bytes=4 << 20)
    data = comparison([made("a", [both, some]), made("b", [both, some]), made("c", [both, own])])
    assert cell(data, 2).summary == both
    assert data.groups[1].rows[0].cells[2] is None
    [alone] = data.alone
    assert (alone.label, alone.count) == ("c", 1)
    assert any("Not in all runs: 1 point only in “c”; 1 point in some of the runs." in one for one in data.sentences)


def test_an_incomplete_run_is_named_first(made, summary):
    data = comparison([made("a", [summary()]), made("b", [summary()], complete=False)])
    assert data.banners[0] == ("Not complete:", "b. What follows is what had been measured until then.")


def test_a_copy_of_a_run_is_not_a_second_measurement(made, summary):
    runs = [made(name, [summary()], started_at="then", seed=7) for name in ("a", "b")]
    assert comparison(runs).banners[-1][1].startswith("a and b started at the same time")


def test_runs_with_nothing_in_common_are_still_a_page_of_data(made, summary):
    data = comparison([made("a", [summary()]), made("b", [summary(op="pull")])])
    assert data.groups == ()
    assert [alone.count for alone in data.alone] == [1, 1]
    assert "No point is in two of these runs" in " ".join(data.sentences)


@pytest.mark.parametrize("names", [["x", "x", "x (2)"], ["a" * 90, "a" * 91], ["", "\n"], ["run", " "]])
def test_labels_are_short_and_no_two_alike(names):
    found = labels(names)
    assert len(set(found)) == len(names)
    assert max(map(len, found)) <= 44
    assert all(found)


def test_a_figure_has_a_line_for_each_run_with_a_shape_of_its_own(summaries):
    names = [f"run {number}" for number in range(8)]
    found = charts([pair for pair in pairs([summaries] * 8) if len(pair.present) > 1], names)
    for chart in found:
        assert [line.colour for line in chart.lines] == list(range(1, 9))
        assert all("working set" in line.label and "4k pages" in line.label for line in chart.lines)
    assert "copy" in found[-1].title
    assert "copy" not in found[0].title


def test_a_figure_names_the_runs_it_cannot_draw(summary):
    sizes = [summary(descriptor_bytes=size) for size in (64, 128)]
    lost = [summary(descriptor_bytes=size, throughput=None) for size in (64, 128)]
    [chart] = charts(pairs([sizes, sizes, lost]), ["a", "b", "c"])
    assert "Not drawn, having no number here that counts: c." in chart.caption
