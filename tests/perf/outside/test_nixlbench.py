"""nixlbench's format: columns, units, what its banner tells, and what is cut, unknown or damaged."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from perf.outside.formats import read_text
from suite.errors import BadInput

FIXTURES = Path(__file__).parent / "fixtures"


def text(name):
    return (FIXTURES / f"nixlbench-written-by-hand-{name}.txt").read_text("utf-8")


def read(name):
    return read_text(text(name), "out")


def has(result, words):
    return any(words in note for note in result.notes)


def table_only(name):
    """Return what is left when only the table was kept."""
    whole = text(name)
    return whole[whole.rindex("Block Size (B)") :]


def test_the_rows_of_the_real_run():
    small, large = read("two-ranks")
    assert (small.block_bytes, small.batch, small.gb_per_s) == (4096, 1, 0.149769)
    assert (large.block_bytes, large.batch, large.gb_per_s) == (1 << 20, 1, 8.662293)
    assert {one.transport for one in (small, large)} == {"nixl:UCX"}
    assert (small.op, small.source_memory, small.destination_memory, small.count) == ("write", "DRAM", "DRAM", 1008)
    assert not has(small, "Not known to be whole")


def test_its_gb_are_1e9_bytes():
    """By its own time per block: 1 MiB in 121.1 us."""
    large = read("two-ranks")[1]
    assert large.gb_per_s == pytest.approx((1 << 20) / 121.1e-6 / 1e9, rel=1e-3)
    assert large.unit_as_printed == "GB/Sec"


def test_tx_is_never_alone():
    """It begins after post, in which all is copied between two processes: 0.1 us of 121."""
    large = read("two-ranks")[1]
    assert {timing.statistic: timing.ns for timing in large.timings} == {
        "mean of post + mean of Tx": pytest.approx(121_000),
        "amortised over the batch": pytest.approx(121_100),
    }
    assert has(large, "no latency")


def test_more_ranks_have_twelve_columns():
    first = read("four-ranks")[0]
    assert (first.gb_per_s, first.block_bytes, first.op) == (20.5, 65536, "read")
    assert first.timings[0].ns == pytest.approx(4000)
    assert first.timings[1].ns == pytest.approx(3200)
    assert has(first, "41 GB/s")


def test_what_its_check_sees_is_told():
    assert has(read("four-ranks")[0], "one constant")
    assert has(read("two-ranks")[0], "not verified")


def test_requests_at_once_are_told():
    assert has(read("four-ranks")[0], "4 requests were under way")
    assert not has(read("two-ranks")[0], "under way")


def test_keys_in_the_banner_are_not_kept():
    kept = str([asdict(one) for one in read("four-ranks")])
    assert "AKIA" not in kept
    assert "secret" not in kept


def test_a_table_that_was_cut_says_how_much_there_is():
    lines = text("four-ranks").splitlines(keepends=True)
    results = read_text("".join(lines[:-1]), "out")
    assert len(results) == 2
    assert all(has(one, "2 rows of 3") for one in results)


def test_a_cut_in_the_last_number_is_told():
    assert all(has(one, "may be cut") for one in read_text(text("four-ranks").rstrip(), "out"))
    assert not has(read("four-ranks")[0], "may be cut")


def test_without_a_banner_nothing_is_guessed():
    [one] = read_text(table_only("two-ranks"), "out")
    assert (one.op, one.transport, one.source_memory, one.count) == ("", "", "", None)
    assert has(one, "No banner")


def test_two_tables_without_a_banner_keep_their_columns():
    results = read_text(table_only("four-ranks") + table_only("two-ranks"), "out")
    assert [one.gb_per_s for one in results] == [20.5, 30.25, 40.125, 8.662293]
    assert [has(one, "Of rank 0 alone") for one in results] == [True, True, True, False]


def test_iterations_of_large_blocks_are_not_told():
    """They are fewer than the banner says, by a factor that it may not print."""
    _, large = read_text(text("two-ranks").replace("1048576 ", "2097152 "), "out")
    assert (large.block_bytes, large.count) == (2 << 20, None)


@pytest.mark.parametrize("wrong", ["nan", "-8.6", "inf", "8,6", "x", "9" * 30])
@pytest.mark.parametrize("column", [0, 1, 2, 9])
def test_a_damaged_row_is_named(wrong, column):
    lines = text("two-ranks").splitlines()
    cells = lines[-1].split()
    cells[column] = wrong
    lines[-1] = " ".join(cells)
    with pytest.raises(BadInput, match=rf"out:{len(lines)}: not a row"):
        read_text("\n".join(lines) + "\n", "out")


def test_a_row_that_lacks_a_column_is_named():
    lines = text("four-ranks").splitlines()
    lines[-2] = " ".join(lines[-2].split()[:-1])
    with pytest.raises(BadInput, match=rf"out:{len(lines) - 1}: not a row of 12"):
        read_text("\n".join(lines) + "\n", "out")


@pytest.mark.parametrize(
    "heading",
    ["Block Size (B)  Batch Size  Avg Lat. (us)  B/W (MiB/Sec)  B/W (GiB/Sec)  B/W (GB/Sec)", "Block Size (B)"],
)
def test_an_unknown_table_is_refused(heading):
    with pytest.raises(BadInput, match="out:1: a table of nixlbench with columns that are not known"):
        read_text(f"{heading}\n4096 1 27.3 1 1 1\n", "out")


def test_a_table_without_rows_is_no_result():
    whole = text("two-ranks")
    with pytest.raises(BadInput, match="no row"):
        read_text(whole[: whole.index("4096                1")], "out")
