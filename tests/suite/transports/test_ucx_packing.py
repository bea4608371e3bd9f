"""Gathering and scattering on host memory, against plain slices."""

from __future__ import annotations

import numpy as np
import pytest

from suite.errors import TransferFailed, Unsupported
from suite.kv.plan import Plan
from suite.memory.host import HostRegion
from suite.transports.ucx_packing import packing

NBYTES = 1 << 16


@pytest.fixture
def region():
    region = HostRegion(NBYTES, "4k")
    region.write(0, np.random.default_rng(1).integers(0, 256, NBYTES, np.uint8))
    yield region
    region.close()


def packed(region, starts, lengths):
    rows = np.column_stack((np.asarray(starts) + region.address, lengths, np.zeros(len(starts)))).astype(np.uint64)
    merged = Plan(rows.copy(), rows.copy(), 0, 0, 0).merged()
    return packing(rows, merged.source, region)


CASES = {
    "Direct": ([0, 100, 200], [100, 100, 100]),
    "Grid": ([4096 + 24, 24, 2 * 4096 + 24, 15 * 1024 * 4 - 4096 + 24], [512, 512, 512, 512]),
    "Runs": ([9000, 5, 77, 30000], [1, 7, 4000, 0]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_message_is_the_rows_one_after_the_other_and_goes_back_to_them(region, name):
    starts, lengths = CASES[name]
    whole = region.view().copy()
    one = packed(region, starts, lengths)
    assert type(one).__name__ == name
    one.gather()
    rows = [whole[start : start + length] for start, length in zip(starts, lengths, strict=True)]
    np.testing.assert_array_equal(one.message, np.concatenate(rows))
    assert one.message.dtype == np.uint8
    assert one.message.flags.c_contiguous
    one.message[:] = ~one.message
    one.scatter()
    for row in rows:
        row[:] = ~row
    np.testing.assert_array_equal(region.view(), whole)
    one.release()


def test_the_last_row_of_a_region_and_the_first_byte_after_it(region):
    one = packed(region, [NBYTES - 1000, 0], [1000, 1000])
    one.gather()
    np.testing.assert_array_equal(one.message[:1000], region.view()[-1000:])
    for start, length in ((NBYTES - 999, 1000), (NBYTES, 1), (-1, 1), (0, NBYTES + 1)):
        with pytest.raises(TransferFailed, match="not in the registered region"):
            packed(region, [start], [length])


def test_a_plan_without_rows_is_refused(region):
    with pytest.raises(Unsupported, match="without rows"):
        packed(region, [], [])
