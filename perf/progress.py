"""How a sweep shows that it is alive: a bar on a terminal, a line per launch elsewhere.

Nothing is drawn by a timer: the bar moves only between points, when no window
is open, so that it can never be part of what is measured.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from perf.words import full_name
from suite.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from perf.record import PointRecord
    from perf.sweep import Watcher


class Silent:
    """Says nothing."""

    def started(self, launches: int, points: int, *, done: int = 0) -> None:
        """Say nothing."""

    def measured(self, record: PointRecord) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""


class _Lines:
    """A plain line when a launch ends or something goes wrong."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = time.monotonic()
        self._launches = self._points = self._done = 0

    def started(self, launches: int, points: int, *, done: int = 0) -> None:
        self._launches, self._points, self._done = launches, points, done
        already = f", {done} of {launches * points} are done" if done else ""
        self.note(f"{points} points in each of {launches} launches{already}")

    def measured(self, record: PointRecord) -> None:
        self._done += 1
        if record.failure:
            self.note(_loss(record))
        if self._done % self._points == 0:
            elapsed = time.monotonic() - self._begun
            self.note(f"launch {record.launch + 1} of {self._launches} done after {elapsed:.0f} s")

    def note(self, text: str) -> None:
        self._console.print(plain(text), markup=False, highlight=False, soft_wrap=True)


class _Bar(_Lines):
    """A bar that is redrawn when a point ends."""

    def __init__(self, console: Console, progress: Progress) -> None:
        super().__init__(console)
        self._progress = progress

    def started(self, launches: int, points: int, *, done: int = 0) -> None:
        self._task = self._progress.add_task("starting", total=launches * points, completed=done)
        self._progress.refresh()

    def measured(self, record: PointRecord) -> None:
        if record.failure:
            self.note(_loss(record))
        self._progress.update(self._task, advance=1, description=plain(full_name(record.point), 60))
        self._progress.refresh()


@contextmanager
def watching(console: Console, *, quiet: bool) -> Iterator[Watcher]:
    """Return who shows progress on `console` (stderr): a bar if it is a terminal."""
    if quiet:
        yield Silent()
    elif not console.is_terminal:
        yield _Lines(console)
    else:
        columns = (
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
        )
        with Progress(*columns, console=console, auto_refresh=False, transient=True) as progress:
            yield _Bar(console, progress)


def _loss(record: PointRecord) -> str:
    failure = record.failure
    told = f"{failure.role}, {failure.phase}: {failure.reason}" if failure else "no reason"
    return f"lost {full_name(record.point)} in launch {record.launch + 1}: {told}"
