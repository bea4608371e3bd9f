"""Transports that are wrong on purpose, in real workers, are named for what they are."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from perf.analysis import counts, summarise
from perf.launch import SERVER, LaunchPlan, PointFailed, launched, region_size
from perf.planning import points
from perf.reading import read_records
from perf.server import PointServer
from perf.spec import check_spec
from perf.summary import as_json
from perf.sweep import Options, measure
from perf.verdict import verdict
from perf.workload import Work
from suite.kv import stamp
from suite.run import folder
from suite.transports import base

pytestmark = pytest.mark.skipif(bool(base.load("copy").missing()), reason="this machine does not let processes copy")

FAULTY = Path(__file__).parent / "faulty"
PYTHONPATH = os.pathsep.join(filter(None, [str(FAULTY), os.environ.get("PYTHONPATH")]))
PLACE = r"block \d+, layer \d+, [KV], head \d+, token \d+, byte \d+"
START = "block 0, layer 0, K, head 0, token 0, byte 0"
SAMPLES = 3  # of 4 blocks of one token in a window, 64 pages a block
CACHE = {
    "model": "llama-3.1-8b",
    "dtype": "fp8",
    "tokens": 4,
    "tokens_per_block": 1,
    "transports": ["copy"],
    "ops": ["push", "pull"],
    "units": ["page", "block"],
    "patterns": ["contiguous", "scattered"],
    "samples": SAMPLES,
}
MESSAGES = {"sizes": [64], "transports": ["copy"], "ops": ["push", "pull"], "samples": 8}

# factory -> unit of the descriptors, and what is said of rows in memory order
FINDINGS = {
    "dropped_transfer": ("page", "untouched: 256 x, first at block 4, layer 0, K, head 0, token 0, byte 0"),
    "dropped_descriptor": ("page", "untouched: 3 x, first at block 3, layer 31, V, head 0, token 0, byte 0"),
    "swapped": (
        "block",
        f"swapped: 6 x, first at {START}: holds the prefill pool's block 3, layer 0, K, head 0, token 0, byte 0",
    ),
    "overrun": (
        "page",
        "overrun: 1 x, first at block 12, layer 0, K, head 0, token 0, byte 0: nothing was to be written there",
    ),
    "early": ("page", f"late: 768 x, first at {START}"),
    "former_epoch": ("page", f"stale: 768 x, first at {START}: holds epoch 1, not 2"),
}


def planned_points(windows=1, **changes):
    document = {"launches": 2, "windows": windows, "kv": [CACHE | changes], "bytes": [MESSAGES]}
    return points(check_spec(document, source="test"))


@pytest.fixture
def take(tmp_path):
    """Return a function that measures points in one launch of `server`'s workers."""

    def take(server, planned):
        plan = LaunchPlan(
            launch=0,
            environment=os.environ | {"PYTHONPATH": PYTHONPATH},
            logs=tmp_path,
            seed=4,  # no message lies right behind another: a byte too far would count as that one's
            region_bytes=region_size(planned),
            server=server,
        )
        with launched(plan, "0") as launch:
            return plan, [launch.measure(index, index, one) for index, one in enumerate(planned)]

    return take


@pytest.fixture
def failure(take):
    """Return a function that measures one point with a fault, and returns what was found."""

    def failure(server, op, unit, pattern="scattered"):
        wanted = [
            one for one in planned_points() if (one.point.op, one.point.unit, one.point.pattern) == (op, unit, pattern)
        ]
        with pytest.raises(PointFailed) as lost:
            take(f"faulty_transports:{server}", wanted)
        record = lost.value.record
        assert (record.status, record.verified, record.durations_ns, record.delivered_ns) == ("failed", False, [], [])
        assert (record.failure.role, record.failure.phase, record.failure.reason) == ("decode", "check", "wrong bytes")
        return record.failure.detail

    return failure


def test_the_honest_transport_passes_with_the_same_points(take):
    """Every byte of both regions is right after every window, warm-up included."""
    plan, records = take(SERVER, planned_points(windows=2))
    assert len(records) == 2 * 2 * 2 + 2
    for record in records:
        assert (record.status, record.verified, record.failure, record.issues) == ("measured", True, None, [])
        assert record.verified_bytes == (1 + 2) * 2 * plan.region_bytes
        assert record.evidence.wire == "cma"


@pytest.mark.deep
@pytest.mark.parametrize("op", ["push", "pull"])
@pytest.mark.parametrize("name", FINDINGS)
def test_a_fault_in_contiguous_rows_is_named_with_its_place(failure, name, op):
    unit, finding = FINDINGS[name]
    assert failure(name, op, unit, "contiguous") == finding


@pytest.mark.parametrize("op", [pytest.param("push", marks=pytest.mark.deep), "pull"])
@pytest.mark.parametrize("name", FINDINGS)
def test_a_fault_in_scattered_rows_is_named_with_its_place(failure, name, op):
    """As in contiguous rows, at whatever places the block tables chose."""
    unit, finding = FINDINGS[name]
    pattern = re.sub(PLACE, lambda _: PLACE, re.sub(r"(?<=overrun: )\d+", lambda _: r"\d+", finding))
    first, *others = failure(name, op, unit).splitlines()
    found = [line for line in (first, *others) if re.fullmatch(pattern, line)]
    assert len(found) == 1, (first, others)
    if name != "overrun":  # a byte too many in front of a row that was written before is that row's first wrong byte
        assert not others


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ("dropped_transfer", r"untouched: 1 x, first at byte \d+ of the buffer"),
        ("overrun", r"overrun: [1-8] x, first at byte \d+ of the buffer: nothing was to be written there"),
        ("early", r"late: 8 x, first at byte \d+ of the buffer"),
        ("former_epoch", r"stale: 8 x, first at byte \d+ of the buffer: holds epoch 1, not 2"),
    ],
)
def test_a_fault_in_plain_messages_is_named_with_its_place(failure, name, finding):
    assert re.fullmatch(finding, failure(name, "push", "bytes"))


def test_bytes_that_come_between_check_and_diagnosis_are_late(monkeypatch):
    """The window of the race: the check has found a word, and nothing is wrong any more."""
    server = PointServer("decode")
    planned = planned_points()[0]
    server.begin(region_size([planned]), "4k")
    opened = server.open("p0-decode", transport="copy", settings={}, op="push", memory="host")
    server.prepare(Work.of(planned, seed=1).as_json(), {"prefill": 0, "decode": opened["address"]})
    server.stamp(5)
    held = server._held["decode"]
    right = held.access.words().copy()
    stamp.fill(right, server._content(held, 5))
    found = stamp.first_difference

    def arrives_now(words, content):
        index = found(words, content)
        words[:] = right
        return index

    monkeypatch.setattr(stamp, "first_difference", arrives_now)
    monkeypatch.setattr("perf.server._LATE_S", 0)
    assert server.check(5)["findings"] == [f"late: 1 x, first at {START}"]
    server._endpoint.close()


class Watching:
    """Keeps what it is told."""

    def __init__(self):
        self.records = []

    def started(self, launches, points, *, done=0):
        self.planned = (launches, points, done)

    def measured(self, record):
        self.records.append(record)

    def note(self, text):
        raise AssertionError(text)


def test_a_sweep_with_a_faulty_transport_gives_no_number(tmp_path, monkeypatch):
    """Records, summaries and sentences say wrong bytes; neither a rate nor a latency is left to be read."""
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    spec = check_spec(
        {"launches": 2, "windows": 1, "kv": [CACHE | {"units": ["page"], "patterns": ["contiguous"]}]}, source="test"
    )
    run = folder.create(tmp_path / "run")
    watcher = Watching()
    measure(spec, run, Options(seed=1, server="faulty_transports:dropped_descriptor"), watcher)

    records, notes = read_records(run.samples)
    assert (records, notes, watcher.planned) == (watcher.records, [], (2, 2, 0))
    assert sorted((record.launch, record.point.op) for record in records) == [
        (launch, op) for launch in (0, 1) for op in ("pull", "push")
    ]
    for record in records:
        assert (record.status, record.failure.reason) == ("failed", "wrong bytes")
        assert record.failure.detail == FINDINGS["dropped_descriptor"][1]
        assert not counts(record)

    summaries = summarise(records)
    assert len(summaries) == 2
    for summary in summaries:
        assert (summary.throughput, summary.latency_ns, summary.percentiles_ns, summary.max_ns) == (
            None,
            None,
            {},
            None,
        )
        assert (summary.launches, summary.failed, summary.verified, summary.invalid) == (0, 2, False, True)
        assert {issue.code for issue in summary.issues if issue.level == "INVALID"} == {"wrong-bytes"}
        assert as_json(summary)["throughput"] is None
    sentences = verdict(summaries)
    assert "2 of 2 points left wrong bytes in at least one launch." in sentences
    assert "2 of 2 points gave no number." in sentences
    assert not any("GB/s" in sentence or "every byte was right" in sentence for sentence in sentences)
