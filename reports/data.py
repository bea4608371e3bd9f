"""What a report says, before anything is drawn: a pure function of the manifest and the summaries.

The manifest is read as a stranger's: every value may be missing, of another
type, or hostile text. Nothing here fails on that; it is left out.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

from perf.calibration.told import told
from perf.identity import reading_order
from perf.words import full_name
from reports.sections.hardware import devices, emulation, moved, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from conformance.record import Case
    from perf.ab.against import Against
    from perf.calibration.told import Told
    from perf.limits import Limit
    from perf.outside.result import OutsideResult
    from perf.spent import Spent
    from perf.summary import PointSummary
    from perf.testimony import Witnessed
    from reports.sections.conformance import Matrix
    from reports.sections.transfer import Transfer

ONE_MACHINE = "One machine: these are same-host figures, no network was crossed."

Level = Literal["FAILED", "INVALID", "OPEN", "NOTE"]
_LEVELS: tuple[Level, ...] = ("FAILED", "INVALID", "OPEN", "NOTE")
_ENTRIES = 1_000  # of one table; an environment has hundreds
_MACHINE = {
    "cpu": "Processor",
    "cores": "Cores",
    "memory_bytes": "Memory",
    "os": "System",
    "kernel": "Kernel",
    "python": "Python",
}


@dataclass(frozen=True)
class Fact:
    """One row of a table of two columns."""

    name: str
    value: str


@dataclass(frozen=True)
class Problem:
    """One doubt or failure, with every point that it touches."""

    level: Level
    sentence: str
    points: tuple[str, ...]


@dataclass(frozen=True)
class Totals:
    """The run in five numbers."""

    points: int
    failed: int  # points with a launch that failed
    launches: int  # of the point that has most
    verified_bytes: int
    wires: tuple[str, ...]


@dataclass(frozen=True)
class ReportData:
    """Everything a renderer shows; renderers compute no statistics."""

    title: str
    run: str
    version: str
    created: str  # when the run started, as recorded; never the clock of whoever renders
    complete: bool
    emulation: str  # what emulated points are worth, or empty without any
    locality: str  # what the figures are of, or empty when the manifest does not name one machine
    sentences: tuple[str, ...]  # the verdict; the first carries the weight
    summaries: tuple[PointSummary, ...]
    totals: Totals
    tested: tuple[Fact, ...]
    transports: tuple[str, ...]  # what the settings selected
    why: tuple[str, ...]
    problems: tuple[Problem, ...]
    environment: tuple[Fact, ...]
    versions: tuple[Fact, ...]
    notes: tuple[str, ...]
    command: str
    seed: str
    spec: str  # JSON
    conformance: Matrix | None = None
    limits: tuple[Limit, ...] = ()  # ceilings of the run
    testimonies: tuple[Witnessed, ...] = ()  # hot points beside ucx_perftest
    launches: tuple[Mapping[str, object], ...] = ()  # `reports.launches.launch_row` of every record
    cases: tuple[Case, ...] = ()  # of conformance, one by one
    transfer: Transfer | None = None  # of kvgauge transfer
    time: Spent | None = None  # where the wall time of a sweep went
    outside: tuple[OutsideResult, ...] = ()  # of other tools, to stand beside
    calibration: Told | None = None  # of the machine, before the run
    against: Against | None = None  # of kvgauge sweep --ab

    @property
    def stopped(self) -> str:
        """Why the run is not complete, in words."""
        if self.transfer and self.transfer.troubles:
            return "It ended before all was done that it was asked for."
        return "It was interrupted, or is still going on."

    @property
    def swept(self) -> bool:
        """Whether the run was to measure points, and not conformance or transfers alone."""
        return bool(self.summaries) or (self.conformance is None and self.transfer is None)


def report_data(
    manifest: Mapping[str, object],
    summaries: Sequence[PointSummary],
    sentences: Sequence[str],
    notes: Sequence[str] = (),
    *,
    run: str = "",
    conformance: Matrix | None = None,
    limits: Sequence[Limit] = (),
    testimonies: Sequence[Witnessed] = (),
    launches: Sequence[Mapping[str, object]] = (),
    cases: Sequence[Case] = (),
    transfer: Transfer | None = None,
    time: Spent | None = None,
    outside: Sequence[OutsideResult] = (),
    against: Against | None = None,
) -> ReportData:
    """Build the report of one run; `run` is the name of its folder."""
    settings = _mapping(manifest.get("settings"))
    ordered = tuple(sorted(summaries, key=lambda summary: reading_order(summary.point)))
    command = _strings(manifest.get("command"))
    return ReportData(
        title=f"KV-cache transfer: {run}" if run else "KV-cache transfer",
        run=run,
        version=_scalar(manifest.get("kvgauge")),
        created=_scalar(manifest.get("started_at")),
        complete=manifest.get("complete") is True,
        emulation=emulation(ordered) or (transfer.emulation if transfer else ""),
        locality=ONE_MACHINE
        if (summaries or transfer or conformance is None) and _mapping(manifest.get("machine"))
        else "",
        sentences=(
            *(transfer.sentences if transfer else ()),
            *(conformance.sentences if conformance else ()),
            *sentences,
        ),
        summaries=ordered,
        totals=_totals(ordered),
        tested=tuple(_tested(manifest, ordered, transfer)),
        transports=_strings(settings.get("transports")),
        why=_strings(settings.get("why")),
        problems=_problems(ordered),
        environment=_facts(_mapping(manifest.get("environment"))),
        versions=_facts(_mapping(manifest.get("versions"))),
        notes=(*notes, *(against.notes if against else ())),
        command=shlex.join((PurePath(command[0]).name, *command[1:])) if command else "",
        seed=_scalar(manifest.get("seed")),
        conformance=conformance,
        limits=tuple(limits),
        testimonies=tuple(testimonies),
        launches=tuple(launches),
        cases=tuple(cases),
        transfer=transfer,
        time=time,
        outside=tuple(outside),
        calibration=told(manifest),
        against=against,
        spec=json.dumps(_mapping(manifest.get("spec")), indent=2, sort_keys=True, default=str),
    )


def _totals(summaries: Sequence[PointSummary]) -> Totals:
    return Totals(
        points=len(summaries),
        failed=sum(summary.failed > 0 for summary in summaries),
        launches=max((summary.launches for summary in summaries), default=0),
        verified_bytes=sum(summary.verified_bytes for summary in summaries),
        wires=_wires(summaries),
    )


def _wires(summaries: Sequence[PointSummary]) -> tuple[str, ...]:
    return tuple(sorted({wire for summary in summaries for wire in summary.wires}))


def _tested(
    manifest: Mapping[str, object], summaries: Sequence[PointSummary], transfer: Transfer | None
) -> Iterable[Fact]:
    yield from (Fact(*one) for one in (transfer.about if transfer else ()))
    yield from _machine(_mapping(manifest.get("machine")))
    if found := devices(_mapping(manifest.get("settings")).get("devices")):
        yield Fact("Devices", found)
    if summaries:
        memory = sorted({summary.allocation for summary in summaries if summary.launches})
        yield Fact("Moved", moved(summary.point for summary in summaries))
        yield Fact("Memory in use", ", ".join(memory) or "unknown")
        yield Fact("Transports", ", ".join(sorted({summary.point.transport for summary in summaries})))
        yield Fact("Wires that carried the bytes", "; ".join(_wires(summaries)) or "unknown")
    yield Fact("Started", _scalar(manifest.get("started_at")) or "not recorded")
    yield Fact("Finished", _scalar(manifest.get("finished_at")) or "not finished")
    load = manifest.get("load_average")
    if isinstance(load, list) and load:
        yield Fact("Load average", ", then ".join(_load(value) for value in load[:2]))
    yield Fact("kvgauge", _scalar(manifest.get("kvgauge")) or "not recorded")


def _machine(machine: Mapping[str, object]) -> Iterable[Fact]:
    for key in (*(key for key in _MACHINE if key in machine), *sorted(machine.keys() - _MACHINE.keys())[:_ENTRIES]):
        value = machine[key]
        told = size(value) if key == "memory_bytes" else ""
        yield Fact(_MACHINE.get(key, key), told or _scalar(value))


def _problems(summaries: Sequence[PointSummary]) -> tuple[Problem, ...]:
    """Fold the same sentence about many points into one problem; the gravest come first."""
    points: dict[tuple[Level, str], list[str]] = {}
    for summary in summaries:
        for level, sentence in _doubts(summary):
            points.setdefault((level, sentence), []).append(full_name(summary.point))
    found = [Problem(level, sentence, tuple(names)) for (level, sentence), names in points.items()]
    return tuple(sorted(found, key=lambda problem: _LEVELS.index(problem.level)))


def _doubts(summary: PointSummary) -> Iterable[tuple[Level, str]]:
    if summary.failed:
        yield "FAILED", f"Failed in {summary.failed} of {summary.failed + summary.launches} launches."
    if summary.launches and not summary.verified:
        yield "INVALID", "Not every byte was found to be right, so the numbers mean nothing."
    for issue in summary.issues:
        yield issue.level, issue.message


def _facts(values: Mapping[str, object]) -> tuple[Fact, ...]:
    shown = tuple(Fact(name, _scalar(values[name])) for name in sorted(values)[:_ENTRIES])
    left = len(values) - len(shown)
    return (*shown, Fact("…", f"{left} more are in manifest.json")) if left else shown


def _mapping(value: object) -> Mapping[str, object]:
    return {str(key): entry for key, entry in value.items()} if isinstance(value, dict) else {}


def _strings(value: object) -> tuple[str, ...]:
    return tuple(str(entry) for entry in value[:_ENTRIES]) if isinstance(value, list) else ()


def _load(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else _scalar(value)


def _scalar(value: object) -> str:
    return "" if value is None else str(value)
