"""`kvgauge calibrate`: how wrong this tool is on this machine."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from suite.errors import Exit, Missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf.calibration.asked import Asked
    from perf.calibration.parts import Skipped
    from suite.run.calibration import Part, PartName

_PARTS: tuple[PartName, ...] = (
    "latency",
    "overheads",
    "link",
    "file",
    "band",
)  # in the order in which they are run: the quickest first


@click.command(short_help="Measure things of known speed: how wrong is this tool here?")
@click.argument("parts", nargs=-1, type=click.Choice(_PARTS), metavar="[PART]...")
@click.option("--quick", is_flag=True, help="Fewer and shorter: half a minute in place of some minutes.")
@click.option(
    "--runs", type=click.IntRange(2, 100), help="Runs of the same code, for the band.  [default: 6; 3 with --quick]"
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to keep it.  [default: $XDG_DATA_HOME/kvgauge/calibration.json, where later runs look]",
)
@click.option(
    "--scratch",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder on the volume to calibrate.  [default: the working folder]",
)
@click.option("--quiet", is_flag=True, help="No progress; results only.")
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")
def calibrate(parts: tuple[PartName, ...], **options: Any) -> None:
    """Measure things of known speed, through the runner of every sweep, and keep the error of this machine.

    \b
    PART is any of these; without one, all that this machine can:
      latency    transfers with planted latencies of 0.05 to 1 ms
      overheads  the clock, a transfer of nothing, the evidence
      link       TCP and UCX through links of 100 Mbit/s, 1 and 4 Gbit/s (root, or user
                 namespaces; iproute2)
      file       plain reads and writes of a device that is held to 100 MB/s (root)
      band       runs of the same code: how far apart they are, for kvgauge compare

    Every later run and report on this machine says what was found. Exits 1 if the tool
    errs by more than is tolerated, 3 if nothing could be calibrated.

    \b
    Examples:
      kvgauge calibrate --quick
      kvgauge calibrate latency overheads
      kvgauge calibrate band --runs 12
    """  # noqa: D301  \b is click's mark for a paragraph to leave alone
    from suite.run.calibration import kept, own_file

    out = options["out"] or own_file()
    if out is None:
        raise Missing("no-home", "there is no home folder to keep a calibration in", "choose a file: --out FILE")
    signal.signal(signal.SIGTERM, _interrupt)  # what a scheduler sends is as good as Ctrl-C
    found: dict[PartName, Part] = {}
    skipped: list[Skipped] = []
    kept(out)  # a damaged file is told before anything is measured
    with _asked(options) as asked:
        for name in _PARTS:
            if not parts or name in parts:
                _one(name, asked, out, found=found, skipped=skipped)
    _print(found, skipped, out, as_json=options["as_json"])
    sys.exit(_status(found))


def _one(
    name: PartName,
    asked: Asked,
    out: Path,
    *,
    found: dict[PartName, Part],
    skipped: list[Skipped],
) -> None:
    """Calibrate one part and keep it at once: what is done is not lost by what comes after it.

    The file is read again, as another calibration may have added to it meanwhile.
    """
    from perf.calibration.parts import Skipped, calibrated
    from suite.run.calibration import Calibrations, kept, this_machine, write

    result = calibrated(name, asked)
    if isinstance(result, Skipped):
        skipped.append(result)
        return
    found[name] = result
    write(out, (kept(out) or Calibrations()).with_part(this_machine(), name, result))


@contextmanager
def _asked(options: dict[str, Any]) -> Iterator[Asked]:
    from perf.calibration.asked import Asked
    from suite.run.scratch import scratch

    quick = options["quick"]
    quiet = options["quiet"] or options["as_json"]
    with tempfile.TemporaryDirectory(prefix="kvgauge-") as logs, scratch(options["scratch"] or _here()) as folder:
        yield Asked(
            logs=Path(logs),
            scratch=folder,
            quick=quick,
            runs=options["runs"] or (3 if quick else 6),
            say=_silent if quiet else _say,
        )


def _here() -> Path:
    return Path() if os.access(Path(), os.W_OK) else Path(tempfile.gettempdir())


def _print(found: dict[PartName, Part], skipped: list[Skipped], out: Path, *, as_json: bool) -> None:
    if as_json:
        told = {
            "file": str(out),
            "parts": {name: part.model_dump(mode="json") for name, part in found.items()},
            "skipped": [{"part": one.part, "why": one.why, "remedy": one.remedy} for one in skipped],
            "beyond": [one.what for part in found.values() for one in part.known if not one.good],
        }
        click.echo(json.dumps(told, indent=2, allow_nan=False))
        return
    from rich.console import Console

    from perf.calibration.terminal import show

    show(found, skipped, Console())
    if found:
        click.echo(f"kept in {out}", err=True)


def _status(found: dict[PartName, Part]) -> Exit:
    if not found:
        return Exit.MISSING
    good = all(one.good for part in found.values() for one in part.known)
    return Exit.GOOD if good else Exit.VERDICT_FAILED


def _say(text: str) -> None:
    click.echo(text, err=True)


def _silent(_text: str) -> None:
    pass


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
