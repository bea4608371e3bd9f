"""Which cores the workers of a point run on: their own, and near their GPU where the machine says which are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf.roles import ROLES
from suite.run import machine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perf.record import Point
    from suite.memory.devices import Device


def cores_of_roles() -> dict[str, list[int]]:
    """Return one CPU for each role, on cores of their own if there are two."""
    return {role: [cpu] for role, cpu in zip(ROLES, machine.separate_cpus(len(ROLES)), strict=True)}


def cores_for(point: Point, devices: Mapping[str, Device], pair: int = 0) -> dict[str, list[int]]:
    """Return one CPU for each worker of a point, in the NUMA node of its GPU where it has one, apart if possible.

    Of the pairs that transfer at once, each `pair` has cores of its own as long as there are any.
    """
    count = len(ROLES) * point.flows
    chosen: dict[str, list[int]] = {}
    for number, role in enumerate(ROLES, len(ROLES) * pair):
        device = devices.get(point.source if role == "prefill" else point.destination)
        chosen[role] = [machine.separate_cpus(count, among=device.cpus if device else ())[number]]
    return chosen
