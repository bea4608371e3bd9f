"""Put the gate of `kvgauge sweep --ab` to the test on this machine: how often it errs, and what it finds.

    python -m perf.bench.gate_trial [--quick] [--comparisons 20] [--launches 12]

Real runs, through the code of `kvgauge sweep --ab`, of small sweeps: a thing against itself (pushes and pulls of
scattered blocks), and against workers whose every transfer takes 10 % or 5 % longer (64 KiB messages; a busy wait in
the timed region, as long as that share of what the very transfer took). Simulated runs draw the launches of the real ones again,
sides exchanged at random. Two runs apart are the A sides of two successive runs, told by `kvgauge compare`. Exit
code 1 if a goal is missed. About 30 minutes on a quiet machine of two cores; --quick takes five and proves little.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perf.ab.options import LAUNCHES
from perf.bench.trials import Pool, Trial, differ, first_shown, messages, spec, tried
from perf.comparing.band import BAND
from suite.transports import base

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from perf.spec import SweepSpec

SIMULATED = 200
PLANTED, SMALL = 0.10, 0.05
_SEED = 20261124


@dataclass(frozen=True)
class Line:
    """One row of the result."""

    what: str
    found: str
    goal: str
    met: bool | None  # None: there is no goal


def main() -> int:
    """Run all trials and print the table."""
    given = _arguments()
    with _folder(given.keep) as folder:
        begun = time.monotonic()
        what = _spec(given, given.launches)
        same = _trials(what, folder, "same", given.comparisons, slower=0.0)
        slow = _trials(messages(given.transport, given.launches), folder, "slower", given.comparisons, slower=PLANTED)
        small = _trials(messages(given.transport, given.most), folder, "small", given.small, slower=SMALL)
        lines = [*_simulated(same, given.launches), *_real(same), *_planted(slow), *_small(small, same)]
        lines += _apart(same, given.band / 100)
    _print(lines, [*same, *slow, *small], given, time.monotonic() - begun)
    return int(any(line.met is False for line in lines))


def _arguments() -> argparse.Namespace:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--quick", action="store_true", help="3 comparisons of each kind")
    asked.add_argument("--comparisons", type=int, default=20)
    asked.add_argument("--launches", type=int, default=LAUNCHES)
    asked.add_argument("--most", type=int, default=40, help="launches of a run with a planted 5 %%")
    asked.add_argument("--small", type=int, default=3, help="how many of those")
    asked.add_argument("--tokens", type=int, default=64)
    asked.add_argument("--samples", type=int, default=4, help="transfers of a window")
    asked.add_argument("--windows", type=int, default=10)
    asked.add_argument("--transport", help="default: nixl:UCX, or copy without it")
    asked.add_argument("--band", type=float, default=100 * BAND, help="percent, for runs apart")
    asked.add_argument("--keep", type=Path, help="folder for the runs; default: they are thrown away")
    given = asked.parse_args()
    if given.quick:
        given.comparisons, given.small, given.most = 3, 1, 20
    if not given.transport:
        given.transport = "copy" if base.load("nixl:UCX").missing() else "nixl:UCX"
    return given


def _spec(given: argparse.Namespace, launches: int) -> SweepSpec:
    return spec(given.transport, launches, tokens=given.tokens, samples=given.samples, windows=given.windows)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep:
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="kvgauge-gate-") as name:
        yield Path(name)


def _trials(what: SweepSpec, folder: Path, name: str, count: int, *, slower: float) -> list[Trial]:
    found = []
    for number in range(count):
        begun = time.monotonic()
        trial = tried(what, folder / f"{name}-{number}", slower=slower, seed=_SEED + number)
        found.append(trial)
        told = ", ".join(
            f"{row.verdict} {row.judgement.ratio:.3f}" if row.judgement else row.refused for row in trial.rows
        )
        took = time.monotonic() - begun
        print(
            f"{name} {number + 1} of {count}: {told} ({took:.0f} s, load {trial.load:.1f})", file=sys.stderr, flush=True
        )
    return found


def _simulated(same: Sequence[Trial], launches: int) -> Iterator[Line]:
    alarms = Pool.of(same).alarms(SIMULATED, launches, _SEED)
    yield Line(
        "same code, simulated: runs with an alarm", f"{alarms} of {SIMULATED}", "at most 2", alarms <= SIMULATED // 100
    )


def _real(same: Sequence[Trial]) -> Iterator[Line]:
    alarms = sum(trial.alarmed for trial in same)
    yield Line("same code, real: runs with an alarm", f"{alarms} of {len(same)}", "none", alarms == 0)
    yield Line("    B / A, over runs and points", _span(same), "", None)


def _planted(slow: Sequence[Trial]) -> Iterator[Line]:
    found, needed = sum(trial.fails for trial in slow), -(-len(slow) * 9 // 10)
    points = [row.verdict == "slower" for trial in slow for row in trial.rows]
    told = f"{found} of {len(slow)} runs, {sum(points)} of {len(points)} points"
    yield Line("transfers take 10 % longer: found", told, f"at least {needed} runs", found >= needed)
    yield Line("    B / A, over runs and points", _span(slow), "0.909", None)


def _small(small: Sequence[Trial], same: Sequence[Trial]) -> Iterator[Line]:
    shown = [first_shown(trial.rows) for trial in small]
    told = ", ".join("not" if one is None else f"from {one}" for one in shown)
    most = max((len(row.ratios) for trial in small for row in trial.rows), default=0)
    yield Line("transfers take 5 % longer: launches until found", f"{told} (of {most})", "", None)
    needed = Pool.of(same).launches_for(SMALL, _SEED)
    told = "more than 200" if needed is None else str(needed)
    yield Line("    launches that find it in 9 of 10, simulated", told, "", None)


def _apart(same: Sequence[Trial], band: float) -> Iterator[Line]:
    pairs = list(zip(same, [*same[1:], *same[:1]], strict=True)) if len(same) > 1 else []
    different = sum(differ(one.path, other.path, band) for one, other in pairs)
    yield Line(
        f"runs apart, band {100 * band:.3g} %: called different", f"{different} of {len(pairs)}", "none", different == 0
    )


def _span(trials: Sequence[Trial]) -> str:
    ratios = sorted(row.judgement.ratio for trial in trials for row in trial.rows if row.judgement)
    return f"{statistics.median(ratios):.3f}, from {ratios[0]:.3f} to {ratios[-1]:.3f}" if ratios else "none"


def _print(lines: Sequence[Line], trials: Sequence[Trial], given: argparse.Namespace, took_s: float) -> None:
    loads = sorted(trial.load for trial in trials)
    print(
        f"--ab, --fail-on slower: q < 0.01, {given.launches} launches, {given.transport}, push and pull of scattered blocks,"
    )
    print(
        f"windows of {given.samples} x {given.tokens} tokens, {given.windows} a point and launch; planted: 64 KiB messages;"
    )
    print(f"{len(trials)} real runs in {took_s / 60:.0f} min, load {loads[0]:.1f} to {loads[-1]:.1f}")
    width = max(len(line.what) for line in lines)
    middle = max(len(line.found) for line in lines)
    for line in lines:
        goal = "" if line.met is None else f"{line.goal}: {'met' if line.met else 'MISSED'}"
        print(f"{line.what:{width}}  {line.found:{middle}}  {goal or line.goal}".rstrip())


if __name__ == "__main__":
    sys.exit(main())
