"""On the emulator durations are nobody's: no rate, ratio or ceiling of an emulated point is shown anywhere.

The analysis leaves these numbers out. Here they are put back, with digits that nothing
else has, as a hostile or a faulty record would: whoever shows a point must hold it back too.
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from perf.analysis import summarise
from perf.record import PointRecord
from perf.summary import Interval, Repetition, as_json
from perf.terminal import points as terminal_points
from perf.verdict import verdict
from reports.data import report_data
from reports.formats.html import render
from reports.frames import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from perf.summary import PointSummary

# 123.456 GB/s [117.171, 131.313], 7.896 ms [7.383, 8.484], 91.9 % of copy, p99 9.595 ms, at most 9.797 ms
FORBIDDEN: dict[str, Any] = {
    "throughput": Interval(123.456, 117.171, 131.313, 0.96, 9),
    "latency_ns": Interval(7_896_123.0, 7_383_456.0, 8_484_789.0, 0.96, 9),
    "percentiles_ns": {"p99": 9_595_959.0},
    "max_ns": 9_797_979,
    "ceiling_share": 0.919,
}
FORBIDDEN["repetitions"] = tuple(
    Repetition(
        launch=launch, throughput=rate, latency_ns=7_896_123.0, first_ns=7_896_123.0, max_ns=9_797_979, samples=20_000,
        percentiles_ns={"p90": 7_383_456.0, "p99": 9_595_959.0, "p99.9": 9_797_979.0}, quantiles_ns=(7_383_456.0, 8_484_789.0),
        window_samples=4, posts=1, phases_ns={"open": 7_896_123, "first_transfer": 7_383_456, "gather": 8_484_789},
    )
    for launch, rate in enumerate((117.171, 123.456, 131.313) * 2)
)  # fmt: skip
# the same as they are stored, and as three digits show them
NUMBERS = {123.456, 117.171, 131.313, 7_896_123, 7_383_456, 8_484_789, 9_595_959, 9_797_979, 0.919}
NUMBERS |= {123, 117, 131, 7.9, 7.38, 8.48, 9.6, 9.8, 92}
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")


@pytest.fixture
def emulated(grid: Callable[..., list[PointSummary]], beside: Callable[..., list[PointSummary]],
             summary: Callable[..., PointSummary]) -> list[PointSummary]:  # fmt: skip
    """Return emulated points of every kind, each with numbers that it should not have."""
    changes = {"emulated": True, "wires": ("played",)}
    sizes = {"workload": "bytes", "unit": "bytes", "descriptors": 1}
    found = [
        *grid(3, **changes), *grid(3, transport="copy", **changes), *beside("cuda:3", "cuda:4", **changes),
        *(summary(op=op, descriptor_bytes=size, **sizes, **changes) for op, size in product(("push", "pull"), (64, 4096))),
        *(summary(unit="head", descriptor_bytes=8192, transport=name, **changes) for name in ("nixl:UCX", "copy")),
    ]  # fmt: skip
    return [replace(one, **FORBIDDEN) for one in found]


@pytest.fixture
def real(grid: Callable[..., list[PointSummary]], beside: Callable[..., list[PointSummary]]) -> list[PointSummary]:
    """Return points of the same transfers that were timed, so that tables and figures hold both."""
    numbers = {"throughput": Interval(55.5, 55.25, 55.75, 0.96, 9), "latency_ns": Interval(4e5, 4e5, 4e5, 0.96, 9),
               "percentiles_ns": {}, "max_ns": None, "ceiling_share": 0.5, "repetitions": ()}  # fmt: skip
    found = [*grid(5), *beside("cuda:4", "cuda:3")]
    of_five = [one for one in found if "cuda:4" in {one.point.source, one.point.destination}]
    return [replace(one, **numbers) for one in of_five]


class Text(HTMLParser):
    """Every text and attribute of a page but coordinates of drawings; and the text of each table row."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.rows: list[str] = []
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "use"}:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append("")
        self.seen += [value or "" for name, value in attrs if name in {"title", "aria-label", "alt", "id", "class"}]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Skip an element without content: a part of a drawing."""

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.seen.append(data)
        if "tr" in self._open:
            self.rows[-1] += data


def leaks(text: str) -> list[str]:
    """Return the places of a text that hold one of the numbers."""
    found = [match for match in NUMBER.finditer(text) if float(match[0]) in NUMBERS]
    return [text[max(0, match.start() - 40) : match.end() + 20] for match in found]


def test_the_digits_would_be_found(emulated: list[PointSummary]) -> None:
    """The test can fail: the same points, not marked as emulated, show these digits in every place that is searched."""
    marked = [replace(one, emulated=False) for one in emulated[::5]]  # enough to find them, and few figures
    page = Text(render(report_data({}, marked, verdict(marked))))
    assert len(leaks("\n".join(page.seen))) > 300
    assert any(leaks(row) for row in page.rows)
    assert leaks(printed(marked))
    assert leaks("\n".join(verdict(marked)))
    assert all(leaks(json.dumps(as_json(one))) for one in marked)


def test_no_number_of_an_emulated_point_is_in_a_page(emulated: list[PointSummary], real: list[PointSummary]) -> None:
    for points in (emulated, [*emulated, *real]):
        page = Text(render(report_data({}, points, [])))
        assert leaks("\n".join(page.seen)) == []
        assert not [row for row in page.rows if "played" in row and "GB/s" in row]
        assert not [row for row in page.rows if "played" in row and "ceiling" in row]


def test_a_page_of_emulated_points_alone_draws_nothing(emulated: list[PointSummary]) -> None:
    page = render(report_data({}, emulated, []))
    assert "<svg" not in page
    assert page.count("GB/s") == 0
    assert 'class="shade-1' not in page


def test_what_was_moved_and_checked_is_shown_all_the_same(emulated: list[PointSummary]) -> None:
    page = Text(render(report_data({}, emulated, [])))
    rows = [row for row in page.rows if "played" in row and "Wires that carried" not in row]
    assert len(rows) >= len(emulated)
    assert all("✓" in row for row in rows)


def test_neither_the_order_of_points_nor_of_tables_follows_their_times(emulated: list[PointSummary]) -> None:
    """Whatever the durations are, the page is the same."""
    rates = [Interval(float(1 + 37 * index % 101), None, None, None, 1) for index in range(len(emulated))]
    other = [replace(one, throughput=rate, latency_ns=rate, ceiling_share=None, max_ns=None, percentiles_ns={}, repetitions=())
             for one, rate in zip(emulated, rates, strict=True)]  # fmt: skip
    assert render(report_data({}, other, [])) == render(report_data({}, emulated, []))


def test_the_terminal_holds_it_back(emulated: list[PointSummary], real: list[PointSummary]) -> None:
    assert leaks(printed([*emulated, *real])) == []


def test_the_verdict_holds_it_back(emulated: list[PointSummary], real: list[PointSummary]) -> None:
    assert leaks("\n".join(verdict(emulated))) == []
    assert leaks("\n".join(verdict([*emulated, *real]))) == []


def test_json_holds_it_back(emulated: list[PointSummary]) -> None:
    for one in emulated:
        told = as_json(one)
        assert leaks(json.dumps(told)) == []
        assert {told[name] for name in ("throughput", "latency_ns", "max_ns", "ceiling_share")} == {None}
        assert told["percentiles_ns"] == {}


@pytest.fixture
def record() -> dict[str, Any]:
    point = {"transport": "nixl:UCX", "op": "push", "source": "cuda:0", "destination": "cuda:1", "workload": "a-model",
             "pattern": "scattered", "unit": "block", "descriptor_bytes": 1 << 20, "descriptors": 1}  # fmt: skip
    return {
        "schema": 1, "launch": 0, "position": 0, "setup": "nixl", "point": point, "status": "measured",
        "durations_ns": [7_896_123, 7_896_123], "delivered_ns": [7_896_123, 9_595_959], "window_samples": 1,
        "logical_bytes": 1 << 20, "padded_bytes": 1 << 20, "wire_bytes": 1 << 20, "posted_descriptors": 1,
        "working_set_bytes": 1 << 20, "allocation": "cudaMalloc", "verified": True, "verified_bytes": 2 << 20,
        "emulated": True, "load_average": 0.0, "started_at": "2026-01-02T03:04:05Z",
    }  # fmt: skip


def test_a_frame_holds_it_back(record: dict[str, Any], tmp_path: Path) -> None:
    """The durations are in the record; in a notebook's table no column has them, or anything made of them."""
    (tmp_path / "samples.jsonl").write_text(json.dumps(record) + "\n" + json.dumps(record | {"emulated": False}) + "\n")
    frame = load(tmp_path)
    assert list(frame["emulated"]) == [True, False]
    timed = ["throughput_gb_per_s", "latency_median_ns", "latency_max_ns"]
    assert frame[timed].isna().all(axis=1).tolist() == [True, False]
    assert leaks(frame.iloc[[0]].to_csv()) == []
    assert leaks(frame.iloc[[1]].to_csv()) != []


def test_a_run_with_emulated_records_has_a_page_without_their_times(record: dict[str, Any]) -> None:
    """The same, from the record on: one emulated launch among others takes the times of the point away."""
    records = [PointRecord.model_validate(record | {"launch": launch, "emulated": launch == 3}) for launch in range(7)]
    summaries = summarise(records)
    page = Text(render(report_data({}, summaries, verdict(summaries))))
    assert leaks("\n".join(page.seen)) == []


def printed(summaries: list[PointSummary]) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(terminal_points(summaries))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
