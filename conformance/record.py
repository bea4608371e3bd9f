"""`conformance.jsonl`: a header, a line for each case and each fault, a footer. Without the footer it is truncated."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from conformance.faults.outcome import of_json
from conformance.verdict import Verdict, worst
from suite.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.faults.outcome import Outcome

SCHEMA = 1
FILE = "conformance.jsonl"
_MAX_LINE = 1 << 20
_MAX_LINES = 1_000_000


@dataclass(frozen=True)
class Case:
    """One test of one requirement on one implementation."""

    requirement: str
    implementation: str
    case: str
    verdict: str
    expected: bool
    what: str  # what is wrong, or what was seen
    example: dict[str, Any] | None  # the smallest input that breaks it
    reproduce: str  # a shell line
    note: str = ""  # what a reader must know of the implementation

    def as_json(self) -> dict[str, Any]:
        """Return the fields."""
        return asdict(self)


class Recorder:
    """Keeps the cases of a run, and writes them to `DIR/conformance.jsonl` if there is a folder."""

    def __init__(self, folder: Path | None) -> None:
        self.cases: list[Case] = []
        self._file = None
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self._file = (folder / FILE).open("x", encoding="utf-8")
            except OSError as error:
                raise BadInput(
                    "no-out", f"cannot write {folder / FILE}: {error.strerror}", "choose another folder"
                ) from error
            self._write({"kind": "header", "schema": SCHEMA, "kvgauge": version("kvgauge")})

    def add(self, case: Case) -> None:
        """Take one case."""
        self.cases.append(case)
        self._write({"kind": "case", "schema": SCHEMA, **case.as_json()})

    def add_outcome(self, outcome: Outcome) -> None:
        """Take what came of a fault."""
        self._write({"kind": "fault", "schema": SCHEMA, **outcome.as_json()})

    def close(self) -> None:
        """Write the footer, once."""
        if self._file is not None:
            self._write({"kind": "footer", "schema": SCHEMA, "cases": len(self.cases)})
            self._file.close()
            self._file = None

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
            self._file.flush()


def read_cases(path: Path) -> list[Case]:
    """Return the cases of a complete record; anything else is a `BadInput` that names the line."""
    return [_case(path, number, line) for number, line in _lines(path) if line.get("kind") != "fault"]


def read_outcomes(path: Path) -> list[Outcome]:
    """Return what came of faults, of a complete record; of those tried twice the last."""
    found = {}
    for number, line in _lines(path):
        if line.get("kind") == "fault":
            try:
                one = of_json({name: value for name, value in line.items() if name not in {"kind", "schema"}})
            except BadInput as error:
                raise BadInput(error.code, f"{path}:{number}: {error.message}") from None
            found[one.key] = one
    return list(found.values())


def _lines(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Return the numbered lines between header and footer."""
    try:
        with path.open("rb") as file:
            lines = [
                _parsed(path, number, line)
                for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE), b""), 1)
            ]
    except OSError as error:
        raise BadInput("no-record", f"{path}: {error.strerror}") from error
    if len(lines) < 2 or lines[0].get("kind") != "header" or lines[-1].get("kind") != "footer":  # noqa: PLR2004  the two are the frame
        raise BadInput("truncated", f"{path} has no footer: the run did not end")
    return list(enumerate(lines[1:-1], 2))


def by_requirement(cases: list[Case]) -> dict[tuple[str, str], tuple[Verdict, list[Case]]]:
    """Return (requirement, implementation) -> the verdict that stands for its cases, and the cases."""
    groups: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        groups.setdefault((case.requirement, case.implementation), []).append(case)
    return {key: (worst([Verdict(case.verdict) for case in group]), group) for key, group in sorted(groups.items())}


def _parsed(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line) if number <= _MAX_LINES else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise BadInput("bad-record", f"{path}:{number}: not a line of schema {SCHEMA}")
    return value


def _case(path: Path, number: int, line: dict[str, Any]) -> Case:
    try:
        case = Case(**{name: value for name, value in line.items() if name not in {"kind", "schema"}})
        Verdict(case.verdict)
        _check_types(case)
    except (TypeError, ValueError):
        raise BadInput("bad-record", f"{path}:{number}: not a case") from None
    return case


def _check_types(case: Case) -> None:
    """Raise `TypeError` for a value that no recorder writes; a record may come from anywhere."""
    texts = (case.requirement, case.implementation, case.case, case.verdict, case.what, case.reproduce, case.note)
    if not (
        all(isinstance(text, str) for text in texts)
        and isinstance(case.expected, bool)
        and isinstance(case.example, dict | None)
    ):
        raise TypeError
