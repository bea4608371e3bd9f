"""A and B on this machine: the environment and the python of each side's workers, and what a manifest says of them."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from perf.ab import venv
from perf.identity import CEILING
from perf.memory import kind_of
from perf.roles import through_file
from perf.settings import OF_STORAGE, check_settings
from suite.errors import BadInput
from suite.run import machine
from suite.transports import base

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from perf.ab.variants import Variant
    from perf.planning import PlannedPoint
    from perf.record import Point

PATHS = ("LD_LIBRARY_PATH", "PATH")


@dataclass(frozen=True)
class Side:
    """What one variant changes for its workers."""

    variant: Variant
    python: str = ""  # "": ours
    python_version: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)  # variables of another virtual environment
    missing: Mapping[str, str] | None = None  # transport -> what it lacks there; None: as here

    def environment(self, caller: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of this side's workers, of which `caller` has everything that both have."""
        return {**caller, **self.paths, **self.variant.variables}

    def lacks(self, transport: str, environment: Mapping[str, str]) -> str | None:
        """Return what `transport` lacks on this side, or None."""
        if self.missing is None:
            return base.load(transport).missing(self.environment(environment))
        lacking = self.missing.get(transport)
        return f"{lacking} (in {self.variant.label})" if lacking else None

    def as_json(self) -> dict[str, object]:
        """Return what a manifest keeps of it; nothing secret."""
        return {
            "given": machine.redact(self.variant.text),
            "label": self.variant.label,
            "variables": machine.redacted_environment(self.variant.variables),
            "settings": machine.redacted_environment(self.variant.settings),
            "python": machine.redact(self.python),
            "python_version": self.python_version,
            "versions": dict(self.versions),
        }


def sides(
    variants: Sequence[Variant], planned: Sequence[PlannedPoint], logs: Path, *, emulated: bool
) -> dict[str, Side]:
    """Return each variant, by name, as it is on this machine; nothing for a sweep without variants."""
    _check_axes(variants, planned)
    if emulated and any(variant.venv for variant in variants):
        hint = "there are no rates on emulated GPUs, so nothing to compare either"
        raise BadInput("venv-emulated", "--ab venv:PATH does not run on emulated GPUs", hint)
    transports = sorted({one.point.transport for one in planned})
    return {variant.name: _side(variant, transports, logs) for variant in variants}


def doubled(planned: Sequence[PlannedPoint], sides: Iterable[Side]) -> list[PlannedPoint]:
    """Return every point once for each side, those of one side together, with the side's settings where they apply."""
    return [_of(side.variant, one) for side in sides for one in planned]


def _of(variant: Variant, one: PlannedPoint) -> PlannedPoint:
    own = {name: value for name, value in variant.settings.items() if _applies(name, one.point)}
    settings = check_settings(one.point.transport, one.point.op, {**one.point.settings, **own})
    return replace(one, point=one.point.model_copy(update={"variant": variant.name, "settings": dict(settings)}))


def _applies(name: str, point: Point) -> bool:
    """Return whether a setting means anything to a point; those of a back end do to all but the ceiling, which has none."""
    if name in OF_STORAGE:
        return through_file(point.op)
    if name == "device_memory":
        return "cuda" in {kind_of(point.source), kind_of(point.destination)}
    return point.transport != CEILING


def _side(variant: Variant, transports: Sequence[str], logs: Path) -> Side:
    if not variant.venv:
        return Side(variant, python_version=platform.python_version(), versions=machine.versions())
    python = venv.interpreter(variant.venv, variant.name)
    code = venv.linked(logs / f"code-{variant.name}")
    caller = dict(os.environ)
    paths = {
        "PYTHONPATH": os.pathsep.join([str(code), *filter(None, [caller.get("PYTHONPATH")])]),
        "PATH": os.pathsep.join([str(python.parent), *filter(None, [caller.get("PATH")])]),
        "VIRTUAL_ENV": str(python.parent.parent),
    }
    found = venv.ask(python, caller | paths, transports, variant.name)
    libraries = ":".join(filter(None, [caller.get("LD_LIBRARY_PATH"), found.library_path]))
    return Side(
        variant,
        python=found.python,
        python_version=found.version,
        versions=found.versions,
        paths=paths | {"LD_LIBRARY_PATH": libraries},
        missing=found.missing,
    )


def _check_axes(variants: Sequence[Variant], planned: Sequence[PlannedPoint]) -> None:
    """Refuse what the spec sets for some point, as the variant would not be what its name says, and what no point has."""
    axes = {name for one in planned for name in one.point.settings}
    for variant in variants:
        if both := sorted(axes & (variant.variables.keys() | variant.settings.keys())):
            hint = "take it out of the spec's settings, or out of --ab"
            raise BadInput("set-twice", f"--ab, {variant.name}: {both[0]} is set by the spec as well", hint)
        for name in variant.settings:
            if not any(_applies(name, one.point) for one in planned):
                hint = "variables of the environment are upper case; io and files are settings of storage"
                raise BadInput(
                    "no-effect", f"--ab, {variant.name}: {name} is a setting that no point of the spec has", hint
                )
