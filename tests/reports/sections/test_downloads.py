"""The files in the page: what they hold, what they may not do to a spreadsheet, and how large they may be."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.record import PointRecord
from reports.csv_text import MOST_COLUMNS, csv_lines
from reports.data import report_data
from reports.formats.html import render
from reports.formats.json_report import summary as json_summary
from reports.launches import launch_row
from reports.sections import downloads as module
from reports.sections.downloads import downloads

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.summary import Interval, PointSummary
    from reports.data import ReportData
    from reports.sections.downloads import Download


def files(data: ReportData) -> dict[str, Download]:
    return {one.name: one for one in downloads(data, json_summary(data))}


def content(one: Download) -> str:
    found = base64.b64decode(one.href.partition("base64,")[2], validate=True)
    assert hashlib.sha256(found).hexdigest() == one.sha256
    return found.decode()


def table(one: Download) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(content(one)))


def test_points_are_rows_with_units(summaries: list[PointSummary], interval: Callable[..., Interval]) -> None:
    data = report_data({}, summaries, [])
    found = table(files(data)["points.csv"])
    assert len(found) == len(summaries)
    first = data.summaries[0]
    assert first.throughput
    assert found["throughput_median_gb_per_s"][0] == pytest.approx(first.throughput.median)
    assert found["throughput_low_gb_per_s"][0] == pytest.approx(0.96 * first.throughput.median)
    assert found["latency_p90_ns"][0] == 7.1e6
    assert found["latency_p99_ns"].isna().all()
    tcp = found[found["setting.UCX_TLS"] == "tcp"]
    assert list(tcp["wires"]) == ["cma; tcp"]
    assert list(tcp["issues"]) == ["INVALID two-wires"]
    assert list(tcp["invalid"]) == [True]
    assert found["throughput_confidence"][0] == interval(1.0).confidence


def test_an_emulated_point_has_no_number_that_is_not_true(summary: Callable[..., PointSummary]) -> None:
    found = table(files(report_data({}, [summary(emulated=True), summary(op="pull")], []))["points.csv"])
    timed = [name for name in found if name.startswith(("throughput", "latency", "share"))]
    assert found[timed].notna().sum(axis=1).tolist() == [0, 11]
    assert found["verified_bytes"].tolist()[0] > 0


def test_launches_are_the_frame_of_a_notebook(line: Callable[..., dict[str, Any]], run_folder: Any) -> None:
    from reports import load
    from reports.writing import read_report

    run = run_folder([line(0), line(0, op="pull", settings={"UCX_TLS": "tcp"}), line(1, emulated=True)])
    found = table(files(read_report(run))["launches.csv"])
    same = [frame.astype(object).where(frame.notna(), None) for frame in (found, load(run))]
    pd.testing.assert_frame_equal(*same)


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1"])
def test_no_foreign_text_becomes_a_formula(start: str) -> None:
    header, row = csv.reader(csv_lines([{start: start, "a": -1.5, "b": "1,2\"3'"}]))
    assert header[0].startswith("'")
    assert row[0].startswith("'")
    assert row[1:] == ["-1.5", "1,2\"3'"]  # numbers stay numbers


CELLS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)


@given(st.lists(st.dictionaries(st.text(max_size=5), CELLS, max_size=4), min_size=1, max_size=4))
def test_any_rows_are_a_table(rows: list[dict[str, Any]]) -> None:
    text = "".join(csv_lines(rows))
    text.encode()
    found = list(csv.reader(io.StringIO(text, newline=""))) if any(rows) else [[]]
    assert len({len(line) for line in found}) == 1
    for line in found:
        for cell in line:
            assert not cell.startswith(("=", "@", "\t", "\r", "+"))
            assert not cell.startswith("-") or float(cell) <= 0
            assert cell not in {"nan", "inf", "-inf"} or cell in {str(v) for row in rows for v in (*row, *row.values())}


def test_a_run_that_is_too_large_is_cut_and_says_so(
    summary: Callable[..., PointSummary], line: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [launch_row(PointRecord.model_validate(line(launch))) for launch in range(40)]
    data = report_data({}, [summary()], [], launches=rows)
    monkeypatch.setattr(module, "MOST_ROWS", 30)
    found = files(data)["launches.csv"]
    assert len(table(found)) == 30
    assert found.remark == "the first 30 of 40 rows: the run's folder has all of them"
    monkeypatch.setattr(module, "MOST_BYTES", 3_000)
    found = files(data)["launches.csv"]
    assert 2_000 < len(content(found)) <= 3_000
    assert f"the first {len(table(found))} of 40 rows" in found.remark
    monkeypatch.setattr(module, "MOST_BYTES", 500)
    found = files(data)["summary.json"]
    assert not found.href
    assert "kvgauge report --format json" in found.remark
    assert found.remark in render(data)
    assert 'download="summary.json"' not in render(data)


def test_thousands_of_settings_do_not_make_thousands_of_columns() -> None:
    lines = list(csv_lines([{f"setting.{row}-{n}": "x" for n in range(64)} for row in range(1_000)]))
    assert {len(line) for line in csv.reader(lines)} == {MOST_COLUMNS}


def test_the_json_is_the_page_s(summaries: list[PointSummary]) -> None:
    data = report_data({}, summaries, ["So."])
    assert json.loads(content(files(data)["summary.json"])) == json_summary(data)


def test_a_run_of_conformance_alone_has_no_empty_tables() -> None:
    assert list(files(report_data({}, [], []))) == ["summary.json"]
