"""The worker of a case: `suite.world.worker` starts it and asks `do`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.transfer.loading import transport_named
from conformance.transfer.side import Side
from conformance.transfer.turns import acting, to_the_end

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Worker:
    """One side in a process of its own."""

    def __init__(self, role: str) -> None:
        self._role = role
        self._side: Side

    def begin(self, transport: str, folder: str, path: Sequence[str]) -> None:
        """Learn what is tested; `path` is where a stranger's module is found, last: it must not hide ours."""
        sys.path.extend(entry for entry in path if entry not in sys.path)
        self._side = Side(lambda: transport_named(transport), Path(folder))

    def do(self, verb: str, arguments: Mapping[str, Any], patience_s: float) -> dict[str, Any]:
        """Answer one question; see `Side`."""
        return to_the_end(acting(self._side, verb, arguments), patience_s)


def serve(role: str) -> Worker:
    """Return what the supervisor may ask."""
    return Worker(role)
