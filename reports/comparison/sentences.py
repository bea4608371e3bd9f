"""What a comparison says in words: no more than whether intervals overlap, and how much the machine itself changed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from perf import words
from perf.comparing.band import BAND
from perf.identity import CEILING
from perf.verdict import PIECES
from reports.comparison.ratio import BAND_WORDS, Relation, ratio, times

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from perf.comparing.pairing import Pair
    from perf.summary import PointSummary
    from reports.comparison.ratio import Ratio

RUNS_APART = (
    "Runs apart: a difference under the between-run band of this machine means nothing"
    f" ({BAND_WORDS} were measured for the same code on a quiet machine of 2 cores; a busy one does worse)."
    " What is to be told apart is measured interleaved, in one run."
)
_REASONS = 3  # against a ratio, told in a sentence
_RELATIONS: dict[Relation, str] = {
    "overlap": "not shown to differ",
    "within": f"with intervals apart, within the {100 * BAND:.0f} % band",
    "beyond": f"with intervals apart, beyond the {100 * BAND:.0f} % band",
    "unknown": "without an interval",
    "none": "",
}


def verdict(
    together: Sequence[Pair], every: Sequence[Pair], names: Sequence[str], elsewhere: Collection[int] = ()
) -> list[str]:
    """Return what is to be said, the most important first.

    `names` are the labels of the runs, the first the baseline; `elsewhere` the
    places of those that another machine measured.
    """
    names = [f"\N{LEFT DOUBLE QUOTATION MARK}{name}\N{RIGHT DOUBLE QUOTATION MARK}" for name in names]
    told = [*_headlines(together, names, elsewhere)]
    for number in range(1, len(names)):
        told += [*_counted(together, number, names), *_control(together, number, names, here=number not in elsewhere)]
    told += _unpaired(together, every, names)
    return [*told, RUNS_APART]


def _headlines(together: Sequence[Pair], names: Sequence[str], elsewhere: Collection[int]) -> Iterable[str]:
    """Tell the largest KV-cache transfer of each run beside the first: what can be compared before what cannot."""
    caches = [pair for pair in together if pair.point.unit != "bytes" and pair.point.transport != CEILING]
    if not caches:
        yield "No KV-cache transfer is in two of these runs."
        return
    for number in range(1, len(names)):
        both = [pair for pair in caches if pair.members[0] and pair.members[number]]
        if not both:
            yield f"{names[number]} and {names[0]} have no KV-cache transfer in common."
            continue
        largest = max(both, key=lambda pair: (_beside(pair, number, names).value is not None, *_weight(pair)))
        yield _headline(largest, number, names) + (" They are different machines." if number in elsewhere else "")


def _weight(pair: Pair) -> tuple[object, ...]:
    point = pair.point
    return pair.present[0].logical_bytes, point.descriptor_bytes, point.pattern == "scattered"


def _beside(pair: Pair, number: int, names: Sequence[str]) -> Ratio:
    first, other = pair.members[0], pair.members[number]
    if other is None:
        raise ValueError("a pair without the run that is asked for")
    return ratio(first, other, names[0])


def _headline(pair: Pair, number: int, names: Sequence[str]) -> str:
    first, other, beside = pair.members[0], pair.members[number], _beside(pair, number, names)
    here, there = names[number], names[0]
    if first is None or other is None:
        return ""
    if beside.value is None:
        return f"{_moved(pair)}: no ratio between {here} and {there}: {beside.refused}. {_wires(first, other, names, number)}"
    rates = f"{_rate(other, pair)} in {here} and {_rate(first, pair)} in {there}: {times(beside.value)} times the first"
    faster = here if beside.value > 1 else there
    lead, tail = {
        "overlap": (f"{here} and {there} are not shown to differ", "the intervals overlap"),
        "within": (
            f"{faster} had the higher rate, which runs of the same code can have",
            f"the intervals are apart, within the {100 * BAND:.0f} % band",
        ),
        "beyond": (f"{faster} was faster", f"the intervals are apart, beyond the {100 * BAND:.0f} % band"),
        "unknown": (f"{here} and {there} are not shown to differ", "one has too few launches for an interval"),
        "none": ("", ""),
    }[beside.relation]
    return f"{lead}: {_moved(pair)} at {rates}; {tail}. {_wires(first, other, names, number)}"


def _moved(pair: Pair) -> str:
    point = pair.point
    place = "" if words.between(point) == words.between_hosts() else f", {words.between(point)}"
    cache = f"{point.workload}'s KV cache"
    moved = f"{pair.carrier} moved {cache}" if pair.carrier else f"{cache} moved"
    return f"{moved} in {point.pattern} {PIECES[point.unit]} ({point.op}{place})"


def _rate(one: PointSummary, pair: Pair) -> str:
    estimate = words.rate(one.throughput)
    by = "" if pair.carrier else f" by {words.carrier(one.point)}"
    return f"{estimate.value} GB/s {estimate.span}".rstrip() + by


def _wires(first: PointSummary, other: PointSummary, names: Sequence[str], number: int) -> str:
    if first.wires == other.wires:
        return f"Wire in both: {words.wires(first)}."
    return f"Wires: {words.wires(other)} in {names[number]}, {words.wires(first)} in {names[0]}."


def _counted(together: Sequence[Pair], number: int, names: Sequence[str]) -> Iterable[str]:
    """Count how the points of a run stand to the first run's, without the ceiling."""
    both = [p for p in together if p.members[0] and p.members[number] and p.point.transport != CEILING]
    if not both:
        return
    found = [_beside(pair, number, names) for pair in both]
    counted = Counter(one.relation for one in found if one.value is not None)
    told = [f"{counted[relation]} {what}" for relation, what in _RELATIONS.items() if what and counted[relation]]
    faster = sum(one.relation == "beyond" and one.value is not None and one.value > 1 for one in found)
    if counted["beyond"]:
        told[-1 if not counted["unknown"] else -2] += f" ({faster} faster, {counted['beyond'] - faster} slower)"
    if refused := Counter(one.refused for one in found if one.value is None):
        why = "; ".join(reason for reason, _ in refused.most_common(_REASONS))
        more = f"; and {len(refused) - _REASONS} other reasons" if len(refused) > _REASONS else ""
        told.append(f"{refused.total()} without a ratio ({why}{more})")
    yield f"{names[number]} beside {names[0]}: {_points(len(both))} in both, {', '.join(told)}."


def _control(together: Sequence[Pair], number: int, names: Sequence[str], *, here: bool) -> Iterable[str]:
    """Tell how much `copy` changed: no transfer library has a part in it, so what changed is the machine."""
    both = [p for p in together if p.members[0] and p.members[number] and p.point.transport == CEILING]
    values = sorted(value for pair in both if (value := _beside(pair, number, names).value) is not None)
    if values:
        span = " to ".join(dict.fromkeys(times(value) for value in (values[0], values[-1])))
        yield (
            f"{CEILING}, in which no transfer library has a part, ran in {names[number]} at {span} times its rate in"
            f" {names[0]} ({_points(len(values))}): so much did the machine{' itself change' if here else 's differ'}."
        )


def _unpaired(together: Sequence[Pair], every: Sequence[Pair], names: Sequence[str]) -> list[str]:
    if not together:
        return ["No point is in two of these runs: nothing here can be compared."]
    alone = [
        (name, sum(len(p.present) == 1 and p.members[number] is not None for p in every))
        for number, name in enumerate(names)
    ]
    told = [f"{_points(count)} only in {name}" for name, count in alone if count]
    some = sum(len(pair.present) < len(names) for pair in together) if len(names) > 2 else 0  # noqa: PLR2004  of two, some are all
    told += [f"{_points(some)} in some of the runs"] if some else []
    return [f"Not in all runs: {'; '.join(told)}. They are listed."] if told else []


def _points(count: int) -> str:
    return "1 point" if count == 1 else f"{count} points"
