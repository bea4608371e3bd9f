"""How far apart runs of the same code are on this machine: the band that `kvgauge compare` allows for.

Short sweeps of a few points, one after the other with a pause, each with fresh workers. The
band is the largest ratio of two runs' medians over all pairs of runs and all points. It is
measured within minutes, and a machine changes over days (other neighbours, other clocks, other
memory), so it is never taken to be less than a floor.
"""

from __future__ import annotations

import time
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from perf.analysis import summarise
from perf.calibration.asked import Found
from perf.comparing.band import FLOOR
from perf.identity import CEILING
from perf.progress import Silent
from perf.reading import read_records
from perf.resources import library_environment
from perf.spec import check_spec
from perf.sweep import Options, measure
from perf.words import full_name
from suite.errors import Missing
from suite.run.calibration import Band
from suite.run.folder import create
from suite.transports import base

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perf.calibration.asked import Asked
    from perf.spec import SweepSpec

_TRANSPORTS = ("nixl:UCX", CEILING)
_LAUNCHES, _PAUSE_S, _QUICK_PAUSE_S = 3, 10.0, 1.0
_SEED = 7  # of every run: the same block tables, so that nothing but the run differs


class Shift(NamedTuple):
    """The largest ratio of two runs, less one, and of which point."""

    share: float
    point: str


def calibrate_band(asked: Asked) -> Found:
    """Run the same code several times, and say how far apart the runs were."""
    spec = _spec(quick=asked.quick)
    medians: list[Mapping[str, float]] = []
    begun = time.monotonic()
    for number in range(asked.runs):
        if number:
            time.sleep(_QUICK_PAUSE_S if asked.quick else _PAUSE_S)
        asked.say(f"run {number + 1} of {asked.runs} of the same code")
        medians.append(_run(spec, asked, number))
    found = largest(medians)
    seconds = time.monotonic() - begun
    width = max(found.share, FLOOR)
    return Found(band=Band(width=width, largest=found.share, runs=asked.runs, seconds=seconds, where=found.point[:500]))


def largest(runs: Sequence[Mapping[str, float]]) -> Shift:
    """Return the largest shift between any two of `runs`, point -> median of each; `Missing` without a common point."""
    shifts = [
        Shift(max(one[point], other[point]) / min(one[point], other[point]) - 1, point)
        for one, other in combinations(runs, 2)
        for point in sorted(one.keys() & other.keys())
    ]
    if not shifts:
        raise Missing("no-band", "no two runs have measured the same point", "kvgauge sweep says what fails")
    return max(shifts)


def _spec(*, quick: bool) -> SweepSpec:
    environment = library_environment()
    names = [name for name in _TRANSPORTS if not base.load(name).missing(environment)]
    if not names:
        raise Missing("no-band", f"none of {', '.join(_TRANSPORTS)} can run here", "pip install --no-deps nixl-cu12")
    kv = {"model": "llama-3.1-8b", "tokens": 512, "units": ["page", "block"], "patterns": ["scattered"], "samples": 2}
    messages = {"sizes": [4096, 1 << 20], "samples": 200}
    common = {"transports": names, "ops": ["push"]}
    document = {
        "launches": 2 if quick else _LAUNCHES,
        "kv": [] if quick else [kv | common],
        "bytes": [messages | common],
    }
    return check_spec(document, source="calibration")


def _run(spec: SweepSpec, asked: Asked, number: int) -> dict[str, float]:
    folder = create(asked.scratch / f"run-{number}")
    measure(spec, folder, Options(seed=_SEED), Silent())
    summaries = summarise(read_records(folder.samples)[0])
    return {full_name(one.point): one.throughput.median for one in summaries if one.throughput}
