"""What one search through sequences has found of one transport: for each sentence, the smallest that breaks it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from conformance.machine.minimise import Smallest, minimise
from conformance.machine.play import ENDS, Broken

if TYPE_CHECKING:
    from collections.abc import Collection

    from conformance.machine.play import Play
    from conformance.machine.replay import Theatre
    from conformance.machine.steps import Step


class Enough(BaseException):
    """Time is up, or nothing is left to be broken. No `Exception`: hypothesis would take it for a failure of the test."""


class Search:
    """Sequences of one transport, until `until_s` have gone by or all `sentences` are broken; each break gets `smaller_s` to be made smaller."""

    def __init__(self, theatre: Theatre, until_s: float, smaller_s: float, sentences: Collection[str]) -> None:
        self.theatre, self._smaller_s, self._sentences = theatre, smaller_s, sentences
        self._until = time.monotonic() + until_s
        self.found: dict[str, Smallest] = {}
        self.sequences = self.steps = 0
        self.seen_once: list[str] = []  # what was late, and was in time when it was tried again

    @property
    def over(self) -> bool:
        """Tell whether it has ended."""
        return time.monotonic() > self._until or set(self._sentences) <= set(self.found)

    def begin(self) -> Play:
        """Return the next sequence; raises `Enough`."""
        if self.over:
            raise Enough
        self.sequences += 1
        return self.theatre.play(self.found)

    def broke(self, steps: tuple[Step, ...], broken: Broken) -> None:
        """Take what a sequence has broken, and make it smaller."""
        if broken.requirement in self.found:
            return
        started = time.monotonic()
        smallest = minimise(
            steps, broken, lambda some: self.theatre.attempt(some, self.found), started + self._smaller_s
        )
        self._until += time.monotonic() - started
        if smallest.again or broken.requirement != ENDS:
            self.found[broken.requirement] = smallest
        else:
            self.seen_once.append(str(broken))
