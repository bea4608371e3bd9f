"""What `kvgauge calibrate` found out about this machine: a file of the user's, and a part of every later manifest.

Strict and closed like a record, and checked whenever it is read: it may have been
edited, or be another machine's. A calibration is only ever used on the machine that it is of.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from suite.errors import BadInput, Missing
from suite.run import machine
from suite.run.complaint import complaint
from suite.units import format_bytes

SCHEMA: Literal[1] = 1
MAX_BYTES = 1 << 20
MOST_MACHINES = 64  # of one home, which a cluster may share
FILE = "calibration.json"

PartName = Literal["link", "latency", "file", "overheads", "band"]
PART_NAMES: tuple[PartName, ...] = get_args(PartName)
_Text = Annotated[str, Field(max_length=500)]
_Positive = Annotated[float, Field(gt=0, lt=1e15)]
_Figure = Annotated[float, Field(gt=-1e15, lt=1e15)]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class Known(_Closed):
    """A thing of known size and what the instrument made of it.

    `low` and `high` are the least and the greatest of the launches, not a confidence interval.
    """

    what: _Text  # "raw TCP, 1 Gbit/s"
    kind: Literal["tool", "protocol"]  # whose the difference is: ours, or that of the engine under test
    unit: Literal["GB/s", "ns"]
    known: _Positive
    measured: _Positive
    low: _Positive
    high: _Positive
    launches: Annotated[int, Field(ge=1, le=10_000)]
    tolerated: Annotated[float, Field(gt=0, lt=1)] | None = None  # share of `known`; None: nothing is judged
    detail: _Text = ""

    @property
    def ratio(self) -> float:
        """Measured by known."""
        return self.measured / self.known

    @property
    def error(self) -> float:
        """By which share of `known` it was measured wrong; negative: as too small."""
        return self.ratio - 1

    @property
    def good(self) -> bool:
        """Whether the error is one that is tolerated."""
        return self.tolerated is None or abs(self.error) <= self.tolerated


class Cost(_Closed):
    """Something that the instrument itself costs, or a figure of a fit."""

    what: _Text
    unit: Literal["ns", "ratio"]
    value: _Figure
    low: _Figure | None = None
    high: _Figure | None = None
    detail: _Text = ""


class Band(_Closed):
    """How far apart runs of the same code were: shares by which one median is above another."""

    width: _Positive  # what no smaller difference of runs apart is claimed of: `largest`, but never below a floor
    largest: Annotated[float, Field(ge=0, lt=1e6)]
    runs: Annotated[int, Field(ge=2, le=1_000)]
    seconds: _Positive  # from the first to the end of the last
    where: _Text  # the point with the largest


class Part(_Closed):
    """What one part of a calibration found, and when."""

    created_at: _Text  # ISO 8601, UTC
    kvgauge: _Text
    kernel: _Text
    load_average: Annotated[float, Field(ge=0, lt=1e6)]
    quick: bool = False
    known: Annotated[list[Known], Field(max_length=64)] = []
    costs: Annotated[list[Cost], Field(max_length=64)] = []
    band: Band | None = None


class Calibration(_Closed):
    """All parts that were calibrated on one machine; each may be of another day."""

    schema_: Literal[1] = Field(default=SCHEMA, alias="schema")
    machine: Annotated[dict[_Text, _Text], Field(max_length=8)]
    parts: dict[PartName, Part]

    def as_json(self) -> dict[str, object]:
        """Return it as a file and a manifest have it."""
        return self.model_dump(mode="json", by_alias=True)


class Calibrations(_Closed):
    """A user's file: one calibration of each machine, the latest last."""

    schema_: Literal[1] = Field(default=SCHEMA, alias="schema")
    machines: Annotated[list[Calibration], Field(max_length=MOST_MACHINES)] = []

    def of(self, machine: dict[str, str]) -> Calibration | None:
        """Return that of a machine."""
        return next((one for one in self.machines if one.machine == machine), None)

    def with_part(self, machine: dict[str, str], name: PartName, part: Part) -> Calibrations:
        """Return these with one part of one machine replaced; the oldest machine goes where there are too many."""
        before = self.of(machine)
        parts = {**(before.parts if before else {}), name: part}
        others = [one for one in self.machines if one.machine != machine][-(MOST_MACHINES - 1) :]
        return Calibrations(machines=[*others, Calibration(machine=machine, parts=parts)])


def this_machine() -> dict[str, str]:
    """Return what makes this machine another one than the next: processor, cores, memory. No name, no address."""
    found = machine.describe()
    return {
        "cpu": str(found["cpu"])[:500],
        "cores": str(found["cores"]),
        "memory": format_bytes(float(found["memory_bytes"])),
        "machine": str(found["machine"]),
    }


def own_file() -> Path | None:
    """Return the user's file, `$XDG_DATA_HOME/kvgauge/calibration.json`; None without a home."""
    base = os.environ.get("XDG_DATA_HOME", "")
    if not os.path.isabs(base):  # noqa: PTH117  a relative one is to be ignored: XDG base directory specification
        home = os.path.expanduser("~")  # noqa: PTH111  Path.home() raises where there is no home
        if not os.path.isabs(home):  # noqa: PTH117  as above
            return None
        base = f"{home}/.local/share"
    return Path(base, "kvgauge", FILE)


def read(path: Path) -> Calibrations:
    """Return the calibrations in a file that may hold anything; raises `BadInput`, also where there is none."""
    hint = "move it away and make a new one: kvgauge calibrate"
    try:
        with open(path, "rb", opener=_without_waiting) as file:  # Path.open takes no opener
            plain = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            text = file.read(MAX_BYTES + 1) if plain else b""
    except OSError as error:
        raise BadInput("no-calibration", f"{path}: {error.strerror}", hint) from error
    try:
        document = json.loads(text) if len(text) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise BadInput("bad-calibration", f"{path} is not a calibration", hint)
    try:
        return Calibrations.model_validate(document)
    except ValidationError as error:
        raise complaint(error, source=str(path), model=Calibrations) from None


def kept(path: Path) -> Calibrations | None:
    """Return the calibrations in a file, None where there is no file; raises `BadInput` for any other fault."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        pass  # `read` says which
    return read(path)


def check(document: object, *, source: str) -> Calibration:
    """Return the calibration in a parsed document, e.g. a manifest's; `source` names it in errors."""
    try:
        return Calibration.model_validate(document)
    except ValidationError as error:
        raise complaint(error, source=source, model=Calibration) from None


def for_manifest() -> dict[str, object] | None:
    """Return this machine's calibration for a manifest, or `{"refused": why}`; None where there is none. Never raises."""
    path = own_file()
    try:
        found = kept(path) if path else None
    except BadInput as error:
        return {"refused": machine.redact(error.message)}
    if found is None:
        return None
    here = this_machine()
    mine = found.of(here)
    return mine.as_json() if mine else {"refused": _other(found, here)}


def _other(found: Calibrations, here: dict[str, str]) -> str:
    if not found.machines:
        return "the file names no machine"
    latest = found.machines[-1].machine
    unlike = [f"{name} {latest.get(name, 'unknown')}, here {value}" for name, value in here.items()]
    told = [text for text, (name, value) in zip(unlike, here.items(), strict=True) if latest.get(name) != value]
    return f"it is of another machine: {'; '.join(told)}"


def write(path: Path, calibrations: Calibrations) -> None:
    """Replace the file at once: a reader sees the old one or the new one, also where two write."""
    text = (
        json.dumps(calibrations.model_dump(mode="json", by_alias=True), indent=2, sort_keys=True, allow_nan=False)
        + "\n"
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=".kvgauge-", delete=False
        ) as new:
            try:
                new.write(text)
                new.flush()
                os.fsync(new.fileno())
                Path(new.name).replace(path)
            except BaseException:
                Path(new.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise Missing(
            "not-written", f"cannot write {path}: {error.strerror}", "choose another file: --out FILE"
        ) from error


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO would wait for ever
