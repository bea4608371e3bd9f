"""Two commands, each run once a launch, in turns: what another tool prints is a launch of that side."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from perf.ab.restored import restored
from perf.asides import CommandRecord, Printed
from perf.budget import Budget
from perf.outside.formats import read_file
from perf.reading import read_run
from suite.errors import BadInput, KvgaugeError, Missing
from suite.run import machine, manifest
from suite.run.folder import RunFolder, reopen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import Protocol

    from perf.ab.variants import Variant
    from perf.outside.result import OutsideResult
    from perf.sweep import Options

    class Notes(Protocol):
        """Who is told what a reader should know."""

        def note(self, text: str) -> None:
            """Take a line."""


DEADLINE_S = 600.0  # of one run; a whole table of nixlbench takes minutes
SPEC = "commands"  # the key of a manifest's spec that says how many launches there are of them
_PROBLEM = 2_000
_MOST = 1_000  # launches


def measure_commands(launches: int, folder: RunFolder, options: Options, watcher: Notes) -> None:
    """Run both commands of `options.variants` in each of so many launches; those that `folder` has are not run again."""
    for variant in options.variants:
        _check(variant)
    sides = {
        one.name: {"given": machine.redact(one.text), "label": one.label, "versions": machine.versions()}
        for one in options.variants
    }
    settings = {**options.settings, "emulated_gpus": 0, "ab": sides}
    started = manifest.begin(seed=options.seed, spec={SPEC: {"launches": launches}}, settings=settings)
    folder.write_manifest(started)
    complete = False
    budget = Budget(options.budget_s)
    try:
        for launch, order in _left(launches, folder, options):
            if not budget.launch():
                watcher.note(f"the budget is over; not reached: launch {launch + 1} to {launches}")
                break
            for variant in order:
                log = folder.logs / f"launch-{launch}-{variant.name}.log"
                record = run(variant, launch, log, max(options.deadline_s, DEADLINE_S))
                folder.append(record.model_dump(mode="json", by_alias=True))
                if record.problem:
                    watcher.note(f"{variant.name} in launch {launch + 1}: {record.problem}")
            budget.launched()
        else:
            complete = True
    finally:
        folder.write_manifest(manifest.end(started, complete=complete))


def of_commands(path: Path) -> bool:
    """Tell whether a run folder is of two commands."""
    spec = manifest.read(RunFolder(path).manifest).get("spec")
    return isinstance(spec, dict) and SPEC in spec


def resumed_commands(path: Path, given: Sequence[Variant]) -> tuple[int, Options, RunFolder]:
    """Return how many launches a run folder's manifest asks for, and the folder, to go on with it; `given` are its commands."""
    from perf.sweep import Options

    source = f"{path}/manifest.json"
    asked = manifest.read(RunFolder(path).manifest)
    spec, seed, settings = (asked.get(name) for name in ("spec", "seed", "settings"))
    told = spec.get(SPEC) if isinstance(spec, dict) else None
    launches = told.get("launches") if isinstance(told, dict) else None
    if not (
        isinstance(launches, int) and 0 < launches <= _MOST and isinstance(seed, int) and isinstance(settings, dict)
    ):
        raise BadInput("bad-manifest", f"{source} has no launches, seed or settings", "start a new run")
    variants = restored(settings, source, given)
    if not all(variant.command for variant in variants):
        raise BadInput("bad-manifest", f"{source}: A and B are no commands", "start a new run")
    return launches, Options(seed=seed, settings=settings, variants=variants), reopen(path)


def run(variant: Variant, launch: int, log: Path, deadline_s: float) -> CommandRecord:
    """Run a command once and read what it printed; a run that fails is a record that says why."""
    rows: list[OutsideResult] = []
    problem = ""
    try:
        status = _finished(variant.command, log, deadline_s)
        problem = "" if status == 0 else f"it left with status {status}, see {log.name}"
        rows = read_file(log) if not problem else []
    except KvgaugeError as error:
        problem = str(error)
    except OSError as error:
        problem = f"it cannot be run: {error.strerror or error}"
    return CommandRecord(
        launch=launch,
        variant=variant.name,
        rows=[_printed(row) for row in rows],
        problem=problem[:_PROBLEM],
        load_average=machine.load_average(),
        started_at=manifest.now(),
    )


def _check(variant: Variant) -> None:
    program = variant.command[0]
    found = [program] if os.sep in program else [os.path.join(folder, program) for folder in os.get_exec_path()]  # noqa: PTH118  an empty folder of PATH is the working one
    if not any(os.access(path, os.X_OK) and not os.path.isdir(path) for path in found):  # noqa: PTH112  as above
        message = f"--ab, {variant.name}: there is no program {program[:200]!r}"
        raise Missing("no-program", message, "it is looked for in PATH; no shell is started, so no alias and no |")


def _left(launches: int, folder: RunFolder, options: Options) -> Iterator[tuple[int, list[Variant]]]:
    """Yield each launch that lacks a side, in an order of which neither can profit; both run again, as a pair is of one time."""
    done = {(record.launch, record.variant) for record in read_run(folder.samples).commands}
    for launch in range(launches):
        order = list(options.variants)
        drawn = random.Random(repr((options.seed, launch // 2))).random() < 1 / 2  # noqa: S311  an order, no secret
        if drawn != bool(launch % 2):
            order.reverse()
        if any((launch, variant.name) not in done for variant in order):
            yield launch, order


def _finished(command: Sequence[str], log: Path, deadline_s: float) -> int:
    """Return the exit status of a command whose output is in `log`; nothing it has started is left when it ends."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            list(command), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            return process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise BadInput("too-long", f"it did not end within {deadline_s:g} s", "--deadline SECONDS") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _printed(row: OutsideResult) -> Printed:
    return Printed(
        tool=row.tool[:200],
        op=row.op[:200],
        pattern=row.pattern[:200],
        transport=row.transport[:200],
        source_memory=row.source_memory[:200],
        destination_memory=row.destination_memory[:200],
        block_bytes=row.block_bytes,
        batch=row.batch,
        gb_per_s=row.gb_per_s,
        notes=[note[:_PROBLEM] for note in row.notes[:100]],
    )
