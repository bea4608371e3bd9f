"""Other tools in a report: their figures in our units, beside ours, without a ratio, and nothing that they print can do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from perf.outside import OutsideResult, Timing
from perf.spent import Spent
from perf.words import NONE
from reports.commands import report
from reports.data import report_data
from reports.formats.html import render
from reports.formats.json_report import summary as as_json
from reports.formats.markdown import render as markdown
from reports.formats.summary_schema import Summary
from reports.sections.beside import besides
from reports.sections.time import times
from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KIB = 1 << 10
RESULT = OutsideResult(
    tool="ucx_perftest", source="/home/me/secret/out.txt:8", gb_per_s=1.048576, unit_as_printed="MB/s, which are MiB/s", op="tag_bw",
    transport="ucx", block_bytes=64 * KIB, batch=512, initiators=1, timings=(Timing(949_041, "mean"),), notes=("One mean.", "Unverified."),
)  # fmt: skip
ATTACK = "</td><script>alert(1)</script>\x1b[2J"
SPENT = Spent(
    10_000_000_000,
    6,
    {"fill": 2_000_000_000, "transfer": 4_000_000_000, "check": 1_000_000_000, "warm_up": 3, "open": 1},
)


def test_a_row_has_figures_units_and_what_is_not_alike(summary: Callable[..., Any]) -> None:
    found = besides([summary(transport="ucx")], [RESULT, replace(RESULT, block_bytes=None)])
    first, second = found.rows
    assert (first.rate, first.printed, first.request, first.initiators) == (
        "1.05",
        "MB/s, which are MiB/s",
        "512 \N{MULTIPLICATION SIGN} 64 KiB",
        "1",
    )
    assert first.source == "out.txt:8", "nobody is told where it lies"
    assert first.notes == (1, 2)
    assert [one.transport for one in first.ours] == ["ucx"]
    assert any("no byte twice" in reason for reason in first.ours[0].unlike)
    assert (second.ours, second.why_not) == ((), "its size is not told")


def test_emulated_points_and_results_show_no_rate(summary: Callable[..., Any]) -> None:
    [row] = besides([summary(transport="ucx", emulated=True)], [replace(RESULT, emulated=True)]).rows
    assert row.rate == NONE
    assert (row.ours[0].rate.value, row.ours[0].latency.value) == (NONE, NONE)


def test_the_page_has_the_sections_only_where_there_is_something(summary: Callable[..., Any]) -> None:
    plain = render(report_data({}, [summary()], ["A verdict."]))
    assert 'id="beside"' not in plain
    assert 'id="time"' not in plain
    hostile = replace(RESULT, tool=ATTACK, op=ATTACK, unit_as_printed=ATTACK, source=f"x/{ATTACK}:3", notes=(ATTACK,))
    data = report_data({}, [summary(transport="ucx")], ["A verdict."], outside=[RESULT, hostile], time=SPENT)
    page = render(data)
    assert 'id="beside"' in page
    assert 'id="time"' in page
    assert "70 % of 10 s were inside windows and their checks" in page
    assert "<script>alert" not in page
    assert "\x1b" not in page
    told = as_json(data)
    Summary.model_validate(told)
    assert told["time"] == SPENT.as_json()


def test_markdown_has_the_figures_and_no_ratio(summary: Callable[..., Any]) -> None:
    told = markdown(
        report_data({}, [summary(transport="ucx")], ["A verdict."], outside=[replace(RESULT, op="tag|_bw")])
    )
    assert "#### Beside other tools" in told
    assert "1.05" in told
    assert "no ratio is given" in told
    assert "tag|" not in told, "a cell must not end where a stranger wants it to"
    assert "Beside other tools" not in markdown(report_data({}, [summary()], ["A verdict."]))


def test_parts_of_the_time_are_all_of_it() -> None:
    found = times(SPENT)
    assert found is not None
    assert sum(row.ns for row in found.rows) == pytest.approx(SPENT.wall_ns)
    assert [row.what for row in found.rows if row.inside] == ["filling", "transfers", "checking"]
    assert len({row.colour for row in found.rows}) == len(found.rows)
    assert times(None) is None


def test_a_file_stands_beside_one_run_only(tmp_path: Path) -> None:
    file = tmp_path / "out.txt"
    file.write_text("x")
    error = CliRunner().invoke(report, [str(tmp_path / "a"), str(tmp_path / "b"), str(file)]).exception
    assert isinstance(error, BadInput)
    assert "stands beside one run" in error.message
    alone = CliRunner().invoke(report, [str(file)]).exception
    assert isinstance(alone, BadInput)
    assert "kvgauge read FILE" in alone.hint
