from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf.analysis import summarise
from perf.record import Evidence, Failure, Issue

LOST = Failure(role="decode", phase="window", reason="killed by SIGKILL", detail="")


def one(records):
    [summary] = summarise(records)
    return summary


def codes(summary):
    return [(issue.level, issue.code) for issue in summary.issues]


def failed(record, launch, **changes):
    return record(
        launch,
        status="failed",
        failure=LOST,
        durations_ns=[],
        delivered_ns=[],
        verified=False,
        evidence=None,
        **changes,
    )


def test_a_point_is_summarised_over_its_launches(launches):
    summary = one(launches(6))
    assert summary.throughput.median == pytest.approx(4 * (64 << 20) / 50e6), "samples x bytes / delivered"
    assert summary.throughput.low == summary.throughput.high == summary.throughput.median
    assert summary.throughput.confidence == pytest.approx(0.969, abs=1e-3)
    assert summary.latency_ns.median == summary.max_ns == 12_000_000
    assert (summary.samples, summary.launches, summary.failed) == (48, 6, 0)
    assert list(summary.percentiles_ns) == ["p50"]
    assert (summary.wires, summary.verified, summary.verified_bytes) == (("cma",), True, 6 << 30)
    assert summary.issues == ()


def test_failed_launches_are_counted_and_excluded(record, launches):
    summary = one([*launches(6), failed(record, 6), failed(record, 7)])
    assert (summary.launches, summary.failed, summary.verified) == (6, 2, True)
    assert codes(summary) == [("OPEN", "failed")]
    assert summary.issues[0].message == "2 of 8 launches failed: decode, window: killed by SIGKILL"


def test_wrong_bytes_never_enter_a_number(record, launches):
    """Not even when they were fast."""
    summary = one([*launches(6), record(6, verified=False, delivered_ns=[1, 1])])
    assert summary.throughput == one(launches(6)).throughput
    assert (summary.launches, summary.failed, summary.verified) == (6, 1, False)
    assert codes(summary) == [("INVALID", "wrong-bytes")]


def test_a_launch_with_an_invalid_issue_does_not_count(record, launches):
    contradiction = Issue(level="INVALID", code="wire", message="asked for tcp, carried by cma")
    summary = one([*launches(6), record(6, issues=[contradiction])])
    assert (summary.launches, summary.failed) == (6, 1)
    assert summary.issues == (contradiction,)


def test_a_point_that_always_failed_has_no_number(record):
    summary = one([failed(record, launch) for launch in range(6)])
    assert summary.throughput is summary.latency_ns is summary.max_ns is None
    assert (summary.launches, summary.failed, summary.verified, summary.wires) == (0, 6, False, ())
    assert codes(summary) == [("INVALID", "failed"), ("OPEN", "few-launches")]


def test_few_launches_have_no_interval_and_say_so(launches):
    summary = one(launches(3))
    assert summary.throughput.low is None
    assert codes(summary) == [("OPEN", "few-launches")]
    assert summary.issues[0].message == "3 launches counted: an interval needs 6"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"evidence": Evidence(wire="tcp", source="UCX_PROTO_INFO", count=1)}, "several-wires"),
        ({"allocation": "huge"}, "several-allocations"),
        ({"setup": "other"}, "several-setups"),
        ({"wire_bytes": 1}, "several-sizes"),
        ({"posted_descriptors": 1}, "several-descriptor-counts"),
    ],
)
def test_launches_that_are_no_repetitions_are_told(record, launches, change, code):
    assert codes(one([*launches(6), record(6, **change)])) == [("OPEN", code)]


def test_the_ceiling_is_the_copy_of_the_same_bytes_in_the_same_pieces(launches):
    summaries = summarise(
        [
            *launches(6, delivered_ms=50),
            *launches(6, delivered_ms=40, transport="copy"),
            *launches(6, delivered_ms=10, transport="copy", op="pull"),
            *launches(6, delivered_ms=10, transport="copy", pattern="contiguous"),
            *launches(6, delivered_ms=10, transport="copy", descriptors=32),
        ]
    )
    shares = [summary.ceiling_share for summary in summaries if summary.point.transport != "copy"]
    assert shares == [pytest.approx(0.8)]
    assert all(summary.ceiling_share is None for summary in summaries if summary.point.transport == "copy")


def test_a_share_above_one_is_kept_and_explained(launches):
    _, summary = summarise([*launches(6, delivered_ms=40), *launches(6, delivered_ms=50, transport="copy")])
    assert summary.ceiling_share == pytest.approx(1.25)
    assert codes(summary) == [("NOTE", "above-copy")]
    assert summary.issues[0].message.startswith("125 % of copy.")


def test_the_emulator_shows_no_rate(launches):
    """Its durations are stored, never shown or compared."""
    copies, emulated = summarise(
        [
            *launches(6, emulated=True, durations_ns=[900, 1, 1, 1] * 2, delivered_ms=1),
            *launches(6, transport="copy"),
        ]
    )
    assert copies.throughput is not None
    assert (emulated.emulated, emulated.verified, emulated.launches) == (True, True, 6)
    assert emulated.throughput is emulated.latency_ns is emulated.max_ns is emulated.ceiling_share is None
    assert emulated.percentiles_ns == {}
    assert emulated.issues == ()


def test_a_launch_recorded_twice_counts_once(record, launches):
    later = record(5, started_at="2026-11-24T06:00:00Z", durations_ns=[13] * 8)
    summary = one([*launches(6), later])
    assert summary.launches == 6
    assert codes(summary) == [("NOTE", "recorded-twice")]
    assert summary.max_ns == 12_000_000
    assert summary.samples == 48


def test_issues_of_launches_are_merged_by_code(record):
    records = [
        record(launch, issues=[Issue(level="NOTE", code="load", message=f"load {launch}.0")]) for launch in range(6)
    ]
    assert [issue.message for issue in one(records).issues] == ["load 0.0 (and 5 more like it)"]


def test_a_long_list_of_reasons_still_fits(record, launches):
    many = [
        record(launch, status="failed", failure=LOST.model_copy(update={"reason": f"{launch}" * 100}))
        for launch in range(10, 40)
    ]
    assert len(one([*launches(6), *many]).issues[0].message) == 2_000


def test_points_come_in_canonical_order(launches):
    records = [
        *launches(1, transport="copy", descriptor_bytes=8, workload="bytes", unit="bytes"),
        *launches(1, op="pull"),
        *launches(1, pattern="contiguous"),
        *launches(1, descriptor_bytes=8192, unit="head"),
        *launches(1, transport="copy"),
        *launches(1),
    ]
    order = [
        (point.workload, point.op, point.pattern, point.descriptor_bytes) for point in map(point_of, summarise(records))
    ]
    assert order == sorted(order)


def point_of(summary):
    return summary.point


@settings(max_examples=40)
@given(st.data())
def test_the_order_of_records_does_not_matter(record, data):
    """Nor does a repeated launch, an issue, a failure or another wire."""
    records = [
        record(
            launch=data.draw(st.integers(0, 3)),
            transport=data.draw(st.sampled_from(["copy", "nixl:UCX"])),
            op=data.draw(st.sampled_from(["push", "pull"])),
            status=data.draw(st.sampled_from(["measured", "measured", "failed"])),
            verified=data.draw(st.booleans()),
            durations_ns=[data.draw(st.integers(1, 99))] * 8,
            delivered_ns=[data.draw(st.integers(1, 99)), 50],
            allocation=data.draw(st.sampled_from(["4k", "huge"])),
            issues=[Issue(level="NOTE", code="load", message=str(data.draw(st.integers(0, 2))))],
        )
        for _ in range(data.draw(st.integers(0, 8)))
    ]
    assert summarise(data.draw(st.permutations(records))) == summarise(records)
