"""Processes of their own on emulated devices: the driver is chosen before a process starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from suite.cuda_emulator.environment import environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MIB = 1 << 20
PRELUDE = """
import json
import numpy as np
from suite.errors import KvgaugeError
from suite.memory.cuda import CudaRegion, current
from suite.memory.driver import call

def refusal(function, *arguments):
    try:
        function(*arguments)
    except (KvgaugeError, IndexError, ValueError) as error:
        hint = getattr(error, "hint", "")
        message = getattr(error, "message", str(error))
        return {"kind": type(error).__name__, "code": getattr(error, "code", ""), "message": message, "hint": hint}

def contents(region):
    out = np.empty(region.nbytes, np.uint8)
    region.read(0, out)
    return out

"""


@pytest.fixture
def without_gpus() -> Callable[[str], Any]:
    """Return a function that runs Python in a new process with no driver; its `answer` comes back as JSON."""
    return lambda body: _answer(body, dict(os.environ))


@pytest.fixture
def on_gpus(tmp_path: Path) -> Callable[..., Any]:
    """Return a function that runs Python in a new process on emulated devices; its `answer` comes back as JSON.

    The emulation is strict: device memory that the CPU touches kills the process.
    """

    def run(body: str, devices: int = 2, memory_bytes: int = 64 * MIB) -> Any:
        emulated = environment(devices, base=os.environ, logs=tmp_path, memory_bytes=memory_bytes, strict=True)
        return _answer(body, os.environ | emulated)

    return run


def _answer(body: str, variables: dict[str, str]) -> Any:
    script = f"{PRELUDE}{textwrap.dedent(body)}\nprint(json.dumps(answer))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], env=variables, capture_output=True, text=True, check=False
    )
    if done.returncode < 0:
        return -done.returncode  # the signal
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
