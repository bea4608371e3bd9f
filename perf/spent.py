"""Where the wall time of a sweep goes, and which share of it is inside windows and their checks.

The supervisor reads its monotonic clock where a thing begins and ends; no clock is
read inside a window for this. Inside are `fill` (both workers write what a window
moves, and paint the rest), `transfer` (the window itself) and `check` (every byte is
compared); the window that warms up is one of them, and its three are added up
in `warm_up` as well. All other time is outside.

`time.jsonl` of a run has a line for each point: what has passed since the line before.
So lines of all sessions of a resumed run add up; what passed in a session between its
last line and a SIGKILL is in none.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from perf.record import Count, Nanoseconds
from suite.errors import BadInput, KvgaugeError
from suite.run.complaint import complaint
from suite.run.folder import TIMES, RunFolder, cut_torn_line
from suite.run.lines import read_lines
from suite.units import format_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

INSIDE = ("fill", "transfer", "check")
# workers: start and end; open, close: a point's engine, memory, connection; beside: ceilings and ucx_perftest
OUTSIDE = ("workers", "open", "close", "beside")
T = TypeVar("T")
WORDS = {
    "fill": "filling",
    "transfer": "transfers",
    "check": "checking",
    "workers": "starting and ending workers",
    "open": "opening points",
    "close": "closing points",
    "beside": "ceilings and ucx_perftest",
    "rest": "everything else",
}
LEAST = 0.005  # of the wall time; less is not told
Part = Literal["workers", "open", "fill", "transfer", "check", "close", "beside", "warm_up"]


class TimeRecord(BaseModel):
    """One line of `time.jsonl`: ns since the line before, and where they went."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    kind: Literal["time"] = "time"
    record_schema: Literal[1] = Field(default=1, alias="schema")
    launch: int = Count
    windows: int = Count  # that ended, those to warm up among them
    wall_ns: int = Nanoseconds
    parts_ns: dict[Part, Annotated[int, Nanoseconds]] = Field(default_factory=dict)


class Stopwatch:
    """Adds up where time goes; `take` returns what has passed since it was last taken."""

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._taken = clock()
        self._parts: Counter[Part] = Counter()
        self._windows = 0

    @contextmanager
    def part(self, name: Part, *, warm_up: bool = False) -> Iterator[None]:
        """Add what passes meanwhile, also where it ends in an error."""
        begun = self._clock()
        try:
            yield
        finally:
            took = self._clock() - begun
            self._parts[name] += took
            if warm_up:
                self._parts["warm_up"] += took

    def each(self, name: Part, step: Callable[[], Iterable[T]]) -> Iterator[T]:
        """Yield what `step` does, and add the time that it takes."""
        with self.part(name):
            found = iter(step())
        while True:
            with self.part(name):
                one = next(found, None)
            if one is None:
                return
            yield one

    def window(self) -> None:
        """Count a window whose check has ended."""
        self._windows += 1

    def take(self, launch: int) -> TimeRecord:
        """Return what has passed, and begin anew."""
        now = self._clock()
        record = TimeRecord(launch=launch, windows=self._windows, wall_ns=now - self._taken, parts_ns=dict(self._parts))
        self._taken, self._windows = now, 0
        self._parts.clear()
        return record


def read_times(path: Path) -> list[TimeRecord]:
    """Return the lines of a `time.jsonl`; none for a run that has no such file. Raises `BadInput`."""
    if not path.exists():
        return []
    notes: list[str] = []
    return [_checked(line, source) for source, line in read_lines(path, notes)]


def _checked(line: Mapping[str, object], source: str) -> TimeRecord:
    schema = line.get("schema", 1)
    if isinstance(schema, int) and schema > 1:
        raise BadInput("newer-schema", f"{source}: schema {schema} is newer than this kvgauge, which reads 1")
    try:
        record = TimeRecord.model_validate(line, strict=True)
    except ValidationError as error:
        raise complaint(error, source=source, model=TimeRecord) from None
    if sum(took for name, took in record.parts_ns.items() if name != "warm_up") > record.wall_ns:
        raise BadInput("bad-time", f"{source}: parts_ns are more than wall_ns", "the file was changed or damaged")
    return record


@dataclass(frozen=True)
class Spent:
    """Wall time of a run over all its sessions, ns, and where it went."""

    wall_ns: int
    windows: int  # whose check ended, those to warm up among them
    parts_ns: Mapping[str, int]

    @property
    def inside_ns(self) -> int:
        """Inside windows and their checks."""
        return sum(self.parts_ns.get(name, 0) for name in INSIDE)

    @property
    def share(self) -> float:
        """Of the wall time, what was inside windows and their checks; 0 where no time passed."""
        return self.inside_ns / self.wall_ns if self.wall_ns else 0.0

    def part(self, name: str) -> float:
        """Return the share of a part, or of `rest`: what no part says."""
        known = sum(self.parts_ns.get(one, 0) for one in (*INSIDE, *OUTSIDE))
        took = self.wall_ns - known if name == "rest" else self.parts_ns.get(name, 0)
        return max(0, took) / self.wall_ns if self.wall_ns else 0.0

    def as_json(self) -> dict[str, object]:
        """Return it as the manifest and `--json` have it."""
        told = {"wall_ns": self.wall_ns, "inside_ns": self.inside_ns, "share_inside": round(self.share, 4)}
        return told | {"windows": self.windows, "parts_ns": dict(sorted(self.parts_ns.items()))}

    def sentence(self) -> str:
        """Return the share in words, and where the rest went."""
        inside = ", ".join(f"{WORDS[name]} {_percent(self.part(name))}" for name in INSIDE)
        others = [(self.part(name), WORDS[name]) for name in (*OUTSIDE, "rest")]
        rest = ", ".join(f"{what} {_percent(share)}" for share, what in others if share >= LEAST)
        return (
            f"{_percent(self.share)} of {format_ns(self.wall_ns)} were inside windows and their checks: {inside}"
            f" ({_percent(self.part('warm_up'))} of the time was in windows that warm up)."
            f"{f' Outside: {rest}.' if rest else ''}"
        )


def spent(records: Iterable[TimeRecord]) -> Spent | None:
    """Return where the time of all `records` went; None without any."""
    found, windows, wall = Counter[str](), 0, 0
    for one in records:
        found.update(one.parts_ns)
        windows, wall = windows + one.windows, wall + one.wall_ns
    return Spent(wall, windows, dict(found)) if wall else None


class Clocked:
    """The stopwatch of one session of a run, and the `time.jsonl` that it writes."""

    def __init__(self, folder: Path) -> None:
        self.stopwatch = Stopwatch()
        self._file, self._launch = RunFolder(folder, TIMES), 0
        path = folder / TIMES
        if path.exists():
            cut_torn_line(path)
        self._records = read_times(path)

    def note(self, launch: int) -> None:
        """Write where the time since the last note went; it is of `launch`."""
        self._launch = launch
        record = self.stopwatch.take(launch)
        self._file.append(record.model_dump(mode="json", by_alias=True))
        self._records.append(record)

    def over(self) -> dict[str, object]:
        """Write what is left, which only a full disk prevents; return the whole run's time for its manifest."""
        with suppress(KvgaugeError):
            self.note(self._launch)
        found = spent(self._records)
        return {"time": found.as_json()} if found else {}


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
