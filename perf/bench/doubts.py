"""How often a clean point is doubted, and how often a planted fault is found: simulated launches through the real analysis.

    python perf/bench/doubts.py [--points 1000] [--launches 9] [--noise 5]

A launch has a factor of its own and so has every transfer, both lognormal: `--noise` percent each. A real
machine has more than that: jumps, heavy tails, neighbours. So this shows what the rules do, not what a machine does.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perf.steadiness import unsteadiness

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Times = NDArray[np.float64]  # (launches, windows, samples), ns

_SEED = 20261124
_NS = 1e6  # of a transfer


@dataclass(frozen=True)
class Launch:
    """What the checks of steadiness ask of a record."""

    durations_ns: list[int]
    delivered_ns: list[int]
    window_samples: int


def _trend(times: Times) -> Times:
    return times * np.linspace(1, 1.2, times.shape[0])[:, None, None]


def _drift(times: Times) -> Times:
    return times * np.linspace(1, 1.2, times.shape[1])[None, :, None]


def _straggler(times: Times) -> Times:
    return times * np.where(np.arange(times.shape[0]) == times.shape[0] // 2, 2, 1)[:, None, None]


def _slow_start(times: Times) -> Times:
    return times * np.where(np.arange(times.shape[2]) == 0, 2, 1)[None, None, :]


def _two_modes(times: Times) -> Times:
    return times * np.where(np.arange(times.shape[2]) % 2 == 0, 1.7, 1)[None, None, :]


PLANTED: dict[str, tuple[str, Callable[[Times], Times]]] = {
    "trend": ("launches 20 % slower from the first to the last", _trend),
    "drift": ("windows 20 % slower from the first to the last", _drift),
    "straggler": ("one launch at half the speed", _straggler),
    "slow-start": ("the first of a window's transfers at half the speed", _slow_start),
    "samples-differ": ("every other transfer takes 1.7 times as long", _two_modes),
}


def simulated(random: np.random.Generator, launches: int, windows: int, samples: int, noise: float) -> Times:
    """Return the times of one clean point, shape (launches, windows, samples), ns."""
    own = random.lognormal(0, noise, (launches, 1, 1))
    return np.asarray(_NS * own * random.lognormal(0, noise, (launches, windows, samples)))


def codes(times: Times) -> set[str]:
    """Return the doubts that the analysis has about such a point."""
    records = [
        Launch(one.ravel().astype(int).tolist(), one.sum(axis=1).astype(int).tolist(), one.shape[1]) for one in times
    ]
    rates = [1 / sum(one.delivered_ns) for one in records]
    return {one.code for one in unsteadiness(records, rates)}  # type: ignore[arg-type]  # all that it asks of a record


def counted(
    points: int, launches: int, noise: float, plant: str = "", *, windows: int = 3, samples: int = 4
) -> Counter[str]:
    """Return how many of `points` had each doubt; "any" counts those that had one at all."""
    random = np.random.default_rng(_SEED)
    told: Counter[str] = Counter()
    for _ in range(points):
        times = simulated(random, launches, windows, samples, noise)
        found = codes(PLANTED[plant][1](times) if plant else times)
        told.update(found)
        told["any"] += bool(found)
    return told


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--points", type=int, default=1_000)
    asked.add_argument("--launches", type=int, default=9)
    asked.add_argument("--noise", type=float, default=5, help="percent, of a launch and of a transfer")
    given = asked.parse_args()
    noise = given.noise / 100
    print(f"{given.points} points, {given.launches} launches of 3 windows, noise {given.noise:.3g} %")
    for samples in (4, 200):
        clean = counted(given.points, given.launches, noise, samples=samples)
        each = ", ".join(f"{code} {100 * count / given.points:.1f} %" for code, count in sorted(clean.items()))
        print(f"clean, {samples} transfers a window: {each or 'none'}")
    for code, (what, _) in PLANTED.items():
        told = counted(given.points, given.launches, noise, code)
        print(f"{what}: {code} in {100 * told[code] / given.points:.1f} %")


if __name__ == "__main__":
    main()
