"""The matrix on a terminal: requirements down, implementations across; then every break with its example."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from conformance.hazards import HAZARDS
from conformance.implementations import KNOWN_BROKEN, built_in, where_installed
from conformance.implementations.loading import load
from conformance.record import by_requirement
from conformance.requirement import registry
from conformance.verdict import GLYPHS, Verdict
from suite.transports.base import names as transports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.faults.outcome import Outcome
    from conformance.record import Case

_STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.WARN: "yellow",
    Verdict.INFO: "cyan",
    Verdict.ERROR: "magenta",
    Verdict.SKIP: "dim",
}
_NAME, _NARROW, _COLUMN = 21, 60, 10  # columns of a terminal: a requirement's name, with sentences, and a verdict
_TOLD = {Verdict.FAIL, Verdict.WARN, Verdict.ERROR, Verdict.INFO}


def show(cases: Sequence[Case], names: Sequence[str]) -> None:
    """Print the matrix and what is behind it to stdout; `names` are the columns, numbered so that many fit."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    found = by_requirement(list(cases))
    roomy = console.width >= _NARROW + _COLUMN * len(names)
    wordy = console.width >= _NAME + _COLUMN * len(names)  # else glyphs alone, which the legend explains
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("requirement", no_wrap=True)
    for number in range(1, len(names) + 1):
        table.add_column(str(number), no_wrap=True)
    if roomy:
        table.add_column("sentence", overflow="fold")
    for identity in sorted({requirement for requirement, _ in found}):
        one = registry()[identity]
        cells = [Text(*_cell(found, identity, name, words=wordy)) for name in names]
        table.add_row(f"{identity} {one.level}", *cells, *([one.sentence] if roomy else []))
    for number, name in enumerate(names, 1):
        console.print(Text(f"{number}  {_total(found, name)}"), soft_wrap=True)
    console.print(table)
    if not wordy:
        console.print(Text("  ".join(f"{GLYPHS[verdict]} {verdict.value}" for verdict in Verdict)))
    for line in _details(found):
        console.print(Text(line), soft_wrap=True)


def as_json(cases: Sequence[Case], outcomes: Sequence[Outcome] = ()) -> str:
    """Return the cases, the verdict of each pair, and what came of faults."""
    pairs = [
        {"requirement": requirement, "implementation": name, "verdict": verdict.value}
        for (requirement, name), (verdict, _) in by_requirement(list(cases)).items()
    ]
    told = {"verdicts": pairs, "cases": [case.as_json() for case in cases]}
    return json.dumps({**told, **({"faults": [one.as_json() for one in outcomes]} if outcomes else {})}, indent=2)


def catalogue() -> str:
    """Return the built-in implementations and the requirements, a line each."""
    lines = ["built-in implementations:"]
    for name in built_in():
        note = load(name).note
        lines.append(f"  {name}" + (f"  ({note})" if note else ""))
    lines.append(f"  what they are known to break: --expect {KNOWN_BROKEN}")
    lines.append("upstream's own code, where installed (naming one says how):")
    lines += [f"  {name}" for name in where_installed()]
    lines.append("transports (also my_pkg.transport:transport, and NAME?UCX_TLS=tcp):")
    lines += [f"  {name}" for name in transports()]
    lines.append("known hazards of libraries (--hazards):")
    lines += [f"  {one.name:<22} {one.what}" for one in HAZARDS]
    lines.append("requirements:")
    lines += [f"  {one.id} {one.level:<11} {one.sentence} [{one.source}]" for one in registry().values()]
    return "\n".join(lines)


def _cell(
    found: dict[tuple[str, str], tuple[Verdict, list[Case]]], identity: str, name: str, *, words: bool
) -> tuple[str, str]:
    if (identity, name) not in found:
        return "", ""
    verdict, group = found[identity, name]
    style = _STYLES[verdict]
    expected = verdict in {Verdict.FAIL, Verdict.WARN} and all(c.expected for c in group if c.verdict == verdict)
    word = f" {verdict.value}{' (expected)' if expected else ''}" if words else ""
    return GLYPHS[verdict] + word, "dim" if expected else style


def _details(found: dict[tuple[str, str], tuple[Verdict, list[Case]]]) -> list[str]:
    lines = []
    for (identity, name), (verdict, group) in found.items():
        if verdict not in _TOLD:
            continue
        seen = [case for case in group if case.verdict == verdict]
        told = (
            "; ".join(dict.fromkeys(case.what for case in seen if case.what))
            if verdict is Verdict.INFO
            else seen[0].what
        )
        lines.append(f"{identity} {verdict.value} [{name}]: {told}")
        if seen[0].reproduce:
            lines.append(f"  {registry()[identity].sentence} [{registry()[identity].source}]")
            lines.append(f"  {seen[0].reproduce}")
    return lines


def _total(found: dict[tuple[str, str], tuple[Verdict, list[Case]]], name: str) -> str:
    counted = Counter(verdict for (_, one), (verdict, _) in found.items() if one == name)
    note = next(case.note for (_, one), (_, group) in found.items() if one == name for case in group)
    told = ", ".join(f"{counted[verdict]} {verdict.value}" for verdict in Verdict if counted[verdict])
    return f"{name}: {told}" + (f" ({note})" if note else "")
