"""How a fault is brought about at the right moment: by the process that knows when that is.

A strike is plain data: `mark`, a file in the workers' folder that says when it was, and what is done:
`signal` to `pid` (0: itself). Without a signal the supervisor does it, when it sees the mark.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SOON_S, _LOOK_S = 5.0, 0.001
_ENDED, _STOPPED = "ZX", "Tt"  # proc(5)


def struck_by(folder: Path, strike: Mapping[str, Any] | None) -> None:
    """Carry out a strike, once."""
    if not strike:
        return
    mark = folder / str(strike["mark"])
    try:
        descriptor = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        _until(done_mark(mark).exists)  # another thread of ours is at it
        return
    os.write(descriptor, repr(time.monotonic()).encode())
    os.close(descriptor)
    number, pid = int(strike.get("signal", 0)), int(strike.get("pid", 0))
    if number:
        os.kill(pid or os.getpid(), number)
        if pid:
            _until(lambda: state_of(pid) in (_ENDED if number == signal.SIGKILL else _STOPPED))
        done_mark(mark).touch()
    else:
        _until(done_mark(mark).exists)


def done_mark(mark: Path) -> Path:
    """Return the file that says that a strike has been carried out."""
    return mark.with_suffix(".done")


def soon_mark(mark: Path) -> Path:
    """Return the file that says that the transfer was over before the strike."""
    return mark.with_suffix(".soon")


def struck_at(mark: Path) -> float | None:
    """Return when a strike was, of the machine's monotonic clock; None if it was not yet."""
    try:
        return float(mark.read_text("ascii"))
    except (OSError, ValueError):  # it is not there, or being written
        return None


def state_of(pid: int) -> str:
    """Return the letter of proc(5) for a process, "X" if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace").rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def stopped(pid: int) -> bool:
    """Tell whether a process is stopped."""
    return state_of(pid) in _STOPPED


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SOON_S
    while not holds() and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
