"""A second process for a script: a function of its module, asked through a pipe."""

from __future__ import annotations

import multiprocessing
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

_PATIENCE_S = 20.0


class Peer:
    """The other process, which is killed in the end."""

    def __init__(self, process: SpawnProcess, pipe: Connection) -> None:
        self._pipe = pipe
        self.process = process

    def told(self) -> Any:
        """Return what it says next; `TimeoutError` if it says nothing."""
        if not self._pipe.poll(_PATIENCE_S):
            raise TimeoutError("the other process says nothing")
        return self._pipe.recv()

    def ask(self, question: Any) -> Any:
        """Ask and return the answer."""
        self._pipe.send(question)
        return self.told()


@contextmanager
def peer(serve: Callable[[Connection], None]) -> Iterator[Peer]:
    """Start `serve` in a fresh process."""
    fresh = multiprocessing.get_context("spawn")
    ours, theirs = fresh.Pipe()
    process = fresh.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield Peer(process, ours)
    finally:
        process.kill()
        process.join()
