"""Workers whose window does not end: in it a test can kill or stop one, sure that it is in mid-window.

`ENDLESS` names transport and operation ("copy:WRITE"), `ENDLESS_TIMES` how many
windows of it do not end, `ENDLESS_FOLDER` holds the named pipe `begun`, which
gets one byte when such a window has moved its first sample.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faulty_transports import FaultyTransport

from perf.server import PointServer
from suite.transports.base import State

if TYPE_CHECKING:
    from suite.kv.plan import Plan
    from suite.transports.base import Op


class Endless:
    """The real transfer, posted again and again once its window is one of those that do not end."""

    def __init__(self, real: Any, *, chosen: bool) -> None:
        self._real = real
        self._chosen = chosen

    def post(self) -> State:
        self._once()
        if self._chosen and _claimed():
            with (Path(os.environ["ENDLESS_FOLDER"]) / "begun").open("wb") as begun:
                begun.write(b".")
            while True:
                self._once()
        return State.DONE

    def _once(self) -> None:
        if self._real.post() is not State.DONE:
            while self._real.poll() is not State.DONE:
                pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def _claimed() -> bool:
    """Return whether one of the windows that do not end is left, and take it."""
    for number in range(int(os.environ["ENDLESS_TIMES"])):
        try:
            (Path(os.environ["ENDLESS_FOLDER"]) / f"taken-{number}").touch(exist_ok=False)
        except FileExistsError:
            continue
        return True
    return False


def server(role: Any) -> PointServer:
    """Return a point server whose chosen windows do not end."""

    def load(name: str) -> Any:
        def prepare(real: Any, number: int, op: Op, plan: Plan, *, peer: str, tag: bytes) -> Endless:
            # the second sample is in the middle of a window
            chosen = number == 1 and os.environ["ENDLESS"] == f"{name}:{op}"
            return Endless(real.prepare(op, plan, peer, tag), chosen=chosen)

        return FaultyTransport(name, prepare)

    return PointServer(role, load=load)
