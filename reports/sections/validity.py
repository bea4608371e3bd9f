"""What was checked of the numbers: which doubts were found and what to do, which were not, and what is in no number. Nothing is drawn here."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.validity import LEVELS, REGISTRY, UNKNOWN, doubt
from perf.words import full_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from perf.summary import PointSummary

MOST = 100  # launches that are listed; the downloads have all


@dataclass(frozen=True)
class Check:
    """A doubt that was found."""

    code: str
    level: str  # the gravest that was found
    title: str
    means: str
    remedy: str
    points: str  # "at 3 of 22 points"


@dataclass(frozen=True)
class LeftOut:
    """A launch that is in no number."""

    point: str
    launch: int  # from 1 on, as a sweep counts them for a reader
    code: str
    why: str


@dataclass(frozen=True)
class Validity:
    """The section."""

    found: tuple[Check, ...] = ()
    clean: tuple[str, ...] = ()  # titles of doubts that no point has
    left_out: tuple[LeftOut, ...] = ()
    more: int = 0  # launches that are left out as well, and not listed
    emulated: bool = False  # some points have no times that could be checked
    unwatched: bool = False  # no launch has told of its processors: who else used the machine is not known


def validity(summaries: Sequence[PointSummary]) -> Validity:
    """Return what the checks of all points found."""
    levels: dict[str, set[str]] = {}
    counts: Counter[str] = Counter()
    for summary in summaries:
        for code in {one.code for one in summary.issues}:
            counts[code] += 1
        for issue in summary.issues:
            levels.setdefault(issue.code, set()).add(issue.level)
    left_out = list(_left_out(summaries))
    timed = [one for summary in summaries if not summary.emulated for one in summary.repetitions]
    unwatched = bool(timed) and not any(one.used for one in timed)
    untold = {"loaded-machine"} if unwatched else set()
    found = [_check(code, levels[code], counts[code], len(summaries)) for code in counts]
    return Validity(
        found=tuple(sorted(found, key=lambda one: (LEVELS.index(one.level), one.code))),
        clean=tuple(one.title for one in REGISTRY if one.code not in {*counts, *untold}),
        left_out=tuple(left_out[:MOST]),
        more=max(0, len(left_out) - MOST),
        emulated=any(one.emulated for one in summaries),
        unwatched=unwatched,
    )


def _check(code: str, levels: Iterable[str], points: int, total: int) -> Check:
    known = doubt(code)
    told = f"at {points} of {total} points" if total > 1 else "at the only point"
    gravest = min(levels, key=LEVELS.index)
    shown = code if known.code != UNKNOWN else f"{code} ({UNKNOWN})"
    return Check(shown, gravest, known.title, known.means, known.remedy, told)


def _left_out(summaries: Iterable[PointSummary]) -> Iterable[LeftOut]:
    for summary in summaries:
        for one in summary.left_out:
            yield LeftOut(full_name(summary.point), one.launch + 1, one.code, one.why)
