"""One point of two runs: whether their rates may be divided, and what the quotient can tell.

Runs apart are not a measurement of a difference. Between runs of the same code on
one machine, about a minute apart, medians shifted by 6 to 21 %, and most pairs
looked different to a test that was meant for launches of one run. So nothing here
claims more than whether two intervals overlap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from perf.comparing.band import BAND
from perf.comparing.likeness import refusals, remarks

if TYPE_CHECKING:
    from perf.summary import Interval, PointSummary

BAND_WORDS = "6 to 21 %"

Relation = Literal["overlap", "within", "beyond", "unknown", "none"]
WORDS: dict[Relation, str] = {
    "overlap": "intervals overlap: not shown to differ",
    "within": f"intervals apart, within the {100 * BAND:.0f} % band",
    "beyond": f"intervals apart, beyond the {100 * BAND:.0f} % band",
    "unknown": "no interval: not shown to differ",
    "none": "",
}


@dataclass(frozen=True)
class Ratio:
    """Median by median; `value` is None where `refused` says why there is none."""

    value: float | None
    relation: Relation
    refused: str
    remarks: tuple[str, ...] = ()  # what else is not alike, where a ratio still says something

    @property
    def text(self) -> str:
        """The quotient with three digits, or nothing."""
        return "" if self.value is None else f"{times(self.value)} \N{MULTIPLICATION SIGN}"

    @property
    def words(self) -> str:
        """What the two intervals tell."""
        return WORDS[self.relation]


def times(value: float) -> str:
    """Return a quotient with three digits."""
    return f"{value:#.3g}".rstrip(".")


def ratio(first: PointSummary | None, other: PointSummary, first_name: str) -> Ratio:
    """Return `other` by `first`, throughput by throughput; `first_name` is for the words."""
    if first is None:
        return Ratio(None, "none", f"not measured in {first_name}")
    refused = next(refusals(first, other, first_name), "")
    if refused or first.throughput is None or other.throughput is None:
        return Ratio(None, "none", refused)
    value = other.throughput.median / first.throughput.median
    return Ratio(value, relation(first.throughput, other.throughput), "", tuple(remarks(first, other)))


def relation(first: Interval, other: Interval) -> Relation:
    """Tell whether two intervals overlap, and if not, whether runs of the same code may be as far apart."""
    if first.low is None or first.high is None or other.low is None or other.high is None:
        return "unknown"
    if not all(map(math.isfinite, (first.low, first.high, other.low, other.high))):
        return "unknown"
    if first.low <= other.high and other.low <= first.high:
        return "overlap"
    more, less = max(first.median, other.median), min(first.median, other.median)
    return "within" if more <= (1 + BAND) * less else "beyond"
