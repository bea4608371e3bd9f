"""Processor time of both sides: by launch, by GB of the KV cache, and nothing where nobody has told."""

from __future__ import annotations

import pytest

from perf.analysis import summarise
from perf.cpu import line
from perf.record import Usage, WarmUp
from perf.summary import as_json

MS = 1_000_000


def usage(cpu_ms, wall_ms=50):
    return Usage(wall_ns=[wall_ms * MS] * 2, cpu_ns=[cpu_ms * MS] * 2, system_ns=[0, 0], switches=[0, 0])


def both(record, op="push", **changes):
    return [
        record(launch, op=op, usage={"prefill": usage(50 + launch), "decode": usage(10)}, **changes)
        for launch in range(6)
    ]


@pytest.mark.parametrize(("op", "initiator", "target"), [("push", 52.5, 10), ("pull", 10, 52.5)])
def test_seconds_for_a_gb_belong_to_who_initiates_and_who_does_not(record, op, initiator, target):
    (one,) = summarise(both(record, op))
    moved = 64 * 2**20 * 8 / 1e9  # GB in two windows of four samples
    assert list(one.cpu) == ["initiator", "target"]
    assert one.cpu["initiator"].seconds_per_gb.median == pytest.approx(2 * initiator / 1e3 / moved)
    assert one.cpu["target"].seconds_per_gb.median == pytest.approx(2 * target / 1e3 / moved)
    assert one.cpu["target"].share.median == pytest.approx(target / 50)
    assert one.cpu["initiator"].seconds_per_gb.low is not None
    assert one.cpu["initiator"].seconds_per_gb.launches == 6


def test_one_side_alone_is_one_side(record):
    (one,) = summarise([record(n, op="store", destination="file", usage={"prefill": usage(5)}) for n in range(6)])
    assert list(one.cpu) == ["initiator"]


def test_nothing_is_made_up_for_older_runs_or_emulated_devices(record):
    assert summarise([record(n) for n in range(6)])[0].cpu == {}
    (emulated,) = summarise(both(record, emulated=True))
    assert emulated.cpu == {}
    assert as_json(emulated)["cpu"] == as_json(emulated)["tails_ns"] == {}


def test_the_line_tells_the_deciding_transfer_cheapest_first_and_the_ceiling_last(record):
    points = [*both(record), *both(record, transport="copy"), *both(record, transport="ucx", logical_bytes=32 << 20)]
    assert line(summarise(points)) == (
        "Processor time for a GB of llama-3.1-8b (push, block 4 MiB scattered), initiator + target:"
        " nixl:UCX 0.2 s + 0.037 s; ucx 0.39 s + 0.075 s; copy 0.2 s + 0.037 s."
    )
    assert line(summarise([record(n) for n in range(6)])) == line([]) == ""


def test_a_transfer_is_split_without_its_first(record):
    """The first made the connection; the second clock read is in the warm-up only."""
    first = WarmUp(posted_ns=[900, 10, 30, 20], durations_ns=[1000, 110, 130, 120], notified_ns=7)
    (one,) = summarise([record(n, warm_up=first, durations_ns=[10 * MS] * 8) for n in range(6)])
    assert one.repetitions[0].split_ns == {"post": 20, "transfer": 100, "notification": 10 * MS}


@pytest.mark.parametrize(
    ("changes", "split"),
    [
        ({"op": "pull", "warm_up": {"posted_ns": [1, 2], "durations_ns": [3, 4], "notified_ns": 0}}, {"post": 2, "transfer": 2}),
        ({"op": "pull", "warm_up": {"posted_ns": [1], "durations_ns": [3], "notified_ns": 0}}, {}),
        ({"op": "pull", "warm_up": {"posted_ns": [1, 1], "durations_ns": [3], "notified_ns": 0}}, {}),
        ({"op": "pull"}, {}),
    ],
)  # fmt: skip
def test_what_was_not_timed_is_not_there(record, changes, split):
    (one,) = summarise([record(n, **changes) for n in range(6)])
    assert one.repetitions[0].split_ns == split
