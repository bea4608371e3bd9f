"""The launches of one point under A and B -> faster, slower, same, within noise or inconclusive, and what would decide.

Launches are pairs, so what the machine did to both cancels out and no band between runs
is taken off. The sweep's points are one family: a claim needs q < CLAIM after the
false-discovery adjustment over all of them, so of a hundred comparisons of
a thing with itself one may raise an alarm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from perf.ab.signed_rank import exact_p, pairs_needed, shift, smallest_p
from perf.comparing.ranks import false_discovery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perf.comparing.judge import Verdict

CLAIM = 0.01  # faster or slower: an alarm costs somebody a day
MATTERS = 0.02  # the smallest difference that is one, unless --smallest says otherwise
CONFIDENCE = 0.95
_POWER = 0.8  # the chance with which the launches that are asked for would decide
_TOO_MANY = 200  # launches; nobody waits for more

Pair = tuple[float, float]  # one launch: rates of A and of B, both positive


@dataclass(frozen=True)
class Judgement:
    """What is said of one point; `q` is p after the adjustment over all points of the sweep."""

    verdict: Verdict
    ratio: float  # B by A, the middle of the launches' ratios
    low: float | None  # its interval; None for too few launches
    high: float | None
    confidence: float | None
    p: float
    q: float
    launches: int  # that have both
    why: str
    decide: str  # what would decide; empty where nothing is left open


@dataclass(frozen=True)
class _Case:
    """What a verdict is made of; logarithms of ratios."""

    middle: float
    low: float
    high: float
    q: float
    launches: int
    tests: int
    matters: float

    @property
    def half(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2

    @property
    def edge(self) -> float:
        """The logarithm beyond which a difference matters."""
        return math.log1p(self.matters)


def judge(points: Sequence[Sequence[Pair]], matters: float = MATTERS) -> list[Judgement]:
    """Return one judgement for each point; a point has at least one pair, of one launch each."""
    logs = [[math.log(b / a) for a, b in pairs] for pairs in points]
    chances = [exact_p(values) for values in logs]
    adjusted = false_discovery(chances)
    return [_judged(values, p, q, len(points), matters) for values, p, q in zip(logs, chances, adjusted, strict=True)]


def launches_for(points: int) -> int:
    """Return how many launches let one changed point among so many be found."""
    return pairs_needed(points, CLAIM)


def _judged(values: Sequence[float], p: float, q: float, tests: int, matters: float) -> Judgement:
    found = shift(values, CONFIDENCE)
    verdict: Verdict = "inconclusive"
    if found.low is None or found.high is None or smallest_p(len(values)) > CLAIM:
        why = f"{_launches(len(values))} with both: fewer than {pairs_needed(1, CLAIM)} cannot show anything"
        able = f": with them one point among {tests} can be found to differ" if tests > 1 else ""
        decide = f"{launches_for(tests)} launches{able}"
    else:
        case = _Case(found.middle, found.low, found.high, q, len(values), tests, matters)
        verdict, why, decide = _verdict(case)
    low, high = (None if end is None else math.exp(end) for end in (found.low, found.high))
    return Judgement(verdict, math.exp(found.middle), low, high, found.confidence, p, q, len(values), why, decide)


def _verdict(case: _Case) -> tuple[Verdict, str, str]:
    least = _percent(case.matters)
    if -case.edge <= case.low and case.high <= case.edge:
        return "same", f"any difference is within {least}, the smallest that is said to matter", ""
    if case.q < CLAIM:
        return "faster" if case.middle > 0 else "slower", f"shown by {_launches(case.launches)} (q = {case.q:.2g})", ""
    most = _percent(math.expm1(max(-case.low, case.high)))
    if abs(case.middle) <= case.edge:
        why = f"no difference is shown; one of up to {most} could hide in how launches differ"
        return "within noise", why, _enough(_for_same(case), case.launches)
    why = f"the launches lean to {'faster' if case.middle > 0 else 'slower'}, but too few show it (q = {case.q:.2g})"
    return "inconclusive", why, _enough(_for_claim(case), case.launches)


def _for_claim(case: _Case) -> float:
    """Return how many launches would show a difference of this size, if they scatter as these do."""
    normal = NormalDist()
    level = normal.inv_cdf(1 - CLAIM / (2 * case.tests)) + normal.inv_cdf(_POWER)
    wider = level / normal.inv_cdf((1 + CONFIDENCE) / 2)
    return max(case.launches * (wider * case.half / abs(case.middle)) ** 2, launches_for(case.tests))


def _for_same(case: _Case) -> float:
    """Return how many launches would bring the interval within what matters, if it narrows with the root of their number."""
    room = case.edge - abs(case.middle)
    return case.launches * (case.half / room) ** 2 if room > 0 else math.inf


def _enough(needed: float, had: int) -> str:
    wanted = max(needed, had + 1)
    if wanted > _TOO_MANY:
        return f"more than {_TOO_MANY} launches, or longer windows (samples, windows) and a quieter machine"
    return f"about {math.ceil(wanted)} launches"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def _launches(count: int) -> str:
    return "1 launch" if count == 1 else f"{count} launches"
