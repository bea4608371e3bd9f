"""In which order a launch measures A and B: side by side, in turns that neither can profit from.

In a launch both sides measure the same points in the same random order, one side right
after the other, so that a pair of rates met the same machine. Which goes first is drawn; of two
successive launches each side goes first in one, because whoever comes second finds the machine warmer.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from perf.planning import schedule
from perf.setups import setup_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perf.planning import PlannedPoint
    from perf.setups import Setup


def orders(planned: Sequence[PlannedPoint], launches: int, seed: int) -> list[list[int]]:
    """Return, for each launch, the indices of `planned` in the order to measure them.

    Points come as `perf.ab.sides.doubled` lists them; without variants it is the plain schedule. An order
    depends on the seed, the launch and the points alone.
    """
    names = list(dict.fromkeys(one.point.variant for one in planned))
    if len(names) < 2:  # noqa: PLR2004  nothing to interleave
        return schedule(planned, launches, seed)
    count = len(planned) // len(names)
    plain = schedule(planned[:count], launches, seed)
    return [_both(planned, order, seed, launch) for launch, order in enumerate(plain)]


def _both(planned: Sequence[PlannedPoint], order: Sequence[int], seed: int, launch: int) -> list[int]:
    count = len(order)
    groups: dict[Setup, list[int]] = {}
    for index in order:
        groups.setdefault(replace(setup_of(planned[index].point), name="", variant=""), []).append(index)
    found: list[int] = []
    for setup, group in groups.items():
        first = [index + count * _second_first(seed, launch, setup) for index in group]
        found += [*first, *((index + count) % (2 * count) for index in first)]
    return found


def _second_first(seed: int, launch: int, setup: Setup) -> bool:
    """Draw for each two launches; the second of them has the other turn."""
    drawn = random.Random(repr((seed, launch // 2, setup.transport, setup.variables))).random() < 1 / 2  # noqa: S311  an order, no secret
    return drawn != bool(launch % 2)
