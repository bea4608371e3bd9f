"""The long form for change-point tools and spreadsheets: a row for each point, launch and metric, oldest run first.

Only what may be compared is in it: real devices, every byte right, nothing INVALID.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.csv_text import csv_lines
from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reports.recorded import Run

METRICS = {"throughput_gb_per_s": "GB/s", "latency_median_ns": "ns"}  # column of `launch_row` -> unit
_OURS = frozenset({"matplotlib", "numpy", "pandas", "scipy"})  # they carry no byte
_POINT = (
    "transport",
    "op",
    "source",
    "destination",
    "workload",
    "pattern",
    "unit",
    "descriptor_bytes",
    "descriptors",
    "flows",
)


def render(runs: Sequence[Run]) -> tuple[str, tuple[str, ...]]:
    """Return all launches of all runs, and how many were left out."""
    ordered = oldest_first(runs)
    rows = [row for run in ordered for row in _rows(run)]
    if not rows:
        raise BadInput("nothing-to-export", "no launch has a number that counts", "emulated points have none")
    left = sum(not counted(row) for run in ordered for row in run.launches)
    return "".join(csv_lines(rows)), ((f"{left} launches of points do not count, and are left out",) if left else ())


def oldest_first(runs: Sequence[Run]) -> list[Run]:
    """Return runs by the time when they were started."""
    return sorted(runs, key=lambda run: (started(run), run.name))


def started(run: Run) -> str:
    """Return when a run was started, ISO 8601, as recorded; raises `BadInput` for one that does not say."""
    told = run.manifest.get("started_at")
    if not isinstance(told, str) or not told:
        raise BadInput("no-time", f"{run.name} does not say when it was started", "a series needs times")
    return told


def version(run: Run) -> str:
    """Return what was measured, as one word: kvgauge and the libraries of transports, with their versions."""
    libraries = run.manifest.get("versions")
    told = {"kvgauge": run.manifest.get("kvgauge"), **(libraries if isinstance(libraries, dict) else {})}
    return " ".join(f"{name}={value}" for name, value in told.items() if isinstance(value, str) and name not in _OURS)


def counted(row: Mapping[str, Any]) -> bool:
    """Return whether a launch has numbers that may be compared."""
    return bool(row["counts"]) and not row["emulated"]


def _rows(run: Run) -> Iterator[dict[str, object]]:
    for row in filter(counted, run.launches):
        settings = {name: value for name, value in row.items() if name.startswith("setting.")}
        head = {"time": row["started_at"], "run": run.name, "version": version(run), "launch": row["launch"]}
        for metric, unit in METRICS.items():
            value = {
                "metric": metric.rsplit("_", 3 if unit == "GB/s" else 1)[0],
                "value": row[metric],
                "value_unit": unit,
            }
            yield {**head, **{name: row[name] for name in _POINT}, **value, **settings}
