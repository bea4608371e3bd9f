"""`kvgauge run`, the main job; and `kvgauge report`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perf.commands import Interrupted, measuring, print_results, run_sweep
from reports.exports.choice import EXPORTS
from reports.formats.choice import FORMATS, HTML
from suite.errors import BadInput, Exit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from suite.run.folder import RunFolder


@click.command(short_help="The main job: measure what is selected, write a report.")
@click.option(
    "--config", type=click.Path(path_type=Path), help="TensorRT-LLM engine YAML with cache_transceiver_config."
)
@click.option(
    "--profile",
    default="source-page",
    show_default=True,
    metavar="NAME",
    help="How --config is read: as documented, or as a release of TensorRT-LLM does (trtllm-1.1, ...).",
)
@click.option("--ignore-settings", is_flag=True, help="Measure NIXL over UCX whatever the settings say.")
@click.option(
    "--spec", metavar="SPEC.toml|PRESET", help="What to sweep.  [default: quick; emulated with --emulated-gpus]"
)
@measuring
def run(config: Path | None, profile: str, ignore_settings: bool, spec: str | None, **options: Any) -> None:  # noqa: FBT001  click passes by name
    """Measure what this environment selects, on this machine, and write a report.

    Reads DYN_KVBM_NIXL_BACKEND_<BACKEND> and, with --config, the engine's
    cache_transceiver_config; moves a real model's paged KV cache from a prefill to a
    decode process, checks every byte, names the wire, and writes runs/<time>/report.html.

    \b
    Examples:
      kvgauge run
      DYN_KVBM_NIXL_BACKEND_UCX=true kvgauge run --config engine.yaml --out runs/monday
      DYN_KVBM_NIXL_BACKEND_GDS=true kvgauge run --emulated-gpus 2
    """  # noqa: D301  \b is click's mark for a paragraph to leave alone
    from perf.resources import library_environment
    from perf.spec import load_spec
    from reports.selection import selected

    gpus = options["emulated_gpus"] or 0
    wanted = load_spec(spec or ("emulated" if gpus else "quick"))
    libraries = library_environment(gpus)
    chosen = selected(config, os.environb, libraries, ignore=ignore_settings, profile=profile)
    sweep = wanted.carried_by(chosen.transports)
    if not (options["quiet"] or options["as_json"]):
        for sentence in chosen.why:
            click.echo(sentence, err=True)
    try:
        folder = run_sweep(sweep, chosen.as_json(), **options)
    except Interrupted as interrupted:
        _finish(interrupted.folder, options)
        sys.exit(Exit.INTERRUPTED)
    sys.exit(_finish(folder, options))


@click.command(short_help="Write the report of a run, or of several side by side.")
@click.argument("paths", metavar="[RUN]... [FILE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice([*FORMATS, *EXPORTS]),
    default="html",
    show_default=True,
    help="A page; Markdown for a pull request; JSON for programs; JUnit XML for CI; of one run or several: CSV, "
    "Apache Otava's CSV and its configuration, and options of Dynamo's mocker.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to write.  [default: html to RUN/report.html, of several runs comparison.html; others to stdout]",
)
def report(paths: tuple[Path, ...], form: str, out: Path | None) -> None:
    """Write the report of a run again; the newest run of runs/ by default.

    Of 2 to 8 runs it writes one page that shows them side by side. The first is
    what the others are compared with. A file that is no report is not overwritten.

    What nixlbench or ucx_perftest printed, in files, stands beside one run.

    \b
    Examples:
      kvgauge report
      kvgauge report runs/monday --format md
      kvgauge report runs/monday --format junit --out junit.xml
      kvgauge report runs/monday runs/tuesday --out week.html
      kvgauge report runs/monday nixlbench.txt perftest.txt
      kvgauge report runs/* --format otava --out kvgauge.csv
      kvgauge report runs/monday --format mocker
    """  # noqa: D301  \b is click's mark for a paragraph to leave alone
    from reports.writing import COMPARISON, newest, read_report, write_comparison, write_report

    files = [path for path in paths if path.is_file()]
    folders = [path for path in paths if path not in files]
    if files and not folders:
        hint = "kvgauge report RUN FILE puts it beside a run; kvgauge read FILE shows it alone"
        raise BadInput("no-run", f"{files[0]}: Not a directory, and so no run", hint)
    if form in EXPORTS:
        _export(folders or [newest()], files, form, out)
        return
    chosen = FORMATS[form]
    if len(folders) > 1:
        if files:
            raise BadInput("one-run", f"{files[0]} stands beside one run, not {len(folders)}", "name one run")
        if chosen is not HTML:
            raise BadInput("one-run", f"--format {form} is of one run, not of {len(folders)}", "leave out --format")
        click.echo(write_comparison(folders, out or COMPARISON))
        return
    path = folders[0] if folders else newest()
    if out or chosen is HTML:
        click.echo(write_report(path, out, chosen, files))
    else:
        click.echo(chosen.render(read_report(path, files)).encode(), nl=False)


def _export(folders: Sequence[Path], files: Sequence[Path], form: str, out: Path | None) -> None:
    """Write runs for another program, to stdout or to a file."""
    from reports.writing import write_export

    if files:
        raise BadInput("no-run", f"{files[0]} is no run folder, and --format {form} is of runs", "name run folders")
    text, notes = write_export(folders, out, EXPORTS[form])
    for note in notes:
        click.echo(note, err=True)
    click.echo(out if out else text, nl=bool(out))


def _finish(folder: RunFolder, options: Mapping[str, Any]) -> Exit:
    """Print and write what a run says; return the exit code that it asks for."""
    from reports.writing import write_report

    status = print_results(folder, as_json=options["as_json"], require=options["require"])
    path = write_report(folder.path)
    click.echo(f"report: {path}", err=options["as_json"])
    return status
