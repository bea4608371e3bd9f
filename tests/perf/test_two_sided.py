"""Engines with two sides: what the record says of them, and the memory that they stage in."""

from __future__ import annotations

import pytest

from perf import resources
from perf.draft import _of_both_sides
from perf.planning import points
from perf.reading import read_records
from perf.record import Evidence
from perf.resources import prepared
from perf.spec import SweepSpec
from perf.sweep import Options, measure
from suite.errors import Missing
from suite.run.folder import create
from suite.transports.base import load

SENT = Evidence(wire="tcp", source="sender", operation="ucp_tag_send*", detail="a plan over tcp/lo")
TABLE = {
    "model": "llama-3.1-8b",
    "tokens": 64,
    "transports": ["ucx"],
    "ops": ["push"],
    "units": ["block"],
    "patterns": ["scattered"],
    "samples": 3,
}


def spec(**changes):
    return SweepSpec.model_validate({"launches": 1, "windows": 1, "kv": [TABLE | changes]})


def test_a_receiver_that_fetched_knows_better_than_the_senders_plan():
    received = Evidence(wire="cma", source="receiver", operation="rendezvous data fetch", detail="zero-copy over cma")
    joined = _of_both_sides(SENT, received)
    assert joined.wire == "cma"
    assert joined.detail == "zero-copy over cma; the sender: a plan over tcp/lo"


def test_a_receiver_that_only_took_what_came_knows_nothing():
    assert _of_both_sides(SENT, Evidence(wire="unknown", source="receiver", reason="no table")) == SENT


class Quiet:
    def started(self, launches, points, *, done=0):
        pass

    def measured(self, record):
        pass

    def note(self, text):
        raise AssertionError(text)


@pytest.mark.skipif(bool(load("ucx").missing()), reason=f"{load('ucx').missing()}")
def test_scattered_blocks_are_gathered_sent_and_scattered_in_a_sweep(tmp_path):
    """Delivered is all of it together; the phases of both sides are told apart, and the receiver names the wire."""
    wanted = spec(settings={"ucx": [{"error_handling": "off"}]})
    folder = create(tmp_path / "run")
    measure(wanted, folder, Options(seed=1), Quiet())
    (record,), _ = read_records(folder.samples)
    assert record.status == "measured", record.failure
    assert record.verified
    assert record.setup == "ucx"
    assert record.evidence
    assert record.evidence.wire == "cma"
    assert "rendezvous data fetch" in record.evidence.operation
    assert record.posted_descriptors == 1
    assert all(record.phases_ns[phase] > 0 for phase in ("gather", "send", "receive", "scatter"))
    assert sum(record.durations_ns) <= sum(record.delivered_ns)


def test_staging_is_counted_before_anything_runs(tmp_path, monkeypatch):
    """Scattered blocks need a window's bytes again at each side; a machine that has less refuses."""
    wanted = spec()
    (planned,) = points(wanted)
    regions = 2 * prepared(wanted, tmp_path).region_bytes
    processes = 2 * resources._PROCESS_BYTES
    staged = 2 * planned.pool_bytes
    monkeypatch.setattr(resources.machine, "available_bytes", lambda: regions + processes + staged)
    prepared(wanted, tmp_path)
    monkeypatch.setattr(resources.machine, "available_bytes", lambda: regions + processes + staged - 1)
    with pytest.raises(Missing, match="of memory"):
        prepared(wanted, tmp_path)
