"""Two real workers for every benchmark, and the ratios that they are about, printed at the end."""

from __future__ import annotations

import os
import statistics
from typing import TYPE_CHECKING, Any

import pytest

from perf.launch import Launch, LaunchPlan, launched, region_size
from perf.planning import PlannedPoint, points
from perf.setups import required_environment
from perf.spec import load_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_RATIOS = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def planned() -> list[PlannedPoint]:
    """Return the points of the quick preset."""
    return points(load_spec("quick"))


@pytest.fixture(scope="module")
def launch(planned: list[PlannedPoint], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launch]:
    """Return a prefill and a decode worker with the quick preset's regions."""
    logs: Path = tmp_path_factory.mktemp("logs")
    plan = LaunchPlan(
        launch=0,
        environment={**os.environ, **required_environment(sorted({one.point.transport for one in planned}))},
        logs=logs,
        seed=1,
        region_bytes=region_size(planned),
        server="perf.bench.servers:BareServer",
    )
    with launched(plan, "0") as workers:
        yield workers


@pytest.fixture
def ratio(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Return a function that records the ratio of two lists of figures, taken in turn in one run."""
    lines = request.config.stash.setdefault(_RATIOS, [])

    def record(benchmark: Any, what: str, ours: list[float], theirs: list[float]) -> None:
        pairs = sorted(one / other for one, other in zip(ours, theirs, strict=True))
        median = statistics.median(pairs)
        benchmark.extra_info["ratio"] = median
        span = f"[{pairs[0]:.3f}, {pairs[-1]:.3f}]"
        lines.append(f"{what}: {median:.3f} {span}, {len(pairs)} pairs, load {os.getloadavg()[0]:.2f}")

    return record


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print every ratio: median of pairs, least and most."""
    for line in config.stash.get(_RATIOS, []):
        terminalreporter.write_line(line)
