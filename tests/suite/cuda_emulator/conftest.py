"""Processes on the emulated driver: its environment is read when a process starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from suite.cuda_emulator.environment import environment

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVERS = Path(__file__).parent / "servers"
ROOT = Path(__file__).parents[3]
PLENTY_S = 120.0

needs_bindings = pytest.mark.skipif(find_spec("cuda") is None, reason="cuda-bindings is not installed")
needs_nixl = pytest.mark.skipif(
    find_spec("nixl_cu12") is None or find_spec("cuda") is None, reason="NIXL or cuda-bindings is not installed"
)
needs_cuda_h = pytest.mark.skipif(
    find_spec("nvidia") is None or find_spec("nvidia.cuda_runtime") is None,
    reason="the wheel with cuda.h is not installed",
)


def cuda_h() -> Path:
    """Return the wheel's cuda.h."""
    spec = find_spec("nvidia.cuda_runtime")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations))) / "include" / "cuda.h"


class Emulator:
    """Starts processes on emulated devices, with logs in a folder of the test's own."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs

    def environment(
        self, *, extra: Mapping[str, str] | None = None, devices: int = 2, **settings: Any
    ) -> dict[str, str]:
        added = environment(devices, base=os.environ, logs=self.logs, **settings)
        return {**os.environ, **added, "PYTHONPATH": str(ROOT), **(extra or {})}

    def start(self, *command: str, **settings: Any) -> subprocess.Popen[str]:
        """Start Python with `command`; standard input and output are pipes."""
        return subprocess.Popen(
            [sys.executable, *command],
            env=self.environment(**settings),
            cwd=self.logs,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str, **settings: Any) -> subprocess.CompletedProcess[str]:
        process = self.start(*command, **settings)
        try:
            output, errors = process.communicate(timeout=PLENTY_S)
        finally:
            process.kill()
        return subprocess.CompletedProcess(command, process.returncode, output, errors)

    def json(self, *command: str, **settings: Any) -> Any:
        """Return the JSON that the process printed on its last line."""
        done = self.run(*command, **settings)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def emulator(tmp_path: Path) -> Emulator:
    return Emulator(tmp_path)
