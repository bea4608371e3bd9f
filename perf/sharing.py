"""A budget shared out: launches that measure every point, or, where too few of those fit, the same few points in each.

An interval needs `MIN_LAUNCHES`. Where the first launch shows that so many do not fit,
the launches after it measure as many points as do: whole transfers, everybody who moves
the same bytes, first those that bring every transport. The others keep the launches
they have, and `--resume` goes on with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf.ab.judge import launches_for
from perf.analysis import MIN_LAUNCHES
from perf.identity import transfer_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from perf.budget import Budget
    from perf.identity import PointKey
    from perf.planning import PlannedPoint
    from perf.record import Point

    Order = Sequence[tuple[int, int]]  # (position, index of a point)

_CAREFUL = 0.85  # of the time that is left: what a launch costs beside its points does not shrink with them


def within(
    budget: Budget,
    left: Mapping[int, Order],
    planned: Sequence[PlannedPoint],
    launches: int,
    *,
    note: Callable[[str], None],
    thinned: set[int],
) -> Iterator[tuple[int, Order]]:
    """Yield each launch that should end in time, with the points that it is to measure; add it to `thinned` if they are few."""
    wanted = min(launches, _fewest(planned)) - (launches - len(left))  # launches that intervals still lack
    chosen: frozenset[int] | None = None
    for launch, order in left.items():
        fitting = budget.fitting(wanted, _CAREFUL)
        if fitting is not None and fitting < len(_of(order, chosen)):
            fewer = shared_out(planned, fitting)
            fewer = fewer if chosen is None else chosen & fewer
            if len(_of(order, fewer)) < len(_of(order, chosen)):  # one transfer is the least there is
                chosen = fewer
                note(_told(planned, chosen, launch))
        now = _of(order, chosen)
        if not now or not budget.launch(len(now)):
            return
        if len(now) < len(order):
            thinned.add(launch)
        yield launch, now
        budget.launched(len(now))
        wanted -= 1


def shared_out(planned: Sequence[PlannedPoint], most: int) -> frozenset[int]:
    """Return the indices of at most `most` points, in whole transfers, as many transports as can be first; one transfer at least."""
    groups: dict[PointKey, list[int]] = {}
    for index, one in enumerate(planned):
        groups.setdefault(_transfer(one.point), []).append(index)
    waiting, chosen, seen = list(groups.values()), set[int](), set[str]()
    while waiting:
        best = max(waiting, key=lambda group: len({planned[index].point.transport for index in group} - seen))
        waiting.remove(best)
        if chosen and len(chosen) + len(best) > most:
            continue
        chosen.update(best)
        seen.update(planned[index].point.transport for index in best)
    return frozenset(chosen)


def _transfer(point: Point) -> PointKey:
    """Return what a point moves; A and B of it are one, and so are pairs that transfer at the same time."""
    key = transfer_key(point)._replace(variant="")
    return key._replace(source="", destination="") if point.flows > 1 else key


def _fewest(planned: Sequence[PlannedPoint]) -> int:
    """Return how many launches say anything: those of an interval, or of the test of A against B."""
    return launches_for(1) if any(one.point.variant for one in planned) else MIN_LAUNCHES


def _of(order: Order, chosen: frozenset[int] | None) -> Order:
    return order if chosen is None else [one for one in order if one[1] in chosen]


def _told(planned: Sequence[PlannedPoint], chosen: frozenset[int], launch: int) -> str:
    names = ", ".join(sorted({planned[index].point.transport for index in chosen}))
    return (
        f"{_fewest(planned)} launches of all {len(planned)} points do not fit into the budget: from launch {launch + 1} on"
        f" {len(chosen)} of them are measured, by {names}; the others keep the launches that they have"
    )
