"""`kvbm-wheel`: the released `kvbm` wheel itself, in a virtual environment of its own, asked by what its NIXL logs.

What is done with the wheel is in `kvbm_wheel_driver.py`, which runs there. The
wheel goes as far as a machine without a GPU lets it; its workers, which need
one, are not started, and a disk tier is not configured.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from conformance.implementations.log import Log
from conformance.verdict import ImplementationBroke, Refused
from suite.errors import Missing

NAME = "kvbm-wheel"
NOTE = "the released wheel, run; only what a machine without a GPU shows"
PYTHON = "KVGAUGE_KVBM_PYTHON"
WHEELS = ("kvbm==1.6.1", "nixl-cu13==1.3.2")  # without what they depend on: torch alone is gigabytes
_DRIVER = Path(__file__).parent / "kvbm_wheel_driver.py"
_HINT = (
    f"python3 -m venv kvbm && kvbm/bin/pip install --no-deps {' '.join(WHEELS)} && export {PYTHON}=$PWD/kvbm/bin/python"
)


def kvbm_wheel() -> Log:
    """Return the wheel that the interpreter named by KVGAUGE_KVBM_PYTHON has; `Missing` if it has none that answers."""
    python = os.environ.get(PYTHON)
    if not python:
        message = f"{NAME} runs the wheel in a Python environment that {PYTHON} names, and it is not set"
        raise Missing("no-kvbm", message, _HINT)
    command = shlex.join([python, "-I", str(_DRIVER)])
    wheel = Log(f"{command} --- ^created by kvbm [^:]+: (?P<backends>.*)", name=NAME, note=NOTE)
    try:
        wheel.backends({})
    except (ImplementationBroke, Refused) as error:
        raise Missing("no-kvbm", f"the wheel in the environment of {PYTHON} does not answer: {error}", _HINT) from None
    return wheel
