"""The `kvgauge` command: lists the entry points, loads only the one asked for."""

from __future__ import annotations

import logging
import os
import sys
from importlib.metadata import entry_points
from typing import NoReturn

import click

from suite.errors import Exit, KvgaugeError
from suite.rooms import refuse_shadowed_rooms


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


def main() -> NoReturn:
    """Run the command line; a `KvgaugeError` becomes its message and exit code, Ctrl-C becomes 130."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # else it advises users who have no home
    try:
        refuse_shadowed_rooms()
        sys.exit(kvgauge.main(prog_name="kvgauge", standalone_mode=False))
    except KvgaugeError as error:
        click.echo(f"kvgauge: {error.message}", err=True)
        for line in error.hint.splitlines():
            click.echo(f"  {line}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(Exit.USAGE)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(Exit.INTERRUPTED)
    except BrokenPipeError:  # `kvgauge report | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.GOOD)
