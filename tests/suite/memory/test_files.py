"""Several files as one region: no byte is lost, moved or doubled where one file ends and the next begins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import Missing
from suite.kv.plan import ADDRESS, LENGTH
from suite.memory.file import ALIGNMENT, FileRegion
from suite.memory.files import FileSpan, file_region


@pytest.fixture(scope="module")
def span(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    region = FileSpan([folder / f"f{number}" for number in range(3)], 10 * ALIGNMENT, direct=False)
    yield region
    region.close(delete=True)
    assert list(folder.iterdir()) == []


def test_parts_are_whole_blocks_and_make_up_the_region(span):
    assert [part.nbytes for part in span.parts] == [4 * ALIGNMENT, 4 * ALIGNMENT, 2 * ALIGNMENT]
    assert len({part.device for part in span.parts}) == 3
    assert (span.kind, span.allocation, span.emulated) == ("file", "buffered", False)


@given(st.lists(st.tuples(st.integers(0, 10 * ALIGNMENT - 1), st.integers(1, 9 * ALIGNMENT)), min_size=1, max_size=20))
def test_every_byte_of_every_row_is_found_once(span, rows):
    rows = [(offset, min(length, 10 * ALIGNMENT - offset)) for offset, length in rows]
    file = np.array([(offset, length, 0) for offset, length in rows], np.uint64)
    memory = np.array([(1 << 40 | number << 24, length, 7) for number, (_, length) in enumerate(rows)], np.uint64)
    found = span.locate(memory, file)
    part_of = {part.device: number for number, part in enumerate(span.parts)}
    assert found.memory[:, LENGTH].tolist() == found.file[:, LENGTH].tolist()
    pieces = [
        (int(address), int(offset) + part_of[int(descriptor)] * span.part_bytes, int(length))
        for (address, length, _), offset, descriptor in zip(
            found.memory, found.file[:, ADDRESS], found.descriptors, strict=True
        )
    ]
    for offset, descriptor, length in zip(
        found.file[:, ADDRESS], found.descriptors, found.file[:, LENGTH], strict=True
    ):
        assert length > 0
        assert offset + length <= span.parts[part_of[int(descriptor)]].nbytes
    whole = [(1 << 40 | number << 24, offset, length) for number, (offset, length) in enumerate(rows)]
    joined = []
    for address, offset, length in pieces:
        if joined and joined[-1][0] + joined[-1][2] == address and joined[-1][1] + joined[-1][2] == offset:
            joined[-1] = (joined[-1][0], joined[-1][1], joined[-1][2] + length)
        else:
            joined.append((address, offset, length))
    assert joined == whole
    assert found.memory[:, 2].tolist() == [7] * len(pieces)


@given(st.integers(0, 10 * ALIGNMENT), st.integers(0, 10 * ALIGNMENT))
def test_what_is_written_is_read_across_files(span, offset, length):
    length = min(length, 10 * ALIGNMENT - offset)
    data = np.random.default_rng(offset).integers(0, 256, length, np.uint8)
    span.write(offset, data)
    out = np.zeros(length, np.uint8)
    span.read(offset, out)
    assert np.array_equal(out, data)


def test_what_is_outside_is_refused(span):
    for offset in (-1, 10 * ALIGNMENT):
        with pytest.raises(IndexError, match="outside a region"):
            span.read(offset, np.zeros(1, np.uint8))


def test_one_file_is_a_file_and_a_small_region_needs_fewer(tmp_path):
    one = file_region(tmp_path / "one", ALIGNMENT, files=1, direct=False)
    few = file_region(tmp_path / "few", 2 * ALIGNMENT, files=4, direct=False)
    assert isinstance(one, FileRegion)
    assert isinstance(few, FileSpan)
    assert len(few.parts) == 2
    again = file_region(tmp_path / "few", 2 * ALIGNMENT, files=4, direct=False, create=False)
    for region in (one, again, few):
        region.close()


def test_a_file_that_is_missing_leaves_nothing_open(tmp_path):
    made = file_region(tmp_path / "x", 8 * ALIGNMENT, files=2, direct=False)
    made.parts[1].path.unlink()
    with pytest.raises(Missing, match="x-2-of-2"):
        file_region(tmp_path / "x", 8 * ALIGNMENT, files=2, direct=False, create=False)
    made.close()
