"""Transfers in threads: all begin each round together, so that they are under way at the same time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from suite.errors import TransferFailed
from suite.transports.base import State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from suite.transports.base import Transfer

_ROUND_S = 10.0  # for one round of all
_GLANCE_S = 0.001


class Threads:
    """Some threads, each with transfers that it makes one after the other, as many as each other has."""

    def __init__(self, count: int) -> None:
        self._together = threading.Barrier(count, timeout=_ROUND_S)
        self._threads: list[threading.Thread] = []
        self._errors: list[Exception] = []
        self._stopped = threading.Event()

    def start(self, rounds: Sequence[Callable[[], Transfer]]) -> None:
        """Begin one; in each round: prepare, post when all have prepared, ask when all have posted, finish, release."""
        thread = threading.Thread(target=self._run, args=(rounds,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def busy(self) -> bool:
        """Look for a moment whether any is still at it."""
        for thread in self._threads:
            thread.join(_GLANCE_S)
        return any(thread.is_alive() for thread in self._threads)

    def end(self) -> None:
        """Raise what the first that failed was told; the others only missed it."""
        if self._errors:
            raise self._errors[0]

    def give_up(self) -> None:
        """Have those that still wait stop; one that hangs inside a call stays."""
        self._stopped.set()
        self._together.abort()

    def _run(self, rounds: Sequence[Callable[[], Transfer]]) -> None:
        try:
            for prepare in rounds:
                transfer = prepare()
                self._together.wait()
                state = transfer.post()
                self._together.wait()
                while state is not State.DONE:
                    state = transfer.poll()
                    if self._stopped.is_set():
                        return
                transfer.finish()
                transfer.release()
        except threading.BrokenBarrierError:
            if not self._errors:
                self._errors.append(TransferFailed("no-end", f"a round of all threads took more than {_ROUND_S:.0f} s"))
        except Exception as error:  # noqa: BLE001  told to whoever asked
            self._errors.append(error)
            self._together.abort()
