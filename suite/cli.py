"""The `kvgauge` command: lists the entry points, loads only the one asked for."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import click

from suite.errors import BadInput, Exit, KvgaugeError

_ROOMS = ("suite", "conformance", "perf", "reports")


class _Commands(click.Group):
    """Commands are entry points of the group `kvgauge.commands`, open to other packages."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return sorted(entry_points(group="kvgauge.commands").names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        found = entry_points(group="kvgauge.commands", name=cmd_name)
        return next(iter(found)).load() if found else None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="kvgauge")
def kvgauge() -> None:
    """Measure and test KV-cache transfer between prefill and decode workers.

    \b
    Examples:
      kvgauge run                         what this environment selects, measured on this machine
      kvgauge sweep standard --out runs/a measure more, without the report
    """  # noqa: D301  \b is click's mark for a paragraph to leave alone


def _refuse_shadowed_rooms() -> None:
    """Stop when a folder of the user's hides one of ours: its code would run instead."""
    home = Path(__file__).parent.parent
    for room in _ROOMS:
        spec = find_spec(room)
        if spec is None or spec.origin is None or Path(spec.origin).parent.parent != home:
            where = spec.origin or spec.submodule_search_locations if spec else "nowhere"
            raise BadInput("shadowed", f"`import {room}` finds {where}, not kvgauge's own", "run from another folder")


def main() -> None:
    """Run the command line; a `KvgaugeError` becomes its message and exit code."""
    try:
        _refuse_shadowed_rooms()
        kvgauge.main(prog_name="kvgauge", standalone_mode=True)
    except KvgaugeError as error:
        click.echo(f"kvgauge: {error.message}", err=True)
        for line in error.hint.splitlines():
            click.echo(f"  {line}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
