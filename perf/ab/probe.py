"""Asked of another virtual environment's python: what it is, which versions it has, what it lacks.

Runs before anything else of ours is known to work there, so that until numpy is found it uses
nothing that python itself does not bring. Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec

FEWEST = (3, 11)  # pyproject.toml, requires-python


def main() -> None:
    """Print what is found; the words of the command line are transports, whose lack of anything is told."""
    told: dict[str, object] = {"python": ".".join(map(str, sys.version_info[:3])), "lacks": ""}
    if sys.version_info[:2] < FEWEST:
        told["lacks"] = f"python {FEWEST[0]}.{FEWEST[1]} or newer"
    elif find_spec("numpy") is None:
        told["lacks"] = "numpy"
    else:
        told |= _libraries(sys.argv[1:])
    sys.stdout.write(json.dumps(told) + "\n")


def _libraries(transports: list[str]) -> dict[str, object]:
    from suite.run.machine import versions
    from suite.transports import base
    from suite.transports.libraries import library_path

    path = library_path({})
    missing = {name: base.load(name).missing() for name in transports}
    return {"versions": versions(), "library_path": path, "missing": missing}


if __name__ == "__main__":
    main()
