"""Real runs of A and B for `gate_trial.py`, through the code of `kvgauge sweep --ab`, and what is made of their launches."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from perf.ab.against import against
from perf.ab.judge import judge
from perf.ab.variants import parse_both
from perf.comparing.comparison import compare
from perf.comparing.gate import condition, failing
from perf.comparing.runs import load
from perf.progress import Silent
from perf.spec import check_spec
from perf.sweep import Options, measure
from suite.run.folder import create

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from perf.ab.against import Row
    from perf.ab.judge import Pair
    from perf.comparing.runs import Compared
    from perf.spec import SweepSpec

SERVER = "perf.bench.servers:SlowedServer"
SLOWER = condition("slower")
_CLAIMS = frozenset({"faster", "slower"})


@dataclass(frozen=True)
class Trial:
    """One run of A and B."""

    path: Path
    rows: tuple[Row, ...]
    load: float  # average over a minute, when it ended

    @property
    def alarmed(self) -> bool:
        """Whether anything is claimed of any point."""
        return any(row.verdict in _CLAIMS for row in self.rows)

    @property
    def fails(self) -> bool:
        """Whether `--fail-on slower` exits 1, and nothing is called faster."""
        return bool(failing(self.rows, [SLOWER])) and all(row.verdict != "faster" for row in self.rows)

    @property
    def ratios(self) -> list[tuple[float, ...]]:
        """Ratios of B to A, launch by launch, of each point that has all launches."""
        most = max((len(row.ratios) for row in self.rows), default=0)
        return [row.ratios for row in self.rows if len(row.ratios) == most]


def spec(transport: str, launches: int, *, tokens: int, samples: int, windows: int) -> SweepSpec:
    """Return a small sweep: pushes and pulls of scattered blocks by one transport."""
    kv = {"model": "llama-3.1-8b", "tokens": tokens, "transports": [transport], "ops": ["push", "pull"],
          "units": ["block"], "patterns": ["scattered"], "samples": samples}  # fmt: skip
    return check_spec({"launches": launches, "windows": windows, "kv": [kv]}, source="gate_trial")


def messages(transport: str, launches: int) -> SweepSpec:
    """Return a sweep of messages that stay near the processor, to plant a slowdown in.

    After megabytes from memory a busy wait is partly made up for: stores drain meanwhile, and
    the next transfer is faster. A wait of 10 % lowered the rate of 4 MiB blocks by 5 %, of these by 10 %.
    """
    found = {"sizes": ["64 KiB"], "transports": [transport], "ops": ["push", "pull"], "samples": 500}
    return check_spec({"launches": launches, "windows": 5, "bytes": [found]}, source="gate_trial")


def tried(what: SweepSpec, path: Path, *, slower: float, seed: int) -> Trial:
    """Measure `default` against itself, or against workers whose transfers take the share `slower` longer."""
    other = f"SLOWED_PERCENT={100 * slower:g}" if slower else "default"
    asked = Options(seed=seed, server=SERVER, variants=parse_both(("default", other)))
    measure(what, create(path), asked, Silent())
    return Trial(path, against(path).rows, os.getloadavg()[0])


def differ(one: Path, other: Path, band: float) -> bool:
    """Return whether `kvgauge compare` claims anything of the A of two runs, which are two runs apart of the same code."""
    found = compare(_side_a(one), _side_a(other), band=band, band_source="asked for")
    return any(row.verdict in _CLAIMS for row in found.rows)


def _side_a(path: Path) -> Compared:
    run = load(path)
    kept = [one for one in run.summaries if one.point.variant == "A"]
    plain = [replace(one, point=one.point.model_copy(update={"variant": ""})) for one in kept]
    return replace(run, summaries=tuple(plain))


def first_shown(rows: Sequence[Row]) -> int | None:
    """Return from how many launches on the gate fails, had the run ended there; None if it does not at its end."""
    series = [row.ratios for row in rows if row.ratios]
    most = min(map(len, series), default=0)
    shown = None
    for launches in range(most, 0, -1):
        verdicts = [one.verdict for one in judge([_pairs(ratios[:launches]) for ratios in series])]
        if "slower" not in verdicts:
            break
        shown = launches
    return shown


@dataclass(frozen=True)
class Pool:
    """Logarithms of ratios of real A/A launches, of all points of a launch together: what a launch of this machine scatters by."""

    logs: np.ndarray[tuple[int, int], np.dtype[np.float64]]  # launches x points

    @classmethod
    def of(cls, trials: Sequence[Trial]) -> Pool:
        """Return the launches of A/A trials."""
        points = min((len(trial.ratios) for trial in trials), default=0)
        launches = [np.log(np.array(trial.ratios[:points])).T for trial in trials]
        return cls(np.concatenate(launches) if points else np.zeros((1, 1)))

    def verdicts(self, random: np.random.Generator, launches: int, slower: float = 0.0) -> list[str]:
        """Judge a made-up run: launches drawn from these, sides exchanged at random, B slower by the share `slower`."""
        drawn = self.logs[random.integers(0, len(self.logs), launches)]
        drawn = drawn * random.choice([-1, 1], (launches, 1)) - math.log1p(slower)
        return [one.verdict for one in judge([_pairs(np.exp(column).tolist()) for column in drawn.T])]

    def alarms(self, comparisons: int, launches: int, seed: int) -> int:
        """Return how many of so many made-up comparisons of a thing with itself claim something."""
        random = np.random.default_rng(seed)
        return sum(bool(_CLAIMS.intersection(self.verdicts(random, launches))) for _ in range(comparisons))

    def launches_for(self, slower: float, seed: int, *, wanted: float = 0.9, tries: int = 100) -> int | None:
        """Return how many launches find a slowdown in the share `wanted` of made-up runs; None for more than 200."""
        for launches in (*range(8, 30, 2), *range(30, 100, 5), *range(100, 201, 20)):
            random = np.random.default_rng(seed)
            found = sum("slower" in self.verdicts(random, launches, slower) for _ in range(tries))
            if found >= wanted * tries:
                return int(launches)
        return None


def _pairs(ratios: Sequence[float]) -> list[Pair]:
    return [(1.0, ratio) for ratio in ratios]
