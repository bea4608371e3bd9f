"""The options with which a command is told its place in a world, and what it asks before it starts anything."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

import click

from suite.cluster.discover import Flags, join
from suite.errors import Missing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from suite.cluster.world import World

_OPTIONS = (
    click.option("--rank", type=int, help="On a cluster without a known launcher: this process's rank, from 0."),
    click.option("--world-size", type=int, help="How many ranks there are."),
    click.option("--rendezvous", metavar="HOST:PORT", help="Where rank 0 shall listen for the others."),
    click.option("--alone", is_flag=True, help="Measure this machine by itself, whatever a launcher's variables say."),
)


def joining(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command; `world_of` takes them out of its keywords again."""
    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(_OPTIONS), command)


def world_of(options: dict[str, Any], environment: Mapping[str, str] = os.environ) -> World:
    """Return the world of this process, and leave in `options` what is not about it; see `discover.join`."""
    flags = Flags(options.pop("rank"), options.pop("world_size"), options.pop("rendezvous"), options.pop("alone"))
    return join(environment, flags)


def refuse_many(world: World, what: str) -> None:
    """Stop where a launcher has started several ranks for `what`: each would do all of it, and none would know."""
    if world.size > 1:
        raise Missing(
            "no-cluster",
            f"{what} does not run across ranks yet, and this is {world.sentence()}",
            f"each of the {world.size} ranks would measure its own machine, at the same time as the others;\n"
            "where that is wanted, in a run folder of its own: --alone",
        )
