"""`kvgauge sweep`, and the options that every measuring command has."""

from __future__ import annotations

import functools
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from perf.ab.options import NO_AB, comparing
from suite.cluster.options import joining, refuse_many, world_of
from suite.errors import Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from perf.ab.options import Request
    from perf.ab.variants import Variant
    from perf.spec import SweepSpec
    from perf.sweep import Options, Watcher
    from suite.run.folder import RunFolder

_OPTIONS = (
    click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Run folder.  [default: runs/<time>]"),
    click.option("--seed", type=click.IntRange(0, (1 << 31) - 1), help="Order and block tables.  [default: random]"),
    click.option(
        "--deadline",
        "deadline_s",
        type=click.FloatRange(0, min_open=True),
        default=30.0,
        show_default=True,
        help="Seconds that one phase of a point may take before its workers are killed.",
    ),
    click.option("--budget", metavar="TIME", help="Stop in time: 90s, 10m, 1h; --resume goes on.  [default: no end]"),
    click.option(
        "--emulated-gpus",
        type=click.IntRange(1, 16),
        metavar="N",
        help="Run on N emulated GPUs (host memory): bytes and wires are true, there are no rates.",
    ),
    click.option(
        "--scratch",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder for the file of stores and fetches.  [default: the run folder]",
    ),
    click.option(
        "--require",
        type=click.Choice(["cma", "cuda_ipc", "tcp", "rc", "gds"]),
        help="Fail unless this wire carried the data of every point that can use it.",
    ),
    click.option("--quiet", is_flag=True, help="No progress; results only."),
    click.option("--json", "as_json", is_flag=True, help="Print results as JSON."),
)


def measuring(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a command that measures; it measures one machine, and is refused where it is one of many."""

    @functools.wraps(command)
    def of_one_machine(*arguments: Any, **options: Any) -> None:
        refuse_many(world_of(options), f"kvgauge {command.__name__}")
        command(*arguments, **options)

    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(_OPTIONS), joining(of_one_machine))


@click.command(short_help="Measure a sweep: a preset or a TOML file.")
@click.argument("spec", default="quick", metavar="[SPEC.toml|PRESET]")
@click.option(
    "--resume", type=click.Path(path_type=Path, file_okay=False), help="Go on with an interrupted run folder."
)
@click.option("--plan", is_flag=True, help="Print what would be measured, and about how long it takes; start nothing.")
@click.option(
    "--launches", type=click.IntRange(1, 1_000), help="Fresh groups of workers.  [default: the spec's; A/B: 12 or more]"
)
@comparing
@measuring
def sweep(spec: str, resume: Path | None, *, plan: bool, launches: int | None, **options: Any) -> None:
    """Measure a sweep on this machine; the report is `kvgauge report`'s.

    SPEC is a TOML file or a preset: quick (the default), standard, engines (NIXL, UCX and
    Mooncake beside ucx_perftest), error-handling, ucx-multi-gpu, gds, gpu-check (five
    minutes on a GPU node) or emulated.

    \b
    Examples:
      kvgauge sweep
      kvgauge sweep standard --out runs/monday --seed 7
      kvgauge sweep engines --require cma
      kvgauge sweep emulated --emulated-gpus 4
      kvgauge sweep standard --plan
      kvgauge sweep standard --budget 10m
      kvgauge sweep --resume runs/monday
      kvgauge sweep --ab UCX_TLS=cma,self UCX_TLS=tcp,self
      kvgauge sweep mine.toml --ab default venv:../nixl-1.4 --fail-on slower:5%
    """  # noqa: D301  \b is click's mark for a paragraph to leave alone
    from perf.ab.options import keywords, request, with_launches
    from perf.spec import load_spec

    compared = request(**keywords(options))
    if compared.told and not compared.variants and not resume:
        raise click.UsageError(NO_AB)
    if compared.commands and (plan or _given("spec")):
        raise click.UsageError("A and B that are commands have no sweep: leave out SPEC and --plan")
    if plan:
        chosen = with_launches(load_spec(spec), launches, ab=bool(compared.variants))
        sides = len(compared.variants) or 1
        _print_outline(chosen, _seconds(options["budget"]), as_json=options["as_json"], sides=sides)
        return
    try:
        if resume:
            if launches is not None:
                raise click.UsageError("--resume goes on with as many launches as the run it goes on with")
            folder = _resume(resume, options, compared.variants)
        elif compared.commands:
            folder = run_commands(launches, compared.variants, **options)
        else:
            chosen = with_launches(load_spec(spec), launches, ab=bool(compared.variants))
            folder = run_sweep(chosen, {}, variants=compared.variants, **options)
    except Interrupted as interrupted:
        again = f"kvgauge sweep --resume {interrupted.folder.path}{compared.again()}"
        click.echo(f"interrupted; go on with: {again}", err=True)
        raise
    status = _print_any(folder, compared, as_json=options["as_json"], require=options["require"])
    click.echo(f"run: {folder.path}", err=True)
    sys.exit(status)


def _given(name: str) -> bool:
    """Tell whether an argument of the command that runs was given, not left to its default."""
    source = click.get_current_context().get_parameter_source(name)
    return source is not click.core.ParameterSource.DEFAULT


def _print_outline(spec: SweepSpec, budget_s: float | None, *, as_json: bool, sides: int) -> None:
    import json

    from perf.outline import outline

    found = outline(spec, budget_s, sides=sides)
    click.echo(json.dumps(found.as_json(), indent=2) if as_json else "\n".join(found.lines()))


def run_sweep(
    spec: SweepSpec,
    settings: Mapping[str, object],
    *,
    out: Path | None,
    seed: int | None,
    deadline_s: float,
    budget: str | None,
    emulated_gpus: int | None,
    scratch: Path | None,
    require: str | None,
    quiet: bool,
    as_json: bool,
    variants: tuple[Variant, ...] = (),
) -> RunFolder:
    """Measure `spec` into a new run folder, with progress on stderr; Ctrl-C raises after all is on disk."""
    from functools import partial

    from perf.sweep import Options, measure
    from suite.run.folder import create

    settings = {**settings, "require": require}  # judged when results are told
    chosen: dict[str, Any] = {} if seed is None else {"seed": seed}
    asked = Options(
        deadline_s=deadline_s,
        settings=settings,
        budget_s=_seconds(budget),
        emulated_gpus=emulated_gpus or 0,
        scratch=scratch,
        variants=variants,
        **chosen,
    )
    return _measured(partial(measure, spec), asked, create(out), quiet=quiet or as_json)


def run_commands(launches: int | None, variants: tuple[Variant, ...], **options: Any) -> RunFolder:
    """Run two commands side by side into a new run folder."""
    from functools import partial

    from perf.ab.options import LAUNCHES
    from perf.ab.running import measure_commands
    from perf.sweep import Options
    from suite.run.folder import create

    if options["require"] or options["emulated_gpus"] or options["scratch"]:
        raise click.UsageError("A and B that are commands take no --require, --emulated-gpus or --scratch")
    chosen: dict[str, Any] = {} if options["seed"] is None else {"seed": options["seed"]}
    asked = Options(deadline_s=options["deadline_s"], budget_s=_seconds(options["budget"]), variants=variants, **chosen)
    measured = partial(measure_commands, launches or LAUNCHES)
    return _measured(measured, asked, create(options["out"]), quiet=options["quiet"] or options["as_json"])


def _resume(path: Path, options: Mapping[str, Any], variants: tuple[Variant, ...]) -> RunFolder:
    from dataclasses import replace
    from functools import partial

    from perf.ab.running import measure_commands, of_commands, resumed_commands
    from perf.leftovers import check_begun, what_ucx_left
    from perf.sweep import measure, resumed
    from suite.run.folder import RunFolder

    if options["out"] is not None or options["seed"] is not None:
        raise click.UsageError("--resume takes the folder and the seed of the run it goes on with")
    quiet = options["quiet"] or options["as_json"]
    check_begun(RunFolder(path))
    if of_commands(path):
        launches, asked, folder = resumed_commands(path, variants)
        asked = replace(asked, deadline_s=options["deadline_s"], budget_s=_seconds(options["budget"]))
        return _measured(partial(measure_commands, launches), asked, folder, quiet=quiet)
    spec, asked, folder = resumed(path, variants)
    gpus = options["emulated_gpus"]
    if gpus is not None and gpus != asked.emulated_gpus:
        raise click.UsageError("--resume goes on with as many emulated GPUs as the run it goes on with")
    for note in what_ucx_left(folder):
        click.echo(note, err=True)
    asked = replace(
        asked, deadline_s=options["deadline_s"], budget_s=_seconds(options["budget"]), scratch=options["scratch"]
    )
    return _measured(partial(measure, spec), asked, folder, quiet=quiet)


def _seconds(budget: str | None) -> float | None:
    from suite.units import parse_seconds

    return None if budget is None else parse_seconds(budget)


def _measured(
    measure: Callable[[RunFolder, Options, Watcher], None], asked: Options, folder: RunFolder, *, quiet: bool
) -> RunFolder:
    from rich.console import Console

    from perf.progress import watching

    signal.signal(signal.SIGTERM, _interrupt)  # what a scheduler sends is as good as Ctrl-C
    with watching(Console(stderr=True), quiet=quiet) as watcher:
        try:
            measure(folder, asked, watcher)
        except KeyboardInterrupt:
            raise Interrupted(folder) from None
    return folder


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a sweep; what was measured is in `folder`."""

    def __init__(self, folder: RunFolder) -> None:
        super().__init__()
        self.folder = folder


def _print_any(folder: RunFolder, compared: Request, *, as_json: bool, require: str | None) -> Exit:
    """Print an A/B as one, any other sweep as its points."""
    from perf.ab.restored import is_ab
    from perf.ab.telling import tell
    from suite.run import manifest

    if is_ab(manifest.read(folder.manifest).get("settings")):
        return tell(folder.path, compared.conditions, matters=compared.matters, as_json=as_json, require=require)
    if compared.told:
        raise click.UsageError(NO_AB)
    return print_results(folder, as_json=as_json, require=require)


def print_results(folder: RunFolder, *, as_json: bool, require: str | None = None) -> Exit:
    """Print what a run says: sentences and table, or JSON; return the exit code that it asks for."""
    import json

    from rich.console import Console

    from perf import terminal
    from perf.analysis import everything_good, summarise
    from perf.calibration import told as calibration
    from perf.calibration import words
    from perf.cpu import line
    from perf.reading import read_run
    from perf.require import judge
    from perf.spent import read_times, spent
    from perf.summary import as_json as summary_json
    from perf.verdict import verdict
    from suite.run import manifest
    from suite.run.folder import TIMES
    from suite.text import plain

    run, about = read_run(folder.samples), manifest.read(folder.manifest)
    records, summaries = run.points, summarise(run.points, run.ceilings)
    judgement = judge(records, require) if require else None
    sentences = [
        *(judgement.sentences() if judgement else ()),
        *verdict(summaries, manifest.selected_transports(about)),
    ]
    time = spent(read_times(folder.path / TIMES))
    found = None if any(one.emulated for one in summaries) else calibration.told(about)
    instrument = words.of_run(found) if found else []
    if as_json:
        told = {
            "run": str(folder.path),
            "verdict": sentences,
            "calibration": instrument,
            "points": [summary_json(one) for one in summaries],
            "time": time.as_json() if time else None,
        }
        click.echo(json.dumps(told, indent=2, allow_nan=False))
    else:
        console = Console()
        console.print(terminal.points(summaries))
        for sentence in filter(None, [*sentences, line(summaries), *instrument]):
            console.print(plain(sentence), markup=False, highlight=False)
        if time:
            console.print(time.sentence(), markup=False, highlight=False)
    if judgement and not judgement.judged:
        return Exit.MISSING
    return Exit.GOOD if everything_good(records) and (judgement is None or judgement.good) else Exit.VERDICT_FAILED


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
