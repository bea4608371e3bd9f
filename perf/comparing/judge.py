"""One ratio of two runs apart -> faster, slower, same, within noise or inconclusive; never more than the launches show.

Runs apart always differ a little, so what is tested is not whether they differ but
whether they differ by more than the band: NEW is brought nearer to BASE by the band, and the exact
test must still tell them apart, below CLAIM after the false-discovery adjustment
over the sweep. The whole interval must lie beyond the band as well. So of a hundred
comparisons of the same code one may raise an alarm, if the machine stays within its band.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from perf.comparing.band import beyond
from perf.comparing.bootstrap import ratio_of_medians
from perf.comparing.ranks import at_most, exact_p, false_discovery, launches_needed, smallest_p

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perf.comparing.bootstrap import RatioInterval

CLAIM = 0.01  # faster or slower: an alarm costs somebody a day
DIFFER = 0.05  # launches are not alike; nothing is claimed of it
MIN_LAUNCHES = 5  # a side; with four, two runs that differ in every launch still have p = 0.03
_TOO_MANY = 50  # launches a side; nobody waits for more
_INTERLEAVED = "measure both interleaved in one run (docs/side-by-side.md, To settle it)"

Verdict = Literal["faster", "slower", "same", "within noise", "inconclusive"]


@dataclass(frozen=True)
class Judgement:
    """What is said of one point; `q` and `beyond_q` are p after the adjustment over all points of the comparison."""

    verdict: Verdict
    interval: RatioInterval | None  # NEW by BASE; None for too few launches
    ratio: float
    p: float  # that the launches are alike
    q: float
    beyond_q: float  # that they differ by no more than the band
    base_launches: int
    new_launches: int
    why: str
    decide: str  # what would decide; empty where nothing is left open


Values = tuple["Sequence[float]", "Sequence[float]"]  # launches of BASE and of NEW: rates, all positive


def judge(points: Sequence[Values], band: float) -> list[Judgement]:
    """Return one judgement for each point: rates of its launches in BASE and in NEW, at least one of each."""
    tested = [one for one in points if _enough(*one)]
    plain = [exact_p(at_most(base), at_most(new)) for base, new in tested]
    beyond_band = [_beyond_p(base, new, band) for base, new in tested]
    chances = zip(plain, false_discovery(plain), false_discovery(beyond_band), strict=True)
    return [
        _judged(one, Chances(*next(chances)), band, len(tested)) if _enough(*one) else _too_few(one, len(points))
        for one in points
    ]


class Chances(NamedTuple):
    """Of one point, over the whole comparison."""

    p: float
    q: float
    beyond_q: float


def _enough(base: Sequence[float], new: Sequence[float]) -> bool:
    return min(len(base), len(new)) >= MIN_LAUNCHES


def _beyond_p(base: Sequence[float], new: Sequence[float], band: float) -> float:
    """Return p of BASE and NEW brought nearer by the band; 1.0 where that brings them past each other."""
    ratio = statistics.median(new) / statistics.median(base)
    if not beyond(ratio, band):
        return 1.0
    nearer = 1 / (1 + band) if ratio > 1 else 1 + band
    return exact_p(at_most(base), at_most([rate * nearer for rate in new]))


def _judged(values: Values, chances: Chances, band: float, tests: int) -> Judgement:
    base, new = values
    interval = ratio_of_medians(at_most(new), at_most(base))
    verdict, why = _verdict(interval, chances, band)
    decide = _INTERLEAVED if verdict == "within noise" else ""
    if verdict == "inconclusive":
        decide = _decide(interval, band, (len(base), len(new)), tests)
    return Judgement(
        verdict=verdict,
        interval=interval,
        ratio=interval.ratio,
        p=chances.p,
        q=chances.q,
        beyond_q=chances.beyond_q,
        base_launches=len(base),
        new_launches=len(new),
        why=why,
        decide=decide,
    )


def _verdict(interval: RatioInterval, chances: Chances, band: float) -> tuple[Verdict, str]:
    ends = beyond(interval.low, band), beyond(interval.high, band)
    outside = all(ends) and (interval.low > 1) == (interval.high > 1)
    told = f"the {100 * band:.3g} % by which runs of the same code differ"
    if outside and chances.beyond_q < CLAIM:
        return "faster" if interval.ratio > 1 else "slower", f"the whole interval is beyond {told}"
    if outside:
        return "inconclusive", f"beyond {told}, but too few launches show it (q = {chances.beyond_q:.2g})"
    if chances.q < DIFFER:
        where = "reaches into" if any(ends) else "is within"
        return "within noise", f"launches differ, but the interval {where} {told}"
    if not any(ends):
        return "same", f"not shown to differ, and any difference is within {told}"
    return "inconclusive", f"not shown to differ, but a difference beyond {told} is not excluded"


def _too_few(values: Values, points: int) -> Judgement:
    base, new = values
    fewest = min(len(base), len(new))
    needed = max(MIN_LAUNCHES, launches_needed(points, CLAIM))
    return Judgement(
        verdict="inconclusive",
        interval=None,
        ratio=statistics.median(new) / statistics.median(base),
        p=exact_p(at_most(base), at_most(new)),
        q=1.0,
        beyond_q=1.0,
        base_launches=len(base),
        new_launches=len(new),
        why=f"{'1 launch' if fewest == 1 else f'{fewest} launches'} on a side: a comparison needs {MIN_LAUNCHES}",
        decide=f"{needed} launches a side: with them one point among {points} can be found to differ",
    )


def _decide(interval: RatioInterval, band: float, launches: tuple[int, int], tests: int) -> str:
    """Say how many launches would do, if an interval narrows with the square root of their number."""
    fewest = min(launches)
    edge = math.log(1 + band)
    room = abs(abs(math.log(interval.ratio)) - edge)
    half = max(math.log(interval.high / interval.ratio), math.log(interval.ratio / interval.low))
    narrow = math.ceil(fewest * (half / room) ** 2) if room > half / _TOO_MANY else _TOO_MANY + 1
    able = launches_needed(tests, CLAIM) if smallest_p(*launches) * tests > CLAIM else 0
    needed = max(narrow, able, fewest + 1)
    if needed > _TOO_MANY:
        return _INTERLEAVED
    return f"about {needed} launches a side"
