"""Cases as data: what is printed is what is run again, and what comes from a command line is checked."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.properties import transfer_strategies as strategies
from conformance.transfer.case import apart, case, landed, many, of_json, reached
from suite.errors import BadInput

ANY = st.one_of(
    strategies.plain(), strategies.permuted(), strategies.odd(), strategies.with_empty_rows(),
    strategies.tags(strategies.binary_tags()), strategies.mergeable(), strategies.strided(),
)  # fmt: skip


@settings(max_examples=60)
@given(ANY)
def test_what_is_printed_is_the_case(drawn):
    back = of_json(json.loads(json.dumps(drawn.as_json())))
    np.testing.assert_array_equal(back.rows, drawn.rows)
    assert (back.nbytes, back.way, back.tag, back.posts, back.starts, back.seed, back.many, back.edit) == (
        drawn.nbytes, drawn.way, drawn.tag, drawn.posts, drawn.starts, drawn.seed, drawn.many, drawn.edit,
    )  # fmt: skip


def test_many_rows_are_shown_as_a_number():
    assert many(100_000, tag=b"").as_json() == {"many": 100_000, "tag": {"base64": ""}}
    np.testing.assert_array_equal(of_json({"many": 1000}).rows, many(1000).rows)


@settings(max_examples=60)
@given(ANY)
def test_every_row_is_inside_its_regions(drawn):
    ends = drawn.rows[:, :2] + drawn.rows[:, 2:]
    assert (drawn.rows >= 0).all()
    assert (ends.max(axis=0) <= drawn.nbytes).all()


@given(st.lists(st.integers(1, 40), min_size=3, max_size=20))
def test_rows_apart_are_at_no_stride_and_never_touch(lengths):
    rows = apart(lengths).rows
    for column in (0, 1):
        gaps = rows[1:, column] - rows[:-1, column] - rows[:-1, 2]
        assert (gaps > 0).all()
        assert len(set(gaps.tolist())) > 1


def test_landed_is_what_bytes_say():
    source, before = np.arange(10, dtype=np.uint8), np.full(10, 99, np.uint8)
    after = landed(np.array([[0, 4, 3], [7, 0, 2], [5, 5, 0]]), source, before)
    assert after.tolist() == [7, 8, 99, 99, 0, 1, 2, 99, 99, 99]
    assert before.tolist() == [99] * 10
    assert np.flatnonzero(reached(np.array([4, 0]), np.array([3, 2]), 10)).tolist() == [0, 1, 4, 5, 6]


@pytest.mark.parametrize(
    "told",
    [
        None, [], "x", {}, {"rows": [[0, 0, 1]]}, {"rows": [[0, 0]], "nbytes": [1, 1]}, {"rows": 3, "nbytes": [1, 1]},
        {"rows": [[0, 0, -1]], "nbytes": [1, 1]}, {"rows": [[0, 0, 1 << 40]], "nbytes": [1, 1]},
        {"rows": [[0, 0, 1 << 70]], "nbytes": [1, 1]}, {"rows": [["a", 0, 1]], "nbytes": [1, 1]},
        {"rows": [[0, 0, 1]], "nbytes": [1]}, {"rows": [[0, 0, 1]], "nbytes": [1, 1 << 40]}, {"many": 10_000_000},
        {"many": True}, {"many": 2, "posts": 1 << 30}, {"many": 2, "way": "up"}, {"many": 2, "tag": "x"},
        {"many": 2, "tag": {"base64": "not base64!"}}, {"many": 2, "tag": [1, 1 << 40]}, {"many": 2, "edit": ["rm", 1, 2]},
        {"many": 2, "starts": [5000, 0]}, {"many": 2, "seed": -1}, {"many": 2, "other": 1},
    ],
)  # fmt: skip
def test_what_is_no_case_is_refused(told):
    with pytest.raises(BadInput):
        of_json(told)


def test_a_case_has_regions_that_its_rows_fit_in():
    assert case([[8, 0, 4], [0, 4, 2]]).nbytes == (12, 6)


@pytest.mark.parametrize("count", [999, 1001, 3000])
def test_many_rows_at_once_are_the_same_rows(count):
    """Where they are so many that they are moved by one call of numpy's."""
    rows = many(count).rows
    source, before = np.random.default_rng(1).integers(0, 256, (2, many(count).nbytes[1] + 16), np.uint8)
    expected = before.copy()
    for start, to, length in rows:
        expected[to : to + length] = source[start : start + length]
    np.testing.assert_array_equal(landed(rows, source, before), expected)
    found = reached(rows[:, 1], rows[:, 2], len(before))
    assert found.sum() == 16 * count
    assert found[rows[:, 1]].all()
