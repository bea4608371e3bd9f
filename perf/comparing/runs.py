"""A run folder as a comparison needs it, and what makes two runs ones that must not be compared."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.analysis import summarise
from perf.reading import read_run
from suite.errors import BadInput
from suite.run import manifest as manifests
from suite.run.folder import RUNS, SAMPLES, RunFolder
from suite.run.leaves import leaves
from suite.run.machine import STEERING
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from perf.summary import PointSummary

_DEPTH, _ENTRIES = 8, 1_000  # of one part of a manifest
ABSENT = "not there"


@dataclass(frozen=True)
class Compared:
    """One run."""

    name: str
    manifest: Mapping[str, object]
    summaries: tuple[PointSummary, ...]
    notes: tuple[str, ...]

    @property
    def outside(self) -> bool:
        """Whether another tool measured it, so that nothing is known but its figures."""
        return not self.manifest


@dataclass(frozen=True)
class Difference:
    """One setting that is not the same in both runs."""

    part: str
    name: str
    base: str
    new: str


def load(path: Path) -> Compared:
    """Return the run in `path`; raises `BadInput` for what is no run, damaged, or newer than this kvgauge."""
    folder = RunFolder(path)
    manifest = manifests.read(folder.manifest)
    schema = manifest.get("schema")
    if isinstance(schema, int) and schema > manifests.SCHEMA:
        message = f"{folder.manifest}: schema {schema} is newer than this kvgauge, which reads {manifests.SCHEMA}"
        raise BadInput("newer-schema", message, "compare with the kvgauge that wrote it, or a newer one")
    found = read_run(folder.samples)
    notes = found.notes if manifest.get("complete") is True else [*found.notes, "the run is not complete"]
    return Compared(
        name=path.resolve().name,
        manifest=manifest,
        summaries=tuple(summarise(found.points, found.ceilings)),
        notes=tuple(notes),
    )


def newest_but(base: Path) -> Path:
    """Return the newest sweep in `runs/` that is not `base`."""
    runs = sorted(RUNS.glob(f"*/{SAMPLES}"), key=lambda file: file.stat().st_mtime)
    others = [file.parent for file in runs if file.parent.resolve() != base.resolve()]
    if not others:
        raise BadInput("no-runs", f"no other run in {RUNS}/", "name the folder of NEW")
    return others[-1]


def check_alike(base: Compared, new: Compared) -> list[str]:
    """Return notes on the machines; one run twice, or two machines, is a `BadInput`: no ratio would say what it seems to."""
    started = base.manifest.get("started_at")
    if started and (started, base.manifest.get("seed")) == (new.manifest.get("started_at"), new.manifest.get("seed")):
        raise BadInput("same-run", f"{base.name} and {new.name} are copies of one run", "name two runs")
    here, there = machine(base.manifest), machine(new.manifest)
    unlike = [f"{name} {here[name]}, then {there[name]}" for name in here if there.get(name, here[name]) != here[name]]
    if unlike:
        hint = "kvgauge report shows runs of several machines side by side, and claims nothing"
        raise BadInput("other-machine", f"two machines: {'; '.join(unlike)}", hint)
    return [f"the machine of {run.name} is not recorded" for run, told in ((base, here), (new, there)) if not told]


def machine(manifest: Mapping[str, object]) -> dict[str, str]:
    """Return what makes a machine another one: processor, cores, memory, devices; only what is recorded."""
    found = _mapping(manifest.get("machine"))
    memory = found.get("memory_bytes")
    devices = _mapping(_mapping(manifest.get("settings")).get("devices"))
    told = {
        "cpu": _text(found.get("cpu")),
        "cores": _text(found.get("cores")),
        "memory": format_bytes(memory) if isinstance(memory, int) and 0 < memory < 1 << 60 else "",
        "devices": ", ".join(sorted(_text(_mapping(device).get("name")) for device in devices.values())),
    }
    return {name: value for name, value in told.items() if value}


def differences(base: Compared, new: Compared) -> list[Difference]:
    """Return what differs in settings, variables of the engines, versions and spec, variables first."""
    if base.outside or new.outside:
        return []
    return [
        Difference(part, name, ours.get(name, ABSENT), theirs.get(name, ABSENT))
        for (part, ours), (_, theirs) in zip(_parts(base.manifest), _parts(new.manifest), strict=True)
        for name in sorted(ours.keys() | theirs.keys())
        if ours.get(name) != theirs.get(name)
    ]


def _parts(manifest: Mapping[str, object]) -> Iterator[tuple[str, dict[str, str]]]:
    variables = _mapping(manifest.get("environment"))
    settings = _mapping(manifest.get("settings"))
    yield "variable", _flat({name: value for name, value in variables.items() if name.startswith(STEERING)})
    yield "version", _flat({"kvgauge": manifest.get("kvgauge"), **_mapping(manifest.get("versions"))})
    yield "setting", _flat({name: value for name, value in settings.items() if name != "devices"})
    yield "spec", _flat(manifest.get("spec"))
    yield "machine", _flat(manifest.get("machine"))


def _flat(value: object) -> dict[str, str]:
    """Return nested values as `kv.0.samples` -> text, at most `_ENTRIES` of them."""
    found: dict[str, str] = {}
    for name, leaf in leaves(value, _DEPTH):
        if len(found) == _ENTRIES:
            break
        found[name] = _text(leaf)
    return found


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, sort_keys=True, default=str)


def _mapping(value: object) -> dict[str, object]:
    return {str(name): entry for name, entry in value.items()} if isinstance(value, dict) else {}
