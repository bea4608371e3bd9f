"""Two runs apart, point by point: what is compared, with which verdict, and what is not compared and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

from perf.comparing.judge import MIN_LAUNCHES, Verdict, judge
from perf.comparing.likeness import UNTOLD, refusals, remarks
from perf.comparing.pairing import pairs
from perf.comparing.runs import check_alike, differences
from perf.identity import CEILING
from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from perf.comparing.judge import Judgement
    from perf.comparing.pairing import Pair
    from perf.comparing.runs import Compared, Difference
    from perf.record import Point
    from perf.summary import PointSummary

VERDICTS = get_args(Verdict)


@dataclass(frozen=True)
class Row:
    """One point; it has a judgement, or `refused` says why not."""

    point: Point
    base: PointSummary | None
    new: PointSummary | None
    judgement: Judgement | None
    refused: str
    remarks: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """One of VERDICTS, or `not compared`."""
        return self.judgement.verdict if self.judgement else "not compared"


@dataclass(frozen=True)
class Comparison:
    """Everything that the command prints and the gate asks for."""

    base: str
    new: str
    band: float
    band_source: str
    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    sentences: tuple[str, ...]


def compare(base: Compared, new: Compared, *, band: float, band_source: str) -> Comparison:
    """Compare two runs of one machine; `BadInput` where they are unlike as a whole, or no point can be compared."""
    notes = check_alike(base, new)
    rows = _rows(pairs([base.summaries, new.summaries]), band, base.name)
    if not any(row.judgement for row in rows):
        reasons = sorted({row.refused for row in rows})
        message = f"no point of {base.name} and {new.name} can be compared: {'; '.join(reasons[:5]) or 'there is none'}"
        raise BadInput("nothing-to-compare", message, "compare runs of one spec")
    return Comparison(
        base=base.name,
        new=new.name,
        band=band,
        band_source=band_source,
        rows=tuple(rows),
        differences=tuple(differences(base, new)),
        notes=(*notes, *(f"{run.name}: {note}" for run in (base, new) for note in run.notes)),
        sentences=tuple(_sentences(rows, band, band_source)),
    )


def _rows(every: Sequence[Pair], band: float, base_name: str) -> list[Row]:
    """Judge all pairs together: the false-discovery adjustment is over the whole comparison."""
    refused = [_refused(pair, base_name) for pair in every]
    alike = [pair for pair, reason in zip(every, refused, strict=True) if not reason]
    judged = iter(judge([(_rates(pair.members[0]), _rates(pair.members[1])) for pair in alike], band))
    return [
        Row(
            point=pair.point,
            base=pair.members[0],
            new=pair.members[1],
            judgement=None if reason else _without_spread(pair, next(judged)),
            refused=reason,
            remarks=() if reason else tuple(_remarks(*pair.present)),
        )
        for pair, reason in zip(every, refused, strict=True)
    ]


def _without_spread(pair: Pair, judgement: Judgement) -> Judgement:
    """Say of one figure of another tool what it is: there is nothing that a verdict could be made of."""
    single = any(one.allocation == UNTOLD and one.launches == 1 for one in pair.present)
    if not single:
        return judgement
    why = "one figure without spread"
    return replace(judgement, why=why, decide=f"{MIN_LAUNCHES} files of repeated runs, each of which is a launch")


def _refused(pair: Pair, base_name: str) -> str:
    base, new = pair.members
    if base is None or new is None:
        return "only in NEW" if base is None else "only in BASE"
    reason = next(refusals(base, new, base_name), "")
    return reason or ("" if _rates(base) and _rates(new) else "no launch has a rate")


def _rates(one: PointSummary | None) -> list[float]:
    return [rep.throughput for rep in one.repetitions if rep.throughput] if one else []


def _remarks(base: PointSummary, new: PointSummary) -> Iterator[str]:
    yield from remarks(base, new)
    doubts = [sorted({issue.code for issue in one.issues if issue.level == "OPEN"}) for one in (base, new)]
    told = [f"{name}: {', '.join(codes)}" for name, codes in zip(("BASE", "NEW"), doubts, strict=True) if codes]
    yield from [f"both: {', '.join(doubts[0])}"] if doubts[0] and doubts[0] == doubts[1] else told


def _sentences(rows: Sequence[Row], band: float, source: str) -> Iterator[str]:
    counted = Counter(row.verdict for row in rows)
    told = [f"{counted[verdict]} {verdict}" for verdict in (*VERDICTS, "not compared") if counted[verdict]]
    yield f"Of {'1 point' if len(rows) == 1 else f'{len(rows)} points'}: {', '.join(told)}."
    yield (
        f"These runs lie apart, so no difference within {100 * band:.3g} % is claimed ({source})."
        " Smaller ones can only be told in one run that measures both interleaved."
    )
    moved = [row for row in rows if row.point.transport == CEILING and row.verdict in {"faster", "slower"}]
    if moved:
        yield (
            f"{CEILING}, in which no transfer library has a part, changed as well ({len(moved)} of its points):"
            " the machine is not as it was, so measure again before you blame the software."
        )
