"""How the tests of workers start them and see that they are gone."""

from __future__ import annotations

import os
import select
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from suite.world.supervisor import WorkerSpec

if TYPE_CHECKING:
    from collections.abc import Callable

SERVERS = Path(__file__).parent / "servers"


@pytest.fixture
def spec(tmp_path: Path) -> Callable[..., WorkerSpec]:
    """Return a builder of misbehaving workers."""

    def build(role: str = "prefill", **changes: object) -> WorkerSpec:
        fields: dict[str, object] = {
            "server": "misbehaving:Misbehaving",
            "environment": os.environ | {"PYTHONPATH": str(SERVERS)},
            "cores": sorted(os.sched_getaffinity(0)),
            "log": tmp_path / f"{role}.log",
        }
        return WorkerSpec(role, **(fields | changes))  # type: ignore[arg-type]

    return build


@pytest.fixture
def gone() -> Callable[[int, float], bool]:
    """Return a function that waits for the end of any process, child or not."""

    def gone(pid: int, within_s: float) -> bool:
        try:
            process = os.pidfd_open(pid)
        except ProcessLookupError:
            return True
        try:
            return bool(select.select([process], [], [], within_s)[0])
        finally:
            os.close(process)

    return gone
