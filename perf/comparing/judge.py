"""One ratio of two runs apart -> faster, slower, same, within noise or inconclusive; never more than the launches show.

Claimed is only what passes three times: the whole interval lies beyond the band, the
exact test stays below ALPHA after the false-discovery adjustment over the sweep, and
there are enough launches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from perf.comparing.band import beyond
from perf.comparing.bootstrap import ratio_of_medians
from perf.comparing.ranks import at_most, exact_p, false_discovery, launches_needed, smallest_p

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perf.comparing.bootstrap import RatioInterval

ALPHA = 0.05
MIN_LAUNCHES = 5  # a side; with four, two runs that differ in every launch still have p = 0.03
_TOO_MANY = 50  # launches a side; nobody waits for more
_INTERLEAVED = "measure both interleaved in one run (docs/comparing.md, To settle it)"

Verdict = Literal["faster", "slower", "same", "within noise", "inconclusive"]


@dataclass(frozen=True)
class Judgement:
    """What is said of one point; `q` is p after the adjustment over all points of the comparison."""

    verdict: Verdict
    interval: RatioInterval | None  # NEW by BASE; None for too few launches
    ratio: float
    p: float
    q: float
    base_launches: int
    new_launches: int
    why: str
    decide: str  # what would decide; empty where nothing is left open


Values = tuple["Sequence[float]", "Sequence[float]"]  # launches of BASE and of NEW: rates, all positive


def judge(points: Sequence[Values], band: float) -> list[Judgement]:
    """Return one judgement for each point: rates of its launches in BASE and in NEW, at least one of each."""
    p_values = [exact_p(at_most(base), at_most(new)) for base, new in points]
    enough = [min(len(base), len(new)) >= MIN_LAUNCHES for base, new in points]
    tested = false_discovery([p for p, counts in zip(p_values, enough, strict=True) if counts])
    adjusted = iter(tested)
    return [
        _judged(base, new, p, next(adjusted), band=band, tests=len(tested))
        if counts
        else _too_few(base, new, p, len(points))
        for (base, new), p, counts in zip(points, p_values, enough, strict=True)
    ]


def _judged(base: Sequence[float], new: Sequence[float], p: float, q: float, *, band: float, tests: int) -> Judgement:
    interval = ratio_of_medians(at_most(new), at_most(base))
    verdict, why, decide = _verdict(interval, q, band)
    if verdict == "inconclusive":
        decide = _decide(interval, band, (len(base), len(new)), tests)
    return Judgement(verdict, interval, interval.ratio, p, q, len(base), len(new), why, decide)


def _verdict(interval: RatioInterval, q: float, band: float) -> tuple[Verdict, str, str]:
    outside = beyond(interval.low, band) and beyond(interval.high, band) and (interval.low > 1) == (interval.high > 1)
    inside = not beyond(interval.low, band) and not beyond(interval.high, band)
    different = q < ALPHA
    told = f"{100 * band:.3g} %"
    if different and outside:
        verdict: Verdict = "faster" if interval.ratio > 1 else "slower"
        return verdict, f"the whole interval is beyond the {told} by which runs of the same code differ", ""
    if different:
        where = "is within" if inside else "reaches into"
        why = f"launches differ, but the interval {where} the {told} by which runs of the same code differ"
        return "within noise", why, _INTERLEAVED
    if inside:
        return "same", f"not shown to differ, and any difference is within {told}", ""
    return "inconclusive", f"not shown to differ, but a difference of more than {told} is not excluded", _INTERLEAVED


def _too_few(base: Sequence[float], new: Sequence[float], p: float, points: int) -> Judgement:
    fewest = min(len(base), len(new))
    needed = max(MIN_LAUNCHES, launches_needed(points, ALPHA))
    why = f"{'1 launch' if fewest == 1 else f'{fewest} launches'} on a side: a comparison needs {MIN_LAUNCHES}"
    decide = f"{needed} launches a side: with them one point among {points} can be found to differ"
    ratio = ratio_of_medians(at_most(new), at_most(base)).ratio
    return Judgement("inconclusive", None, ratio, p, 1.0, len(base), len(new), why, decide)


def _decide(interval: RatioInterval, band: float, launches: tuple[int, int], tests: int) -> str:
    """Say how many launches would do, if an interval narrows with the square root of their number."""
    fewest = min(launches)
    edge = math.log(1 + band)
    room = abs(abs(math.log(interval.ratio)) - edge)
    half = max(math.log(interval.high / interval.ratio), math.log(interval.ratio / interval.low))
    narrow = math.ceil(fewest * (half / room) ** 2) if room > half / _TOO_MANY else _TOO_MANY + 1
    able = launches_needed(tests, ALPHA) if smallest_p(*launches) * tests > ALPHA else 0
    needed = max(narrow, able, fewest + 1)
    if needed > _TOO_MANY:
        return _INTERLEAVED
    return f"about {needed} launches a side"
