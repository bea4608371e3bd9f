"""Planted latencies in real workers: never early, every byte moved; a transfer of nothing moves its bytes, too."""

from __future__ import annotations

import pytest

from perf.calibration.asked import Asked
from perf.calibration.latency import PLANTED_NS, calibrate_latency, fitted
from perf.calibration.planted import PlantedTransport
from perf.calibration.runner import group, measured, messages
from perf.calibration.server import IDLE, PLANTED
from perf.resources import library_environment
from suite.errors import BadInput

TRANSPORT = PlantedTransport(PLANTED)
needs_copy = pytest.mark.skipif(bool(TRANSPORT.missing()), reason="this machine does not let processes copy")


@needs_copy
def test_no_transfer_is_done_before_its_time_and_every_byte_is_there(tmp_path):
    points = [messages(PLANTED, 64, 5, settings={"latency_ns": "2000000"}), messages(IDLE, 64, 50)]
    with group(points, library_environment(), tmp_path, "planted") as workers:
        planted, idle = (measured(workers, index, point) for index, point in enumerate(points))
    assert len(planted.durations_ns) == 2 * 5
    assert min(planted.durations_ns) >= 2_000_000
    assert planted.latency_ns < 200_000_000  # of a planted 2 ms: no speed, but not a hundred times as long
    assert planted.checked_bytes == 3 * 2 * (planted.checked_bytes // 6) > 0  # three windows, both sides
    assert idle.latency_ns < planted.latency_ns


@pytest.mark.deep
@needs_copy
def test_the_part_finds_all_of_them_and_a_slope_of_about_one(tmp_path):
    said: list[str] = []
    found = calibrate_latency(Asked(tmp_path, tmp_path, quick=True, runs=2, say=said.append))
    assert [one.known for one in found.known] == list(PLANTED_NS)
    assert all(one.measured >= one.known for one in found.known)
    assert found.costs[0].value == pytest.approx(1, abs=0.5)
    assert said


def test_the_line_through_the_launches():
    costs = {cost.what.split()[0]: cost.value for cost in fitted({100: [150, 150], 300: [360, 340], 1000: [1050]})}
    assert costs["slope"] == pytest.approx(1)
    assert costs["offset"] == pytest.approx(50)


@pytest.mark.parametrize("latency", ["-1", "1e6", "9" * 30, ""])
def test_a_latency_that_is_no_number_of_ns_is_refused(latency):
    with pytest.raises(BadInput):
        TRANSPORT.open("a", {"latency_ns": latency}, "initiator")
