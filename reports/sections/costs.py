"""What a transfer costs besides its bytes, per transport: setup, phases, processor time of both sides. Nothing is drawn here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.choice import choices
from perf.cpu import SIDES as SIDES_OF_CPU
from perf.identity import CEILING, transfer_key
from perf.phases import SETUP, SIDES, SPLIT, phases
from perf.words import Estimate, carrier, percent, pieces, seconds
from reports.wording import ranged
from suite.units import format_ns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from perf.choice import Choice
    from perf.percentiles import Range
    from perf.summary import PointSummary

MOST = 4  # transfers; each has two figures at most
MOST_BARS = 16  # of one figure
MOST_PHASES = 12  # of one figure: a stranger may bring dozens
_ORDER = (*SETUP, *SIDES, *SPLIT)


@dataclass(frozen=True)
class Part:
    """One phase of one bar."""

    phase: str
    median_ns: float
    told: str  # "15.2 ms (14.9 to 468)"


@dataclass(frozen=True)
class Bar:
    """One transport; parts in the order in which they happen."""

    label: str
    parts: tuple[Part, ...]

    @property
    def total_ns(self) -> float:
        """The length of the bar."""
        return sum(part.median_ns for part in self.parts)

    def of(self, phase: str) -> Part | None:
        """Return a phase, None where the transport has none."""
        return next((part for part in self.parts if part.phase == phase), None)


@dataclass(frozen=True)
class Stack:
    """One figure: bars of transports, their phases coloured alike."""

    id: str
    title: str
    description: str
    caption: str
    phases: tuple[str, ...]
    bars: tuple[Bar, ...]

    def colour(self, phase: str) -> int:
        """Return the colour of a phase, 1 to 8."""
        place = _ORDER.index(phase) if phase in _ORDER else self.phases.index(phase)
        return 1 + place % 8

    def total(self, bar: Bar) -> str:
        """Return the length of a bar in words."""
        return format_ns(bar.total_ns)


@dataclass(frozen=True)
class Row:
    """Processor time of one transport: both sides, each with its share of one processor; a dash where nobody tells."""

    transport: str
    ceiling: bool
    sides: tuple[tuple[Estimate, Estimate], ...]  # seconds a GB and share: initiator, target


@dataclass(frozen=True)
class Costs:
    """Of the deciding transfer of each model and op: what is paid once, what for each transfer, and the very first one."""

    stacks: tuple[Stack, ...] = ()
    first: tuple[str, ...] = ()  # sentences
    cpu: tuple[tuple[str, tuple[Row, ...]], ...] = ()  # title and rows

    def __bool__(self) -> bool:
        return bool(self.stacks or self.cpu)


def costs(summaries: Iterable[PointSummary]) -> Costs:
    """Return the costs of the biggest KV caches; nothing of points whose times mean nothing."""
    timed = [one for one in summaries if one.repetitions and not one.emulated and not one.invalid]
    stacks, told, used = [], [], []
    for number, choice in enumerate(choices(timed)[:MOST], start=1):
        same = _same(choice, timed)
        found = (_setup(number, choice, same), _split(number, choice, same), _transfer(number, choice, same))
        stacks += [stack for stack in found if stack]
        told += [sentence for one in same if (sentence := _first(one))]
        if rows := tuple(_row(one) for one in same if one.cpu):
            used.append((f"{choice.op.capitalize()}, {choice.workload}: {pieces(choice.point)}", rows))
    return Costs(tuple(stacks), tuple(told), tuple(used))


def _same(choice: Choice, timed: Sequence[PointSummary]) -> list[PointSummary]:
    """Return who moved the deciding transfer; the ceiling last."""
    key = transfer_key(choice.point)
    same = [one for one in timed if transfer_key(one.point) == key]
    return sorted(same, key=lambda one: (one.point.transport == CEILING, carrier(one.point)))[:MOST_BARS]


def _setup(number: int, choice: Choice, same: Sequence[PointSummary]) -> Stack | None:
    window = max(rep.window_samples for one in same for rep in one.repetitions)
    return _stack(
        f"setup-{number}",
        f"Once per point: {choice.op}, {choice.workload}",
        "Setup phases of each transport, one after the other",
        f"Each of {pieces(choice.point)}, at the initiator. Medians over launches. Prepare is for the {window} transfers of a window; the first open in a process also loads the library.",
        [_bar(carrier(one.point), phases(one.repetitions).setup) for one in same],
    )


def _split(number: int, choice: Choice, same: Sequence[PointSummary]) -> Stack | None:
    """Return where the initiator's time goes, from the call that posts until the target has said that all is there."""
    return _stack(
        f"split-{number}",
        f"One transfer: {choice.op}, {choice.workload}",
        "Where the time of one transfer goes, by the initiator's clock",
        f"Each of {pieces(choice.point)}. Post: inside the call that starts it; transfer: from there until it is complete. Both are of the warm-up window"
        " without its first transfer, so that no clock is read inside a transfer that counts. Notification: in a push, from completion until the target has"
        " said that all is there, once for each timed window. Who pulls, or hands over, has the answer already.",
        [_bar(carrier(one.point), phases(one.repetitions).split) for one in same],
    )


def _row(summary: PointSummary) -> Row:
    return Row(
        carrier(summary.point),
        summary.point.transport == CEILING,
        tuple(
            (seconds(one.seconds_per_gb if one else None), percent(one.share if one else None))
            for one in map(summary.cpu.get, SIDES_OF_CPU)
        ),
    )


def _transfer(number: int, choice: Choice, same: Sequence[PointSummary]) -> Stack | None:
    """Return bars of what engines report of a transfer: the two sides apart, as they work at the same time."""
    bars = []
    for one in same:
        found = phases(one.repetitions).transfer
        for side in dict.fromkeys((*SIDES.values(), "")):
            parts = {name: took for name, took in found.items() if SIDES.get(name, "") == side}
            bars.append(_bar(f"{carrier(one.point)}{f', {side}' if side else ''}", parts))
    return _stack(
        f"transfer-{number}",
        f"Per transfer: {choice.op}, {choice.workload}",
        "Phases of one transfer that the engine itself reports",
        f"Each of {pieces(choice.point)}. Averages of a launch, medians over launches. Initiator and target work at the same time: their bars do not add up."
        " A one-sided transport reports none and has no bar.",
        bars,
    )


def _bar(label: str, found: Mapping[str, Range]) -> Bar:
    sound = {name: took for name, took in found.items() if 0 < took.median < 1e18}  # noqa: PLR2004  thirty years
    return Bar(label, tuple(Part(name, took.median, _told(took)) for name, took in sound.items()))


def _stack(identity: str, title: str, what: str, caption: str, bars: Sequence[Bar]) -> Stack | None:
    drawn = tuple(bar for bar in bars if bar.parts)[:MOST_BARS]
    named = tuple(dict.fromkeys(part.phase for bar in drawn for part in bar.parts))
    ordered = sorted(named, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))[:MOST_PHASES]
    if not drawn:
        return None
    kept = tuple(Bar(bar.label, tuple(part for part in bar.parts if part.phase in ordered)) for bar in drawn)
    ends = "; ".join(f"{bar.label}: {format_ns(bar.total_ns)}" for bar in kept)
    return Stack(identity, title, f"{what}. {ends}.", caption, tuple(ordered), kept)


def _first(one: PointSummary) -> str:
    """Compare the first transfer after connecting with the usual one."""
    known, usual = phases(one.repetitions), one.latency_ns
    found, times = known.first_transfer, known.first_times
    if found is None or times is None or usual is None or not usual.median or not math.isfinite(usual.median):
        return ""
    span = f" [{times.low:.2g}, {times.high:.2g}]" if times.low is not None and times.high is not None else ""
    return f"{one.point.op.capitalize()} by {carrier(one.point)}: the first transfer after connecting took {_told(found)}, {times.median:.2g} times{span} as long; later ones {format_ns(usual.median)}."


def _told(found: Range) -> str:
    return str(ranged(found))
