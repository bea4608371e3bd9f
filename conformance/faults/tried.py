"""What has been tried: a fault takes seconds, and several sentences look at what came of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.faults.outcome import Outcome
    from conformance.implementations.transport import TransportUnderTest
    from conformance.transfer.case import Case


class Tried:
    """The outcomes of one implementation, by case."""

    def __init__(self) -> None:
        self._known: dict[str, Outcome] = {}
        self._told = 0

    def outcome(self, implementation: TransportUnderTest, case: Case) -> Outcome:
        """Return what came of the fault of a case, brought about the first time that it is asked for."""
        from conformance.faults.driver import tried

        key = json.dumps(case.as_json())
        if key not in self._known:
            self._known[key] = tried(implementation, case)
        return self._known[key]

    def news(self) -> list[Outcome]:
        """Return what has been tried since this was asked last."""
        fresh = list(self._known.values())[self._told :]
        self._told = len(self._known)
        return fresh
