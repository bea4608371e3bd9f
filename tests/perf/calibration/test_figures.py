"""The arithmetic of a calibration: what is known, and what is made of what was measured."""

from __future__ import annotations

import pytest

from perf.calibration import links, volume
from perf.calibration.asked import known
from perf.calibration.between_runs import largest
from perf.calibration.runner import Windows
from suite.errors import Missing
from suite.world.namespaces import PAYLOAD


def windows(nbytes: int, *delivered_ns: int) -> Windows:
    return Windows(nbytes, (1,), delivered_ns, (0,), ("tcp",), 0)


def test_payload_of_an_ethernet_link():
    """1448 bytes of payload in each frame of 1514."""
    assert pytest.approx(1448 / 1514) == PAYLOAD


@pytest.mark.parametrize("rate", links.RATES.values())
def test_a_stream_that_fills_the_link_is_measured_as_the_link(rate):
    """The bucket passes at once; what is left takes its time: then the rate is that of the link."""
    nbytes = 100 << 20
    took = round((nbytes / PAYLOAD - links.bucket_bytes(rate)) * 8e9 / rate)
    assert links.payload_rate(windows(nbytes, took, took), rate) == pytest.approx(rate / 8e9 * PAYLOAD, rel=1e-6)


def test_a_window_is_long_beside_the_bucket():
    """What the bucket saves must stay a small correction: below a tenth of any window."""
    assert 0.1 * min(links._WINDOW_S, links._QUICK_WINDOW_S) > links._BUCKET_S


def test_windows_of_the_limited_device_take_whole_slices_and_a_little_more():
    for samples in (volume._SAMPLES, volume._QUICK_SAMPLES):
        slices = samples * volume._MESSAGE_BYTES / volume.BYTES_PER_S / 0.1
        assert 0 < slices - round(slices) < 0.1


def test_the_error_is_of_the_median_and_judged_by_what_is_tolerated():
    found = known("a link", [0.9, 0.97, 1.2], 1.0, unit="GB/s", tolerated=0.02)
    assert (found.measured, found.low, found.high, found.launches) == (0.97, 0.9, 1.2, 3)
    assert found.error == pytest.approx(-0.03)
    assert not found.good
    assert known("a link", [0.99], 1.0, unit="GB/s", tolerated=0.02).good
    assert known("UCX", [0.3], 1.0, unit="GB/s", tolerated=None, kind="protocol").good


def test_the_band_is_the_largest_shift_of_any_two_runs_either_way():
    share, point = largest([{"a": 1.0, "b": 2.0}, {"a": 1.1, "b": 2.0}, {"a": 1.0, "b": 1.6}])
    assert share == pytest.approx(0.25)
    assert point == "b"
    assert largest([{"a": 2.0}, {"a": 1.0}]).share == largest([{"a": 1.0}, {"a": 2.0}]).share


def test_runs_without_a_common_point_have_no_band():
    with pytest.raises(Missing):
        largest([{"a": 1.0}, {"b": 1.0}])
