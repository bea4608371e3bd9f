"""Transfers for hypothesis. Each strategy has one peculiarity and is plain otherwise, so that what breaks says why.

Plain is: rows in order on both sides, whole words, gaps that are no stride, one post.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from conformance.transfer.case import Case, apart, case

if TYPE_CHECKING:
    from collections.abc import Callable

Cases = st.SearchStrategy[Case]
WAYS = st.sampled_from(("out", "in"))
_SEEDS = st.integers(1, 1 << 16)
_WORDS = st.integers(1, 64).map(lambda words: 8 * words)


def plain(most: int = 12, **fixed: object) -> Cases:
    """Return rows apart, of whole words."""
    drawn = {"way": WAYS, "seed": _SEEDS} | {name: st.just(value) for name, value in fixed.items()}
    return st.builds(apart, st.lists(_WORDS, min_size=1, max_size=most), **drawn)


def permuted() -> Cases:
    """Return rows of which no two neighbours stay neighbours in order: shuffled at either side, or at both."""

    def shuffled(count: int, length: int, seed: int, way: str, sides: tuple[bool, bool]) -> Case:
        rng = np.random.default_rng(seed)
        slots = np.arange(count) * (length + 12) // 8 * 8  # apart, and at no stride
        order = [rng.permutation(count) if mixed else np.arange(count) for mixed in sides]
        if (order[0] == order[1]).all():
            order[0] = order[1][::-1]
        rows = np.column_stack((slots[order[0]], slots[order[1]], np.full(count, length)))
        return case(rows, seed=seed, way=way)

    sides = st.sampled_from(((False, True), (True, False), (True, True)))
    return st.builds(shuffled, st.integers(2, 40), _WORDS, _SEEDS, WAYS, sides)


def strided() -> Cases:
    """Return three rows or more at one stride on each side, dense or with gaps."""

    def at(count: int, length: int, gaps: tuple[int, int], way: str, seed: int) -> Case:
        number = np.arange(count)
        steps = [length + 8 * gap for gap in gaps]
        rows = np.column_stack((number * steps[0], number * steps[1], np.full(count, length)))
        return case(rows, (count * steps[0], count * steps[1]), way=way, seed=seed)

    gaps = st.tuples(st.integers(0, 4), st.integers(0, 4))
    return st.builds(at, st.integers(3, 40), _WORDS, gaps, WAYS, _SEEDS)


def odd() -> Cases:
    """Return rows of any length at any address: the regions do not begin at a word, either."""

    def at(lengths: list[int], shift: int, starts: tuple[int, int], way: str, seed: int) -> Case:
        plain = apart(lengths)
        rows = plain.rows + np.array([0, shift, 0])
        return case(rows, (plain.nbytes[0], plain.nbytes[1] + shift), starts=starts, way=way, seed=seed)

    lengths = st.lists(st.integers(1, 300) | st.sampled_from((4095, 4097, 8191, 16383, 65537)), min_size=1, max_size=8)
    return st.builds(at, lengths, st.integers(0, 7), st.tuples(st.integers(0, 63), st.integers(0, 63)), WAYS, _SEEDS)


def with_empty_rows() -> Cases:
    """Return rows of which at least one is empty."""

    def put(lengths: list[int], at: int, way: str, seed: int) -> Case:
        sizes = [*lengths]
        sizes.insert(at % (len(sizes) + 1), 0)
        return apart(sizes, way=way, seed=seed)

    return st.builds(put, st.lists(_WORDS, min_size=1, max_size=6), st.integers(0, 6), WAYS, _SEEDS)


def with_one_source() -> Cases:
    """Return rows that go to different places from the same one."""

    def copies(length: int, count: int, seed: int, way: str) -> Case:
        rows = apart([length] * count).rows
        rows[:, 0] = 8
        return case(rows, (length + 16, int(rows[-1, 1]) + length + 8), seed=seed, way=way)

    return st.builds(copies, _WORDS, st.integers(2, 8), _SEEDS, WAYS)


def mergeable() -> Cases:
    """Return rows in order that touch on both sides."""

    def touching(length: int, count: int, seed: int, way: str) -> Case:
        number = np.arange(count) * length
        return case(np.column_stack((number, number, np.full(count, length))), seed=seed, way=way)

    return st.builds(touching, _WORDS, st.integers(2, 32), _SEEDS, WAYS)


def tags(content: st.SearchStrategy[bytes]) -> Cases:
    """Return one row with such a tag."""
    build: Callable[..., Case] = apart
    return st.builds(build, st.just([64]), tag=content, seed=_SEEDS)


def binary_tags() -> st.SearchStrategy[bytes]:
    """Return tags with a byte that is no text, or NUL, in them."""
    strange = st.sampled_from((b"\0", b"\xff", b"\0\0", b"\x80\0"))
    return st.builds(lambda head, one, tail: head + one + tail, st.binary(max_size=30), strange, st.binary(max_size=30))
