"""The JSON of a report: strict, of the published schema, the same as in the page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from conformance.record import Case
from perf.limits import Limit, Share
from perf.record import Evidence, Storage
from perf.summary import Interval
from perf.testimony import Witnessed
from reports.data import report_data
from reports.formats.html import render as page
from reports.formats.json_report import render
from reports.formats.summary_schema import PAGE, Summary, schema_text
from reports.sections.conformance import matrix

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.summary import PointSummary
    from reports.data import ReportData

ROOT = Path(__file__).parents[3]


@pytest.fixture
def full(manifest: dict[str, object], summaries: list[PointSummary], summary: Callable[..., PointSummary],
         interval: Callable[..., Interval]) -> ReportData:  # fmt: skip
    """Return a report with everything that a report can have."""
    case = Case(
        "ENV-002",
        "mine",
        "one",
        "fail",
        expected=False,
        what="nothing",
        example={"A": "x"},
        reproduce="kvgauge conform",
    )
    rich = summary(
        op="store", destination="file", storage=Storage(filesystem="ext4", io="direct", cached_before=[0]),
        limit=Share("DRAM", 9.0, 0.5), evidence=(Evidence(wire="cma", source="UCX"),),
    )  # fmt: skip
    witnessed = Witnessed(rich.point, interval(1.0), ("cma",), "ucp_put_bw", interval(2.0), ("cma",), interval(0.5),
                          "1.22", "ucx_perftest", ("slow",))  # fmt: skip
    return report_data(
        manifest, [*summaries, rich], ["It is so."], run="monday", conformance=matrix([case]), cases=[case],
        limits=[Limit("DRAM", "4k", 1 << 20, interval(9.0), "memcpy")], testimonies=[witnessed],
    )  # fmt: skip


def test_it_is_of_its_schema(full: ReportData) -> None:
    found = Summary.model_validate_json(render(full), strict=True)
    assert found.run == "monday"
    assert len(found.points) == len(full.summaries)
    assert found.conformance
    assert found.witness
    assert found.ceilings


def test_the_schema_would_notice_a_new_field_and_a_missing_one(full: ReportData) -> None:
    told = json.loads(render(full))
    for changed in (told | {"extra": 1}, {name: value for name, value in told.items() if name != "points"}):
        with pytest.raises(ValidationError):
            Summary.model_validate_json(json.dumps(changed), strict=True)


def test_the_published_schema_is_current() -> None:
    """If not: python -m reports.formats.summary_schema > docs/summary.schema.json."""
    assert json.loads((ROOT / PAGE).read_text("utf-8")) == json.loads(schema_text())


def test_the_page_embeds_the_same(full: ReportData) -> None:
    embedded = re.search(r'id="summary">(.*?)</script>', page(full), re.DOTALL)
    assert embedded
    assert json.loads(embedded[1]) == json.loads(render(full))


def test_what_is_no_number_is_null_and_what_cannot_be_encoded_is_replaced(summary: Callable[..., PointSummary]) -> None:
    odd = Interval(float("nan"), float("inf"), float("-inf"), None, 1)
    limit = Limit("DRAM", "4k", 1, odd, "\ud800")
    text = render(
        report_data({"kvgauge": "\ud800"}, [summary(throughput=odd, ceiling_share=float("inf"))], [], limits=[limit])
    )
    told: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    assert told["points"][0]["throughput"]["median"] is None
    assert told["points"][0]["ceiling_share"] is None
    assert told["ceilings"][0]["rate"]["low"] is None
    assert (told["kvgauge"], told["ceilings"][0]["detail"]) == ("?", "?")
    Summary.model_validate_json(text, strict=True)
