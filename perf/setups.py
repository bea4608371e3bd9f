"""Which points can share worker processes: a setup is everything that is fixed when a process starts.

UCX, NIXL and cuFile read their variables once per process, and some engines may
not share a process with others. So a launch has one group of workers for each of
its setups, in random order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.settings import variables
from suite.transports import base

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perf.planning import PlannedPoint
    from perf.record import Point

DEFAULT, EMULATED = "default", "emulated"


@dataclass(frozen=True)
class Setup:
    """One way to start workers."""

    name: str  # "default", "ucx", "UCX_TLS=tcp", "emulated, UCX_TLS=tcp"
    transport: str  # the only one, if it must be alone; else empty
    variables: tuple[tuple[str, str], ...]  # a settings axis, over the caller's environment
    variant: str = ""  # of an A/B

    def environment(self, caller: Mapping[str, str], transports: Sequence[str]) -> dict[str, str]:
        """Return the environment of its workers: what `transports` ask for, and the axis over it."""
        return {**caller, **required_environment(transports), **dict(self.variables)}


def required_environment(transports: Sequence[str]) -> dict[str, str]:
    """Return the variables that the traits of `transports` ask for; workers have the caller's besides."""
    return {name: value for one in transports for name, value in base.load(one).traits.environment.items()}


def setup_of(point: Point, *, emulated: bool = False) -> Setup:
    """Return the setup that a point is measured in."""
    alone = point.transport if base.load(point.transport).traits.alone else ""
    axis = tuple(sorted(variables(point.settings).items()))
    parts: list[str] = [point.variant] if point.variant else []
    parts += [EMULATED] if emulated else []
    parts += [alone] if alone else []
    parts += [f"{name}={value}" for name, value in axis]
    return Setup(", ".join(parts)[:200] or DEFAULT, alone, axis, point.variant)


def by_setup(
    planned: Sequence[PlannedPoint], order: Sequence[tuple[int, int]], *, emulated: bool = False
) -> list[tuple[Setup, list[tuple[int, int]]]]:
    """Split a launch's order, (position, index) each, by setup; both orders stay as random as they were."""
    groups: dict[Setup, list[tuple[int, int]]] = {}
    for position, index in order:
        groups.setdefault(setup_of(planned[index].point, emulated=emulated), []).append((position, index))
    return list(groups.items())
