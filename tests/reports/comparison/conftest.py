"""Made-up runs: shapes to lay side by side, not results of any machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conformance.record import Case
from reports.recorded import Run

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def made(manifest: dict[str, Any]) -> Callable[..., Run]:
    """Return what builds a run; `changes` are of its manifest."""

    def build(name: str, points: Any = (), cases: Any = None, notes: Any = (), **changes: Any) -> Run:
        own = {"started_at": f"2026-01-02T03:04:05+00:00, {name}"}  # else they are copies of one run
        return Run(
            name, manifest | own | changes, tuple(points), cases, tuple(notes), measured=bool(points) or not cases
        )

    return build


@pytest.fixture
def case() -> Callable[..., Case]:
    """Return what builds a verdict."""

    def build(
        requirement: str = "ENV-001", verdict: str = "pass", implementation: str = "mine", **changes: Any
    ) -> Case:
        broken = verdict in {"fail", "warn"}
        fields: dict[str, Any] = {
            "case": "test_x",
            "expected": False,
            "what": "it is wrong" if broken else "",
            "example": {"environment": {"A": "B"}} if broken else None,
            "reproduce": "env A=B kvgauge conform mine" if broken else "",
        }
        return Case(requirement, implementation, verdict=verdict, **(fields | changes))

    return build
