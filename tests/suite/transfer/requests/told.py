"""What the state machine chose, as JSON on stdout: `python -m tests.suite.transfer.requests.told EXAMPLES STEPS NUMBER`.

In a process of its own, because what hypothesis makes of a seed also hangs on the modules that are loaded.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from tests.suite.transfer.requests.machine import scripts


def plain(stimulus: tuple[Any, ...]) -> list[Any]:
    """Return a stimulus (see `World.script`) with numbers for requests and ranks, and words for sides."""
    match stimulus:
        case ("submit", name, _):
            return ["submit", int(name[1:])]
        case ("cancel", side, name):
            return ["cancel", str(side), int(name[1:])]
        case ("crash", side, rank):
            return ["crash", str(side), rank]
        case ("restart", side):
            return ["restart", str(side)]
        case ("break", name, pair, _):
            return ["break", int(name[1:]), *pair]
    return [stimulus[0]]


if __name__ == "__main__":
    found = scripts(*map(int, sys.argv[1:4]))
    print(json.dumps([[plain(stimulus) for stimulus in script] for script in found]))
