"""Random windows and the slow way to carry them out: copy the bytes, one row after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import strategies as st

from suite.kv import stamp
from suite.kv.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SOURCE = 1 << 40
DESTINATION = 3 << 40


@dataclass(frozen=True)
class Window:
    """Two regions of `words`, and what a window of some samples moves from one to the other."""

    words: int
    plans: list[Plan]
    source: int = SOURCE
    destination: int = DESTINATION

    def content(self, epoch: int) -> stamp.Content:
        """Return what the code under test expects of the destination."""
        return stamp.landed(self.plans, words=self.words, source=self.source, destination=self.destination, epoch=epoch)

    def copied(self, epoch: int, before: NDArray[np.uint64] | None = None) -> NDArray[np.uint64]:
        """Fill both regions (or take `before` as the destination), copy every row's bytes, return the destination."""
        prefill, decode = np.empty(self.words, np.uint64), np.empty(self.words, np.uint64)
        stamp.fill(prefill, stamp.uniform(self.words, stamp.Side.PREFILL, epoch))
        stamp.fill(decode, stamp.uniform(self.words, stamp.Side.DECODE, epoch))
        if before is not None:
            decode[:] = before
        got, kept = decode.view(np.uint8), prefill.view(np.uint8)
        for plan in self.plans:
            for (origin, length, _), (target, _, _) in zip(
                plan.source.tolist(), plan.destination.tolist(), strict=True
            ):
                start, end = target - self.destination, origin - self.source
                got[start : start + length] = kept[end : end + length]
        return decode


def plan_of(table: list[tuple[int, int, int]]) -> Plan:
    """Return a plan from rows of (source address, destination address, length in bytes)."""
    numbers = np.array(table, np.uint64).reshape(-1, 3)
    zeros = np.zeros(len(numbers), np.uint64)
    total = int(numbers[:, 2].sum())
    source = np.column_stack((numbers[:, 0], numbers[:, 2], zeros))
    destination = np.column_stack((numbers[:, 1], numbers[:, 2], zeros))
    return Plan(source, destination, total, total, total)


@st.composite
def random_windows(draw: st.DrawFn) -> Window:
    """Draw rows that do not overlap at the destination, in any order, in one plan or several."""
    pieces = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6)), min_size=1, max_size=12))
    words = sum(gap + length for gap, length in pieces) + draw(st.integers(0, 3))
    table, at = [], 0
    for gap, length in pieces:
        at += gap
        origin = draw(st.one_of(st.just(at), st.integers(0, words - length)))
        table.append((SOURCE + 8 * origin, DESTINATION + 8 * at, 8 * length))
        at += length
    table = draw(st.permutations(table))
    cut = draw(st.integers(0, len(table)))
    return Window(words, [plan_of(part) for part in (table[:cut], table[cut:])])


@pytest.fixture(scope="session")
def windows() -> st.SearchStrategy[Window]:
    return random_windows()


@pytest.fixture(scope="session")
def make_window() -> Callable[..., Window]:
    """Build a window from its size in words and rows of (source word, destination word, words)."""

    def build(words: int, *table: tuple[int, int, int]) -> Window:
        return Window(words, [plan_of([(SOURCE + 8 * a, DESTINATION + 8 * b, 8 * n) for a, b, n in table])])

    return build


@pytest.fixture(scope="session", name="plan_of")
def plan_builder() -> Callable[[list[tuple[int, int, int]]], Plan]:
    return plan_of
