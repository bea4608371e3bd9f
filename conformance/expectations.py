"""What an implementer knows to be broken: TOML in their repository, strict both ways.

An expected violation does not fail the run; an expectation that nothing meets
does, as does one that names no requirement.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.requirement import registry
from conformance.verdict import Verdict
from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from conformance.record import Case

_MAX_BYTES = 1 << 20
_REQUIRED, _OPTIONAL = {"id", "verdict", "reason"}, {"url", "implementation"}


@dataclass(frozen=True)
class Expectation:
    """One known violation; without `implementation` it is about every one under test."""

    id: str
    verdict: Verdict
    reason: str
    url: str = ""
    implementation: str = ""

    def about(self, implementation: str, requirement: str) -> bool:
        """Tell whether it speaks of this pair."""
        return self.id == requirement and self.implementation in {"", implementation}


@dataclass(frozen=True)
class Expectations:
    """All of them, and the file they came from."""

    entries: tuple[Expectation, ...] = ()
    source: str = ""

    def foresees(self, implementation: str, requirement: str, verdict: Verdict) -> bool:
        """Tell whether a violation was expected."""
        return any(one.about(implementation, requirement) and one.verdict is verdict for one in self.entries)

    def unmet(self, cases: Sequence[Case]) -> list[str]:
        """Return a sentence for each expectation whose requirement was run and not violated."""
        run = {(case.implementation, case.requirement) for case in cases}
        met = {(case.implementation, case.requirement, case.verdict) for case in cases if case.expected}
        return [
            f"{one.id} [{name}] was expected to {one.verdict} ({one.reason}) and did not: remove it from {self.source}"
            for one in self.entries
            for name, requirement in sorted(run)
            if one.about(name, requirement) and (name, requirement, one.verdict) not in met
        ]

    def block(self, cases: Sequence[Case], *, strict: bool = False) -> str:
        """Return the TOML that would expect the violations that fail the run; empty if there are none."""
        failing = {Verdict.FAIL, Verdict.WARN} if strict else {Verdict.FAIL}
        pairs = {
            (case.requirement, case.implementation, case.verdict): case.what
            for case in cases
            if case.verdict in failing and not case.expected
        }
        return "\n".join(
            f'[[expect]]\nid = "{requirement}"\nverdict = "{verdict}"\nimplementation = {_toml(name)}\nreason = {_toml(what)}\n'
            for (requirement, name, verdict), what in sorted(pairs.items())
        )


def read_expectations(path: Path | None) -> Expectations:
    """Return the expectations in a TOML file of `[[expect]]` tables; anything wrong with it is a `BadInput`."""
    if path is None:
        return Expectations()
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        document: dict[str, Any] = (
            tomllib.loads(data.decode("utf-8")) if len(data) <= _MAX_BYTES else {"too large": True}
        )
    except OSError as error:
        raise BadInput(
            "no-expectations", f"{path}: {error.strerror}", "name a TOML file with [[expect]] tables"
        ) from error
    except ValueError as error:
        raise BadInput("bad-expectations", f"{path}: not TOML: {error}") from None
    tables = document.get("expect", [])
    if set(document) - {"expect"} or not isinstance(tables, list):
        raise BadInput(
            "bad-expectations", f"{path}: only [[expect]] tables are known", "[[expect]] id, verdict, reason, url"
        )
    return Expectations(tuple(_entry(path, number, table) for number, table in enumerate(tables, 1)), str(path))


def _entry(path: Path, number: int, table: Any) -> Expectation:
    where = f"{path}, [[expect]] number {number}"
    if not isinstance(table, dict) or not _REQUIRED <= table.keys() <= _REQUIRED | _OPTIONAL:
        raise BadInput(
            "bad-expectations", f"{where}: needs id, verdict and reason; url and implementation may be there"
        )
    if not all(isinstance(value, str) for value in table.values()):
        raise BadInput("bad-expectations", f"{where}: every value is a string")
    if table["id"] not in registry():
        raise BadInput("unknown-requirement", f"{where}: there is no requirement {table['id']!r}")
    if table["verdict"] not in {Verdict.FAIL, Verdict.WARN}:
        raise BadInput("bad-expectations", f"{where}: verdict {table['verdict']!r}", "accepted: fail, warn")
    return Expectation(**{**table, "verdict": Verdict(table["verdict"])})


def _toml(text: str) -> str:
    """Return a TOML string; JSON's escapes are TOML's, but for DEL."""
    import json

    return json.dumps(text).replace("\x7f", "\\u007f")
