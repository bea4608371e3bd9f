"""A run on disk: append-only JSON lines, fsynced, and a manifest replaced as a whole."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from suite.errors import BadInput, Missing

if TYPE_CHECKING:
    from collections.abc import Mapping

RUNS = Path("runs")
SAMPLES = "samples.jsonl"
TIMES = "time.jsonl"  # beside it: where the time went, a line for each of its lines
REQUESTS = "requests.jsonl"  # what kvgauge transfer writes in its place
RANKS = "ranks.jsonl"  # beside it: a line for each request and rank
MANIFEST = "manifest.json"
REPORT = "report.html"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class RunFolder:
    """`runs/<name>/`: everything about one invocation."""

    path: Path
    lines: str = SAMPLES  # the file of records that this run appends to

    @property
    def samples(self) -> Path:
        """One line per point of a launch."""
        return self.path / SAMPLES

    @property
    def manifest(self) -> Path:
        """What was run, where, with what."""
        return self.path / MANIFEST

    @property
    def report(self) -> Path:
        """The page to read."""
        return self.path / REPORT

    @property
    def logs(self) -> Path:
        """What workers and libraries printed."""
        return self.path / "logs"

    def append(self, line: Mapping[str, object]) -> None:
        """Append one record to the run's file of lines and wait until it is on disk."""
        data = json.dumps(line, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        target = self.path / self.lines
        try:
            with target.open("ab") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            resumable = self.lines in {SAMPLES, TIMES}
            hint = f"make room, then: kvgauge sweep --resume {self.path}" if resumable else "make room, and start again"
            raise Missing("not-written", f"cannot write {target}: {error.strerror}", hint) from error

    def write_manifest(self, manifest: Mapping[str, object]) -> None:
        """Replace `manifest.json`; a reader sees the old one or the new one."""
        write_whole(self.manifest, json.dumps(manifest, indent=2, sort_keys=True, allow_nan=False) + "\n")


def create(out: Path | None, lines: str = SAMPLES) -> RunFolder:
    """Make a new run folder: `out`, or `runs/<UTC time>`; refuses a folder that already holds a run.

    `lines` names the file of records.
    """
    path = out or RUNS
    try:
        path.mkdir(parents=True, exist_ok=True)
        path = out or _fresh()
        folder = RunFolder(path, lines)
        if (path / lines).exists() or folder.manifest.exists():
            raise BadInput("run-exists", f"{path} already holds a run", "choose another folder with --out")
        folder.logs.mkdir(exist_ok=True)
        (path / lines).touch(exist_ok=False)  # of two at once, one is refused
    except OSError as error:
        raise BadInput(
            "no-run-folder", f"cannot write to {path}: {error.strerror}", "choose a folder with --out"
        ) from error
    return folder


def reopen(path: Path) -> RunFolder:
    """Return an existing run folder, ready to be appended to: a torn last line is cut off first."""
    folder = RunFolder(path)
    try:
        folder.logs.mkdir(exist_ok=True)
        cut_torn_line(folder.samples)
    except OSError as error:
        message = f"cannot resume {path}: {error.strerror}"
        raise BadInput("no-run-folder", message, "name a folder that kvgauge sweep wrote") from error
    return folder


def cut_torn_line(path: Path) -> None:
    """Cut off what follows the last newline of a file: its writer was killed in the middle of a line."""
    with path.open("r+b") as file:
        file.truncate(_whole_lines(file))


def _whole_lines(file: BinaryIO) -> int:
    """Return how many bytes of `file` end with the last newline, looking from its end."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - _BLOCK)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is either complete or not there."""
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _fresh() -> Path:
    """Make a folder of the time's name; making it is what claims the name, as two runs may start in one second."""
    stem = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    path, number = RUNS / stem, 0
    while True:
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
            path = RUNS / f"{stem}-{number}"
        else:
            return path
