"""Made-up summaries: shapes to draw and print, not results of any machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from perf.record import Issue, Point
from perf.summary import Interval, PointSummary

if TYPE_CHECKING:
    from collections.abc import Callable

KIB = 1 << 10

settings.register_profile(
    "tests", deadline=None
)  # hypothesis's 200 ms is an assertion on speed: a busy machine breaks it
settings.load_profile("tests")

# no test of these needs another, and some are long: mypy in a fresh clone, a page of the docs
ALONE = ("tests/test_gates.py", "tests/test_docs.py", "tests/test_install.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest, so that no worker is left with one at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(ALONE))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Let --dist loadfile keep a file on one worker, for its fixtures, but for the files whose tests stand alone."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return nodeid if nodeid.startswith(ALONE) else super()._split_scope(nodeid)

    return Scheduling(config, log)


def _interval(median: float, launches: int = 9) -> Interval:
    return Interval(median, 0.96 * median, 1.05 * median, 0.961, launches)


def _summary(**changes: Any) -> PointSummary:
    """Build one summary; fields of the point and of the summary by name."""
    point_fields: dict[str, Any] = {
        "transport": "nixl:UCX",
        "op": "push",
        "workload": "a-model",
        "pattern": "scattered",
        "unit": "page",
        "descriptor_bytes": 64 * KIB,
        "descriptors": 512,
    }
    point_fields |= {name: changes.pop(name) for name in list(changes) if name in Point.model_fields}
    total = point_fields["descriptor_bytes"] * point_fields["descriptors"]
    fields: dict[str, Any] = {
        "throughput": _interval(5.0),
        "latency_ns": _interval(6_700_000.0),
        "percentiles_ns": {"p90": 7.1e6},
        "max_ns": 9_000_000,
        "samples": 180,
        "launches": 9,
        "failed": 0,
        "wires": ("cma",),
        "verified": True,
        "verified_bytes": 40 * total,
        "logical_bytes": total,
        "wire_bytes": total,
        "posted_descriptors": point_fields["descriptors"],
        "working_set_bytes": 4 * total,
        "allocation": "4k",
        "emulated": False,
        "ceiling_share": 0.83,
        "issues": (),
    }
    return PointSummary(point=Point(**point_fields), **(fields | changes))


@pytest.fixture
def summary() -> Callable[..., PointSummary]:
    return _summary


@pytest.fixture
def interval() -> Callable[..., Interval]:
    return _interval


@pytest.fixture
def summaries() -> list[PointSummary]:
    """Give a plausible quick sweep with everything odd in it once."""
    found = []
    layout = (("head", 8 * KIB, 4096), ("page", 64 * KIB, 512), ("layer", 128 * KIB, 256), ("block", 4096 * KIB, 8))
    speeds = {"copy": 9.0, "nixl:UCX": 7.2, "ucx": 8.1}
    for op, factor in (("push", 1.0), ("pull", 1.06)):
        for transport, most in speeds.items():
            for pattern, gain in (("scattered", 1.0), ("contiguous", 1.12)):
                for unit, size, count in layout:
                    rate = factor * gain * most * size / (size + 30 * KIB)
                    share = None if transport == "copy" else most / 9.0 * (1.3 if size > 4000 * KIB else 1.0)
                    found.append(
                        _summary(
                            transport=transport, op=op, pattern=pattern, unit=unit, descriptor_bytes=size,
                            descriptors=count, throughput=_interval(rate), ceiling_share=share,
                            latency_ns=_interval(size * count / rate),
                            posted_descriptors=count // 4 if pattern == "contiguous" else count,
                        )
                    )  # fmt: skip
            for size in (4 * KIB, 64 * KIB, 1024 * KIB, 16384 * KIB):
                rate = factor * 1.2 * most * size / (size + 20 * KIB)
                found.append(
                    _summary(
                        transport=transport, op=op, workload="bytes", unit="bytes", pattern="contiguous",
                        descriptor_bytes=size, descriptors=1, throughput=_interval(rate),
                        latency_ns=_interval(size / rate + 900), ceiling_share=None if transport == "copy" else most / 9.0,
                    )
                )  # fmt: skip
    doubt = Issue(level="OPEN", code="unsteady", message="The first transfers of a window were 1.4 times slower.")
    note = Issue(level="NOTE", code="loopback", message="cma copies inside one machine.")
    wrong = Issue(level="INVALID", code="two-wires", message="Two launches used different wires: cma and tcp.")
    found[9] = replace(found[9], issues=(doubt, note))
    found.append(_summary(transport="ucx", settings={"UCX_TLS": "tcp"}, issues=(wrong,), wires=("cma", "tcp")))
    found.append(_summary(transport="mooncake:tcp", throughput=None, latency_ns=None, launches=0, failed=9,
                          wires=(), verified=False, verified_bytes=0, ceiling_share=None))  # fmt: skip
    found.append(_summary(transport="nixl:GDS", emulated=True, wires=("cuda_ipc",)))
    return found


@pytest.fixture
def manifest() -> dict[str, object]:
    return {
        "kvgauge": "0.1.0",
        "command": ["/opt/x/bin/kvgauge", "run", "--out", "runs/a b"],
        "seed": 7,
        "started_at": "2026-01-02T03:04:05+00:00",
        "finished_at": "2026-01-02T03:06:07+00:00",
        "complete": True,
        "machine": {"cpu": "A processor @ 2.0 GHz", "cores": 2, "memory_bytes": 8 << 30, "kernel": "6.1.0",
                    "os": "Linux", "python": "3.11.2", "huge_pages": 0},
        "versions": {"numpy": "2.3.0", "nixl-cu12": "1.5.0"},
        "environment": {"PATH": "/usr/bin:/bin", "UCX_TLS": "all", "API_TOKEN": "[redacted]"},
        "settings": {"transports": ["nixl:UCX", "ucx"],
                     "why": ["DYN_KVBM_NIXL_BACKEND_UCX is not set; UCX is the default.", "TRTLLM_* variables are not set."]},
        "spec": {"name": "quick", "launches": 9},
        "load_average": [0.3, 1.9],
    }  # fmt: skip
