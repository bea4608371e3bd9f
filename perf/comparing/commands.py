"""`kvgauge compare`: two runs apart, a verdict per point, an exit code for CI."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from suite.errors import BadInput, Exit, Missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perf.comparing.comparison import Comparison
    from perf.comparing.gate import Condition
    from perf.comparing.runs import Compared

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)\s?%", re.ASCII)
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(short_help="Compare two runs: faster, slower, same, within noise or inconclusive.")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("new", nargs=-1, metavar="[NEW]...", type=click.Path(path_type=Path))
@click.option(
    "--band",
    metavar="PERCENT",
    help="By how much runs of the same code differ on this machine.  [default: as calibrated there, else 21%]",
)
@click.option(
    "--fail-on",
    multiple=True,
    metavar="CONDITION",
    help="Exit 1 for points that are slower, slower:5% (or more), or inconclusive. May be given several times.",
)
@click.option("--markdown", type=_FILE, help="Write the comparison for a pull request.")
@click.option("--junit", type=_FILE, help="Write it as JUnit XML.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def compare(base: Path, new: tuple[Path, ...], **options: Any) -> None:
    """Compare the throughput of two runs of one machine, BASE and NEW (the newest other run of runs/).

    Runs of the same code differ by as much as the band, so a smaller difference is never
    claimed. What is unlike (machine, working set, emulated or not) is not compared. BASE alone, if
    it is a run of kvgauge sweep --ab, is B against A.

    Either may be what nixlbench or ucx_perftest printed, in a file. One such file is one
    figure without spread, of which nothing is claimed; several as NEW are launches.

    \b
    Examples:
      kvgauge compare runs/monday runs/tuesday
      kvgauge compare runs/monday --fail-on slower:30% --markdown verdict.md
      kvgauge compare runs/hot perftest-1.txt perftest-2.txt perftest-3.txt
    """  # noqa: D301  \b is click's mark for a paragraph to leave alone
    from perf.comparing import forms
    from perf.comparing.gate import condition, failing

    conditions = [condition(text) for text in options["fail_on"]]
    if not new and base.is_dir() and _is_ab(base):
        sys.exit(_told_ab(base, conditions, **options))
    found = _compared(base, new, options["band"])
    fails = failing(found.rows, conditions)
    for form in (forms.markdown, forms.junit):
        if path := options[form.__name__]:
            _write(path, form(found, fails))
    if options["as_json"]:
        click.echo(json.dumps(forms.as_json(found, fails), indent=2, allow_nan=False))
    else:
        from rich.console import Console

        from perf.comparing.terminal import show

        show(found, fails, Console())
    sys.exit(Exit.VERDICT_FAILED if fails else Exit.GOOD)


def _is_ab(path: Path) -> bool:
    from perf.ab.restored import is_ab
    from suite.run import manifest
    from suite.run.folder import RunFolder

    return is_ab(manifest.read(RunFolder(path).manifest).get("settings"))


def _told_ab(path: Path, conditions: Sequence[Condition], *, band: str | None, **options: Any) -> Exit:
    from perf.ab.judge import MATTERS
    from perf.ab.telling import tell

    if band is not None:
        raise click.UsageError("--band is of runs apart: A and B of one run were measured side by side")
    forms = {name: options[name] for name in ("as_json", "markdown", "junit")}
    return tell(path, conditions, matters=MATTERS, **forms)


def _compared(base: Path, new: Sequence[Path], band: str | None) -> Comparison:
    from perf.comparing.band import band_of
    from perf.comparing.comparison import compare as compared
    from perf.comparing.runs import newest_but

    runs = _side([base]), _side(new or [newest_but(base)])
    width, source = band_of(*(run.manifest for run in runs)) if band is None else (_share(band), "given with --band")
    return compared(*runs, band=width, band_source=source)


def _side(paths: Sequence[Path]) -> Compared:
    """Return one side of a comparison: a run folder, or files of another tool."""
    from perf.comparing.runs import load

    if all(path.is_file() for path in paths):
        from perf.outside.as_run import load_files

        return load_files(paths)
    if len(paths) > 1:
        message = f"{len(paths)} things as NEW, which are not all files of another tool"
        raise BadInput("several-runs", message, "compare takes two runs; kvgauge report shows up to eight side by side")
    return load(paths[0])


def _share(text: str) -> float:
    found = _PERCENT.fullmatch(text)
    if found is None:
        raise BadInput("bad-band", f"--band {text[:60]!r} is no percentage", "write it as 21%")
    return float(found[1]) / 100


def _write(path: Path, text: str) -> None:
    from suite.run.folder import write_whole

    try:
        write_whole(path, text)
    except OSError as error:
        raise Missing("not-written", f"cannot write {path}: {error.strerror}", "choose another file") from error
