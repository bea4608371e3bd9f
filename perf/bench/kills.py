"""Kills a sweep again and again, resumes it each time, and looks whether anything was lost, doubled or left behind.

    python perf/bench/kills.py [--kills 50] [--seed 7] [--folder DIR]

The sweep process is killed by SIGKILL at a random moment after its start or after its workers are there, or
at once when `samples.jsonl` has grown (between a write and what follows it), or one of its workers is.
After some kills the file gets the first bytes of a line more: what a kill in the middle of a write leaves.
Every session of a run but the first is `--resume`. What must be there in the end is what its seed
plans: every point of every launch once, in its place. Exit code 1 if it is not.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from perf.identity import point_key
from perf.planning import points, schedule
from perf.reading import read_records
from perf.spec import load_spec
from suite.run import manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_S = 2.5  # of a session until its kill
PATIENCE_S = 60.0  # for a process that is sure to end
SHM = Path("/dev/shm")  # noqa: S108  where shared memory would leak to
MANNERS = ("moment", "working", "write", "torn", "worker")  # in a random order, each as often as the others
CACHE = (
    'model = "llama-3.1-8b"\ndtype = "fp8"\ntokens = 4\ntokens_per_block = 1\nsamples = 3\npatterns = ["scattered"]\n'
)
SPEC = f"""launches = {{launches}}
windows = 1
[[kv]]
{CACHE}transports = {{transports}}
ops = ["push", "pull"]
units = ["page"]
"""
FILES = f'[[kv]]\n{CACHE}transports = ["nixl:POSIX"]\nops = ["handoff"]\nunits = ["page"]\n'
# a run of ucx_perftest beside it, in every launch: a process that is no worker
WITNESSED = (
    '[[bytes]]\nsizes = ["64 KiB"]\npatterns = ["hot"]\ntransports = ["nixl:UCX"]\nops = ["push"]\nsamples = 20\n'
)


@dataclass
class Found:
    """What came of it; `wrong` is empty if all is well."""

    kills: Counter[str] = field(default_factory=Counter)
    torn: int = 0  # times the file ended within a line
    runs: int = 0
    records: int = 0
    failed: int = 0  # of them; a killed worker costs the point in flight
    wrong: list[str] = field(default_factory=list)


class Run:
    """One run, session after session."""

    def __init__(self, folder: Path, spec: Path, seed: int) -> None:
        self.folder, self._spec, self._seed = folder, spec, seed
        self.samples = folder / "samples.jsonl"
        self._seen: set[int] = set()  # every process that any session had

    def start(self) -> subprocess.Popen[bytes]:
        """Begin the sweep, or go on with it."""
        if (self.folder / "manifest.json").exists():
            wanted = ["--resume", f"{self.folder}"]
        else:  # killed before it wrote anything: there is nothing to go on with
            shutil.rmtree(self.folder, ignore_errors=True)
            wanted = [f"{self._spec}", "--out", f"{self.folder}", "--seed", f"{self._seed}"]
        command = [sys.executable, "-P", "-c", "from suite.cli import main; main()", "sweep", *wanted, "--quiet"]
        with (self.folder.parent / "sessions.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def children(self, process: subprocess.Popen[bytes]) -> list[int]:
        """Return the processes that the sweep has started and that are there, workers first."""
        with suppress(OSError):
            told = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split()
            self._seen.update(map(int, told))
            return sorted(map(int, told), key=lambda pid: b"suite.world.worker" not in _command(pid))
        return []

    def left(self) -> list[str]:
        """Return what is still there, after a while, of processes and scratch files that sessions had."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := self._there()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found

    def _there(self) -> list[str]:
        alive = [f"process {pid}: {_command(pid)[:200]!r}" for pid in self._seen if _ours(pid)]
        return alive + [f"scratch folder {one.name}" for one in self.folder.glob("kvgauge-*")]


def killed(folder: Path, kills: int, seed: int, *, transports: Sequence[str], more: str = "", launches: int) -> Found:
    """Kill runs in `folder` `kills` times in all, let each end, and return what was found.

    A run that ends before all kills are done is judged, and another one begun.
    """
    spec = folder / "spec.toml"
    head = "witness = true\n" if WITNESSED in more else ""
    spec.write_text(head + SPEC.format(launches=launches, transports=json.dumps(list(transports))) + more)
    draw, found = random.Random(seed), Found()  # noqa: S311  moments, no secret
    manners = [MANNERS[number % len(MANNERS)] for number in range(kills)]
    draw.shuffle(manners)
    number = 0
    while not number or manners:
        run = Run(folder / f"run-{number}", spec, seed + number)
        _one_run(run, manners, draw, found)
        _judge(run, spec, seed + number, found)
        found.wrong += [f"at the end there is still {one}" for one in run.left()]
        number += 1
    return found


def _one_run(run: Run, manners: list[str], draw: random.Random, found: Found) -> None:
    """Kill one run in the `manners` that are left, until none is or it has ended."""
    process = run.start()
    while True:
        before = _finished(run.samples)
        manner = manners[-1] if manners else ""
        _await_moment(run, process, manner, draw)
        workers = [pid for pid in run.children(process) if b"suite.world.worker" in _command(pid)]
        if (status := process.poll()) is not None:
            break
        if manner == "worker":
            if workers:
                _kill(draw.choice(workers))
                found.kills[manners.pop()] += 1
            continue
        _kill(process.pid)
        process.wait()
        found.kills[manners.pop()] += 1
        found.wrong += [f"after a kill there is still {one}" for one in run.left()]
        _look(run, before, found, tear=draw.random() if manner == "torn" else None)
        process = run.start()
    if status not in {0, 1}:  # 1: a point whose worker was killed has failed
        found.wrong.append(f"a session ended by itself with {status}")
    _look(run, before, found, tear=None)


def _await_moment(run: Run, process: subprocess.Popen[bytes], manner: str, draw: random.Random) -> None:
    """Wait until it is time: a random while after the start, or after workers are there, or a grown file; or the end."""
    size, begun = _size(run.samples), time.monotonic()
    wait, there = draw.uniform(0, LONGEST_S), manner in {"", "moment"}
    while process.poll() is None:
        if manner == "write":
            if _size(run.samples) > size:
                return
            continue
        if not there and any(b"suite.world.worker" in _command(pid) for pid in run.children(process)):
            there, begun = True, time.monotonic()
        if manner and there and time.monotonic() > begun + wait:
            return
        run.children(process)
        time.sleep(0.01)


def _look(run: Run, before: bytes, found: Found, *, tear: float | None) -> None:
    """Compare the file with what was finished before; leave the beginning of a line in it if asked to."""
    data = run.samples.read_bytes() if run.samples.exists() else b""
    if before and not data.startswith(before):
        found.wrong.append("records that were finished before a kill are not what they were")
    if tear is not None and before:
        line = before.splitlines()[-1]
        with run.samples.open("ab") as file:
            file.write(line[: 1 + int(tear * (len(line) - 1))])
    found.torn += (bool(data) and not data.endswith(b"\n")) or (tear is not None and bool(before))


def _judge(run: Run, spec: Path, seed: int, found: Found) -> None:
    """Compare what is there with what the seed plans, which is what a run that nobody killed has."""
    told = load_spec(f"{spec}")
    planned = points(told)
    wanted = Counter(
        (launch, position, point_key(planned[index].point))
        for launch, order in enumerate(schedule(planned, told.launches, seed))
        for position, index in enumerate(order)
    )
    records, notes = read_records(run.samples)
    have = Counter((one.launch, one.position, point_key(one.point)) for one in records)
    found.runs += 1
    found.records += len(records)
    found.failed += sum(one.status == "failed" for one in records)
    found.wrong += [f"the file of records: {note}" for note in notes]
    for name, more in (("lost", wanted - have), ("counted twice or never asked for", have - wanted)):
        if more:
            found.wrong.append(f"{sum(more.values())} of {sum(wanted.values())} {name}, such as {next(iter(more))}")
    if manifest.read(run.folder / "manifest.json")["complete"] is not True:
        found.wrong.append("the run is not complete")


def _finished(path: Path) -> bytes:
    """Return the lines of a file that are complete."""
    data = path.read_bytes() if path.exists() else b""
    return data[: data.rfind(b"\n") + 1]


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _ours(pid: int) -> bool:
    """Tell whether a process is there and is still what a sweep starts: its number may be another's by now."""
    return any(word in _command(pid) for word in (b"suite.world.worker", b"kvgauge-janitor", b"ucx_perftest"))


def _kill(pid: int) -> None:
    """Kill a process of ours and wait for its end, child or not."""
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            select.select([descriptor], [], [], PATIENCE_S)
        finally:
            os.close(descriptor)


def _all_transports(folder: Path, kills: int, seed: int) -> Found:
    folder.mkdir(parents=True, exist_ok=True)
    return killed(folder, kills, seed, transports=["nixl:UCX", "copy"], more=FILES + WITNESSED, launches=12)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--kills", type=int, default=50)
    asked.add_argument("--seed", type=int, default=7)
    asked.add_argument("--folder", type=Path, help="kept; without it one that is removed")
    given = asked.parse_args()
    memory = set(SHM.iterdir()) if SHM.is_dir() else set()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        begun = time.monotonic()
        found, calm = (
            _all_transports(folder / name, kills, given.seed) for name, kills in (("killed", given.kills), ("calm", 0))
        )
    new = sorted(one.name for one in (set(SHM.iterdir()) if SHM.is_dir() else set()) - memory)
    manners = ", ".join(f"{count} {name}" for name, count in sorted(found.kills.items()))
    print(f"{sum(found.kills.values())} kills in {time.monotonic() - begun:.0f} s ({manners}); {found.torn} torn lines")
    print(f"{found.runs} runs, {found.records} records, {found.failed} of them of points that lost a worker")
    # UCX makes a file there and unlinks it at once: who is killed between the two cannot take it away
    print(f"new in {SHM}, of whomever: {', '.join(new) or 'nothing'}")
    print(f"a run that nobody killed: {calm.records} records, {len(calm.wrong)} things wrong")
    for one in (*found.wrong, *calm.wrong):
        print(f"WRONG: {one}")
    print("WRONG" if found.wrong or calm.wrong else "nothing was lost, doubled or left behind")
    sys.exit(bool(found.wrong or calm.wrong))


if __name__ == "__main__":
    main()
