"""In which order a launch measures A and B: point by point in turns that neither can profit from.

Both sides of a launch have their workers at the same time, one side asleep while the other
transfers. So a point of A and the same point of B are moments apart, and what the
machine does meanwhile cancels out. Which goes first is drawn for every point; of two successive launches
each side goes first in one, because whoever comes second finds the machine warmer.
"""

from __future__ import annotations

import random
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from perf.planning import schedule

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from perf.planning import PlannedPoint
    from perf.record import PointRecord
    from perf.setups import Setup

    Order = list[tuple[int, int]]  # position in the launch, index of the point


def orders(planned: Sequence[PlannedPoint], launches: int, seed: int) -> list[list[int]]:
    """Return, for each launch, the indices of `planned` in the order to measure them.

    Points come as `perf.ab.sides.doubled` lists them; without variants it is the plain schedule. An order
    depends on the seed, the launch and the number of points alone.
    """
    names = {one.point.variant for one in planned}
    if len(names) < 2:  # noqa: PLR2004  nothing to interleave
        return schedule(planned, launches, seed)
    count = len(planned) // 2
    plain = schedule(planned[:count], launches, seed)
    return [
        [twin for index in order for twin in _turns(index, count, seed, launch)] for launch, order in enumerate(plain)
    ]


def twin(planned: Sequence[PlannedPoint], index: int) -> int | None:
    """Return the index of the same point on the other side, which must be measured moments before or after it; None without sides."""
    return (index + len(planned) // 2) % len(planned) if planned[index].point.variant else None


def _turns(index: int, count: int, seed: int, launch: int) -> tuple[int, int]:
    """Draw for each two launches which twin goes first; the second of them has the other order."""
    drawn = random.Random(repr((seed, launch // 2, index))).random() < 1 / 2  # noqa: S311  an order, no secret
    pair = index, index + count
    return pair if drawn != bool(launch % 2) else pair[::-1]


def side_by_side(groups: Iterable[tuple[Setup, Order]]) -> list[list[tuple[Setup, Order]]]:
    """Put A's and B's group of one setup together; a group without a variant stays alone."""
    found: dict[Setup, list[tuple[Setup, Order]]] = {}
    for setup, order in groups:
        found.setdefault(replace(setup, name="", variant=""), []).append((setup, order))
    return list(found.values())


def in_turns(measuring: Mapping[str, Generator[PointRecord]], turns: Sequence[str]) -> Generator[PointRecord]:
    """Yield one record of the side whose turn it is, again and again; then let all sides end.

    `measuring` has the records of each side, one a point; its workers start with the first and are gone when we are.
    """
    with ExitStack() as stack:
        for records in measuring.values():
            stack.enter_context(closing(records))
        for side in turns:
            yield from islice(measuring[side], 1)
        for records in measuring.values():
            yield from records
