"""One try of one hazard, in a process of its own: `python -m conformance.hazards.attempt NAME` prints JSON.

The process leaves without its libraries' destructors: a library that crashes at exit, or
that still writes, must not decide what was seen.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from conformance.hazards import HAZARDS
from suite.errors import Exit, Missing, TransferFailed

if TYPE_CHECKING:
    from conformance.hazards import Hazard

_CONFORM = (sys.executable, "-P", "-c", "from suite.cli import main; main()", "conform")
_BROKEN = {"fail", "warn"}


class Seen(NamedTuple):
    """Whether it was seen, and what was."""

    seen: bool
    evidence: str


def attempt(hazard: Hazard) -> Seen:
    """Try once; `Missing` says what this machine lacks."""
    if hazard.requirement:
        return _sentence(hazard)
    module, _, function = hazard.script.partition(":")
    found: Seen = getattr(import_module(f"conformance.hazards.{module}"), function)()
    return found


def _sentence(hazard: Hazard) -> Seen:
    command = [*_CONFORM, hazard.implementation, "--requirement", hazard.requirement, "--json"]
    command += ["--case", hazard.case] if hazard.case else []
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode == Exit.MISSING:
        raise Missing("hazard", done.stderr.strip()[:500])
    if done.returncode not in {Exit.GOOD, Exit.VERDICT_FAILED}:
        raise TransferFailed("hazard", done.stderr.strip()[-500:])
    cases = json.loads(done.stdout)["cases"]
    broken = [case["what"] for case in cases if case["verdict"] in _BROKEN]
    return Seen(bool(broken), (broken or [case["what"] or case["verdict"] for case in cases])[0])


def main(name: str) -> None:
    """Print what came of it and end this process."""
    hazard = next(one for one in HAZARDS if one.name == name)
    try:
        told = attempt(hazard)._asdict()
    except Missing as missing:
        told = {"missing": str(missing)}
    except Exception as error:  # noqa: BLE001  whatever a library raises ends this try, and is told
        told = {"error": f"{type(error).__name__}: {error}"}
    os.write(1, f"\n{json.dumps(told)}\n".encode())  # after whatever the library has printed
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
