"""How often `kvgauge compare` errs: simulated runs of the same code, and runs with a planted slowdown.

    python perf/bench/gate_errors.py [RUN] [--comparisons 200] [--launches 9] [--shift 21]

A simulated run draws each point's launches from RUN's (each by its point's median, put back), times
one factor for the whole run, log-uniform so that two runs are at most `--shift` percent apart.
Without RUN launches are lognormal, spread by 5 %. What this shows is how the rules act on such runs;
runs of a real machine may differ by more, or from point to point.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from perf.comparing.band import BAND
from perf.comparing.judge import judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from perf.comparing.judge import Values

PLANTED = (0.05, 0.10, 0.20, 0.30, 0.40)
_SEED = 20261124


def spreads(run: Path | None, points: int) -> list[list[float]]:
    """Return for each point its launches' rates by their median."""
    if run is None:
        random = np.random.default_rng(_SEED)
        return [random.lognormal(0, 0.05, 100).tolist() for _ in range(points)]
    from perf.comparing.runs import load

    every = [[rep.throughput for rep in one.repetitions if rep.throughput] for one in load(run).summaries]
    return [[rate / statistics.median(rates) for rate in rates] for rates in every if rates]


def simulated(
    random: np.random.Generator, found: Sequence[Sequence[float]], launches: int, *, shift: float, speed: float
) -> list[Values]:
    """Return every point's launches in two runs, NEW at `speed` times BASE."""
    factors = np.exp(random.uniform(0, math.log(1 + shift), 2)) * [1, speed]
    return [tuple(_drawn(random, point, launches, factor) for factor in factors) for point in found]  # type: ignore[misc]  # a pair


def _drawn(random: np.random.Generator, point: Sequence[float], launches: int, factor: float) -> NDArray[np.float64]:
    return random.choice(point, launches) * factor


def counted(
    found: Sequence[Sequence[float]], comparisons: int, launches: int, *, shift: float, band: float, speed: float
) -> Counter[str]:
    """Return verdicts of all points of all comparisons; `any` counts comparisons with a claim."""
    random = np.random.default_rng(_SEED)
    told: Counter[str] = Counter()
    for _ in range(comparisons):
        verdicts = [one.verdict for one in judge(simulated(random, found, launches, shift=shift, speed=speed), band)]
        told.update(verdicts)
        told["any"] += bool({"faster", "slower"}.intersection(verdicts))
    return told


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("run", nargs="?", type=Path)
    asked.add_argument("--comparisons", type=int, default=200)
    asked.add_argument("--launches", type=int, default=9)
    asked.add_argument("--points", type=int, default=8, help="without RUN")
    asked.add_argument("--shift", type=float, default=100 * BAND, help="percent between two runs, at most")
    asked.add_argument("--band", type=float, default=100 * BAND, help="percent")
    given = asked.parse_args()
    found = spreads(given.run, given.points)
    shift, band = given.shift / 100, given.band / 100
    print(f"{given.comparisons} comparisons of {len(found)} points, {given.launches} launches a side;")
    print(f"runs up to {given.shift:.3g} % apart, band {given.band:.3g} %")
    for slower in (0.0, *PLANTED):
        told = counted(found, given.comparisons, given.launches, shift=shift, band=band, speed=1 - slower)
        points = {name: count for name, count in sorted(told.items()) if name != "any"}
        share = 100 * told["slower"] / sum(points.values())
        what = "same code" if not slower else f"{100 * slower:.0f} % slower"
        print(f"{what:>12}: a claim in {told['any']} of {given.comparisons}; slower {share:.1f} % of points; {points}")


if __name__ == "__main__":
    main()
