"""A run of A and B -> one row for each point, with its verdict, and sentences."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from perf.ab.judge import MATTERS, judge
from perf.ab.measured import points
from perf.ab.printed import caveats, printed_rows
from perf.ab.restored import asked_for, is_ab
from perf.ab.variants import NAMES
from perf.analysis import summarise
from perf.comparing.judge import Verdict
from perf.identity import CEILING
from perf.reading import read_run
from suite.errors import BadInput
from suite.run import manifest as manifests
from suite.run.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from perf.ab.judge import Judgement, Pair
    from perf.ab.measured import Measured
    from perf.reading import RunRecords
    from perf.record import Point

VERDICTS = get_args(Verdict)
NOT_COMPARED = "not compared"
_MOST_VERSIONS = 100
_NOT_A_WORKERS = frozenset({"matplotlib", "pandas", "scipy"})  # no worker imports them


@dataclass(frozen=True)
class Row:
    """One point with its judgement, or `refused` says why there is none."""

    what: str
    by: str
    a_gb_per_s: float | None  # medians over the launches that have both
    b_gb_per_s: float | None
    ratios: tuple[float, ...]  # B by A, launch by launch
    judgement: Judgement | None
    refused: str
    remarks: tuple[str, ...]
    control: bool
    point: Point | None

    @property
    def verdict(self) -> str:
        """One of VERDICTS, or `not compared`."""
        return self.judgement.verdict if self.judgement else NOT_COMPARED


@dataclass(frozen=True)
class Side:
    """What A or B was."""

    name: str
    label: str  # "UCX_TLS=tcp", "as the spec says"
    facts: tuple[str, ...]  # versions that the other side has not, and its python


@dataclass(frozen=True)
class Against:
    """A against B: what the terminal, the report and the gate show."""

    run: str
    a: Side
    b: Side
    matters: float
    rows: tuple[Row, ...]
    sentences: tuple[str, ...]
    notes: tuple[str, ...]


def against(path: Path, *, matters: float = MATTERS) -> Against:
    """Return the comparison in the run folder `path`; raises `BadInput` for what has no A and B."""
    folder = RunFolder(path)
    manifest = manifests.read(folder.manifest)
    if not is_ab(manifest.get("settings")):
        raise BadInput("not-ab", f"{path} has no A and B", "kvgauge sweep --ab A B makes such a run")
    found = read_run(folder.samples)
    notes = found.notes if manifest.get("complete") is True else [*found.notes, "the run is not complete"]
    return compared(path.resolve().name, manifest, found, notes=notes, matters=matters)


def compared(
    run: str,
    manifest: Mapping[str, object],
    found: RunRecords,
    *,
    notes: Sequence[str] = (),
    matters: float = MATTERS,
) -> Against:
    """Return the comparison in records that were read; of one run, of which `manifest` says what A and B are."""
    a, b = sides(manifest)
    measured = [*points(summarise(found.points, found.ceilings), _apart(manifest)), *printed_rows(found.commands)]
    rows = tuple(_rows(measured, matters))
    return Against(
        run, a, b, matters, rows, tuple(_sentences(rows, (a, b), matters)), (*notes, *caveats(found.commands))
    )


def sides(manifest: Mapping[str, object]) -> tuple[Side, Side]:
    """Return what a manifest says of A and B; it may come from anywhere."""
    settings = _mapping(manifest.get("settings"))
    told = [_mapping(_mapping(settings.get("ab")).get(name)) for name in NAMES]
    given = asked_for(settings)
    facts = [_facts(one) for one in told]
    labels = [
        str(one.get("label") or (given[place] if place < len(given) else "not recorded"))
        for place, one in enumerate(told)
    ]
    first, second = (
        Side(name, label, tuple(f"{key} {value}" for key, value in mine.items() if theirs.get(key) != value))
        for name, label, mine, theirs in zip(NAMES, labels, facts, reversed(facts), strict=True)
    )
    return first, second


def _apart(manifest: Mapping[str, object]) -> set[str]:
    """Return the settings that a manifest says A or B has."""
    told = _mapping(_mapping(manifest.get("settings")).get("ab"))
    return {name for side in NAMES for name in _mapping(_mapping(told.get(side)).get("settings"))}


def _facts(side: Mapping[str, object]) -> dict[str, str]:
    told = list(_mapping(side.get("versions")).items())[:_MOST_VERSIONS]
    versions = {str(name): _text(value) for name, value in told if name not in _NOT_A_WORKERS}
    python = _text(side.get("python_version"))
    return {**versions, **({"python": python} if python else {})}


def _rows(measured: Sequence[Measured], matters: float) -> Iterator[Row]:
    """Judge all pairs together: the false-discovery adjustment is over the whole sweep."""
    pairs = [_pairs(one) for one in measured]
    refused = [
        one.refused or ("" if found else "no launch has both") for one, found in zip(measured, pairs, strict=True)
    ]
    judged = iter(judge([found for found, reason in zip(pairs, refused, strict=True) if not reason], matters))
    for one, found, reason in zip(measured, pairs, refused, strict=True):
        yield Row(
            what=one.what,
            by=one.by,
            a_gb_per_s=None if reason else _median([a for a, _ in found]),
            b_gb_per_s=None if reason else _median([b for _, b in found]),
            ratios=() if reason else tuple(b / a for a, b in found),
            judgement=None if reason else next(judged),
            refused=reason,
            remarks=one.remarks,
            control=one.control,
            point=one.point,
        )


def _pairs(one: Measured) -> list[Pair]:
    """Return the rates of the launches that have both."""
    return [(one.a[launch], one.b[launch]) for launch in sorted(one.a.keys() & one.b.keys())]


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _sentences(rows: Sequence[Row], named: tuple[Side, Side], matters: float) -> Iterator[str]:
    if not rows:
        yield "Nothing was measured on either side."
        return
    counted = Counter(row.verdict for row in rows)
    told = [f"{counted[verdict]} {verdict}" for verdict in (*VERDICTS, NOT_COMPARED) if counted[verdict]]
    yield f"B against A, {'1 point' if len(rows) == 1 else f'{len(rows)} points'}: {', '.join(told)}."
    launches = [row.judgement.launches for row in rows if row.judgement]
    if launches:
        least, most = min(launches), max(launches)
        times = f"{least}" if least == most else f"{least} to {most}"
        yield (
            f"Each launch measured both, one right after the other ({times} launches), so what the machine did to both"
            f" cancels out. Differences of up to {100 * matters:.2g} % are called the same."
        )
    moved = [row for row in rows if row.control and row.verdict in {"faster", "slower"}]
    if moved and len({side.label for side in named}) > 1:
        yield (
            f"{CEILING}, in which no transfer library has a part, differs as well ({len(moved)} of its points):"
            " what A and B change is not the library alone."
        )


def _mapping(value: object) -> dict[str, object]:
    return {str(name): entry for name, entry in value.items()} if isinstance(value, dict) else {}


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, default=str)
