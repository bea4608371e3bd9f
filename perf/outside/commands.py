"""`kvgauge read`: what other tools measured, in our units and with what their figures are not."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click


@click.command(short_help="Show what nixlbench or ucx_perftest measured, in our units.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def read(files: tuple[Path, ...], as_json: bool) -> None:  # noqa: FBT001  click passes by name
    """Read what another tool printed: GB/s of 1e9 bytes, times with which statistic they are, and caveats.

    \b
    Examples:
      kvgauge read nixlbench.txt
      kvgauge read nixlbench.txt perftest.txt --json
    """  # noqa: D301  \b is click's mark for a paragraph to leave alone
    from perf.outside.formats import read_file

    results = [result for path in files for result in read_file(path)]
    if as_json:
        click.echo(json.dumps([asdict(result) for result in results], indent=2))
        return
    from rich.console import Console

    from perf.outside.table import table

    Console().print(table(results))
