"""Which wire and says who, ceilings and the witness, as a reader finds them."""

from __future__ import annotations

import re

import pytest

from perf.limits import Limit, Share
from perf.record import Evidence, Issue
from perf.testimony import Witnessed
from reports.data import report_data
from reports.formats.html import render
from reports.sections import evidence

TCP = Evidence(wire="tcp", source="UCX protocol tables", reach="intra-node", detail="zero-copy over tcp/lo")
CMA = Evidence(wire="cma", source="UCX protocol tables", reach="intra-node", detail="zero-copy over cma/memory")
CONTRADICTS = Issue(
    level="INVALID", code="contradiction", message="UCX_TLS=tcp excludes cma, but the evidence says cma"
)


@pytest.fixture
def found(summary, interval):
    """One KV cache by ucx and NIXL with error handling and without, and one hot buffer."""
    whole = {"unit": "block", "descriptor_bytes": 4 << 20, "descriptors": 16, "pattern": "scattered", "op": "push"}
    hot = {"workload": "bytes", "unit": "bytes", "descriptors": 1, "pattern": "hot", "op": "push"}
    return [
        summary(transport="ucx", wires=("tcp",), evidence=(TCP,), throughput=interval(1.4), **whole),
        summary(transport="ucx", settings={"error_handling": "off"}, wires=("cma",), evidence=(CMA,),
                throughput=interval(2.9), limit=Share("memory copy", 11.0, 0.26), **whole),
        summary(transport="nixl:UCX", wires=("cma",), evidence=(CMA,), throughput=interval(6.1),
                limit=Share("memory copy", 11.0, 0.55), **whole),
        summary(transport="nixl:UCX", wires=("cma",), evidence=(CMA,), throughput=interval(17.0),
                descriptor_bytes=1 << 20, limit=Share("memory copy", 24.0, 0.71), **hot),
    ]  # fmt: skip


@pytest.fixture
def limit(interval):
    return Limit("memory copy", "huge", 256 << 20, interval(11.0), "one process, one core, numpy.copyto")


@pytest.fixture
def testimony(found, interval):
    return Witnessed(
        point=found[3].point, ours=interval(9.0), ours_wires=("cma",), test="ucp_put_bw", theirs=interval(16.0),
        their_wires=("tcp",), ratio=interval(0.56), version="1.21.0", command="ucx_perftest 127.0.0.1 -e -t ucp_put_bw",
        reasons=("one transfer took 116 us from post to completion, the witness 65 us",),
    )  # fmt: skip


def page(found, **told):
    return re.sub(r"\s+", " ", render(report_data({}, found, ["A sentence."], run="run", **told)))


def section(text, name):
    return re.search(rf'<section id="{name}".*?</section>', text)


def test_points_of_one_way_are_one_row(found):
    rows = evidence.carried(found)
    assert [(row.transport, row.wire, row.points) for row in rows] == [
        ("nixl:UCX", "cma", 2),
        ("ucx", "tcp", 1),
        ("ucx (error_handling=off)", "cma", 1),
    ]
    assert rows[1].details == ("zero-copy over tcp/lo",)


def test_error_handling_is_told_where_it_was_measured_both_ways(found):
    (told,) = evidence.error_handling(found)
    assert [(one.transport, one.error_handling, one.wire) for one in told.variants] == [
        ("nixl:UCX", True, "cma"),
        ("ucx", True, "tcp"),
        ("ucx (error_handling=off)", False, "cma"),
    ]
    assert evidence.error_handling([found[0], found[2]]) == []


def test_the_page_says_it_all(found, limit, testimony):
    text = page(found, limits=[limit], testimonies=[testimony])
    assert "UCX_MM_ERROR_HANDLING=y" in section(text, "evidence")[0]
    near = section(text, "ceilings")[0]
    assert "memory copy: 11.0 GB/s" in near or "memory copy: 11 GB/s" in near
    assert "55 %" in near
    beside = section(text, "witness")[0]
    assert "ours cma, the witness's tcp" in beside
    assert "one transfer took 116 us" in beside
    assert "ucp_put_bw -e, UCX 1.21.0" in beside


def test_without_data_there_is_no_section(found, summary):
    text = page([summary()])
    assert section(text, "ceilings") is None
    assert section(text, "witness") is None
    assert section(text, "evidence") is None
    assert "What error handling changes" not in page(found[2:])


def test_a_contradiction_is_shown_first(found, summary):
    text = page([*found, summary(transport="ucx", settings={"UCX_TLS": "tcp"}, evidence=(CMA,), issues=(CONTRADICTS,))])
    assert "UCX_TLS=tcp excludes cma" in section(text, "evidence")[0]


def test_emulated_points_have_a_wire_and_nothing_else(summary):
    emulated = summary(emulated=True, evidence=(CMA,), limit=Share("memory copy", 11.0, 0.5))
    assert evidence.carried([emulated])[0].emulated
    assert evidence.near([emulated]) == []
    assert evidence.error_handling([emulated]) == []


def test_what_libraries_say_is_escaped(summary):
    hostile = Evidence(wire="<b>cma", source="<script>alert(1)</script>", detail='"><img src=x>')
    text = page([summary(evidence=(hostile,), wires=("<b>cma",))])
    assert "<script>alert" not in text
    assert "<img" not in text
