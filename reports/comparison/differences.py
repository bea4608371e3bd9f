"""What differs between runs: manifests as flat names and values, those that are not equal first.

Manifests are read as a stranger's: any value may be missing, of another type, deep, or large.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from reports.sections.hardware import devices, size
from suite.run.leaves import leaves
from suite.run.machine import STEERING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ABSENT = "not there"
_ENTRIES = 1_000  # of one run and group
_DEPTH = 8


@dataclass(frozen=True)
class Entry:
    """One name with the value of each run; one value where all are equal."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """One part of the manifests."""

    title: str
    differing: tuple[Entry, ...]
    equal: tuple[Entry, ...]


def differences(manifests: Sequence[Mapping[str, object]]) -> tuple[Group, ...]:
    """Return all parts that any run records; parts with differences come first, in the order of their weight."""
    groups = [_group(title, [flat(manifest) for manifest in manifests]) for title, flat in _PARTS]
    told = [group for group in groups if group.differing or group.equal]
    return tuple(sorted(told, key=lambda group: not group.differing))


def machine(manifest: Mapping[str, object]) -> dict[str, str]:
    """Return what makes a machine another one: processor, cores, memory, and its devices where it names any."""
    found = _mapping(manifest.get("machine"))
    told = {
        "cpu": _text(found.get("cpu")),
        "cores": _text(found.get("cores")),
        "memory": size(found.get("memory_bytes")),
    }
    told["devices"] = devices(_mapping(manifest.get("settings")).get("devices")).partition("\n")[0]
    return {name: value for name, value in told.items() if value}


def _group(title: str, runs: Sequence[dict[str, str]]) -> Group:
    names = sorted({name for run in runs for name in run}, key=lambda name: (not name.startswith(STEERING), name))
    entries = [Entry(name, tuple(run.get(name, ABSENT) for run in runs)) for name in names]
    return Group(
        title,
        tuple(entry for entry in entries if len(set(entry.values)) > 1),
        tuple(Entry(entry.name, entry.values[:1]) for entry in entries if len(set(entry.values)) == 1),
    )


def _machine(manifest: Mapping[str, object]) -> dict[str, str]:
    told = _flat(manifest.get("machine"))
    memory = size(_mapping(manifest.get("machine")).get("memory_bytes"))
    return told | ({"memory_bytes": memory} if memory else {})


def _settings(manifest: Mapping[str, object]) -> dict[str, str]:
    settings = _mapping(manifest.get("settings"))
    found = devices(settings.get("devices"))  # in words: of each device a manifest knows half a dozen numbers
    return _flat({**settings, "devices": found or None})


def _environment(manifest: Mapping[str, object]) -> dict[str, str]:
    return _flat(manifest.get("environment"))


def _versions(manifest: Mapping[str, object]) -> dict[str, str]:
    return _flat({"kvgauge": manifest.get("kvgauge"), **_mapping(manifest.get("versions"))})


def _spec(manifest: Mapping[str, object]) -> dict[str, str]:
    return _flat(manifest.get("spec"))


def _asked(manifest: Mapping[str, object]) -> dict[str, str]:
    words = manifest.get("command")
    command = [_text(word) for word in words[:_ENTRIES]] if isinstance(words, list) else []
    told = {"command": shlex.join((PurePath(command[0]).name, *command[1:]))} if command else {}
    return told | _flat({"seed": manifest.get("seed")})


def _time(manifest: Mapping[str, object]) -> dict[str, str]:
    return _flat({name: manifest.get(name) for name in ("started_at", "finished_at", "complete", "load_average")})


_PARTS = (
    ("Machine", _machine),
    ("Settings", _settings),
    ("Versions", _versions),
    ("What was asked for (spec)", _spec),
    ("Environment", _environment),
    ("Command and seed", _asked),
    ("Time and load", _time),
)


def _flat(value: object) -> dict[str, str]:
    """Return nested values as `kv.0.samples` -> text, at most `_ENTRIES` of them."""
    found: dict[str, str] = {}
    for name, leaf in leaves(value, _DEPTH):
        if len(found) == _ENTRIES:
            return found | {"…": "more is in manifest.json"}
        found[name] = _text(leaf)
    return found


def _text(value: object) -> str:
    if isinstance(value, list) and not any(isinstance(entry, dict | list) for entry in value):
        return ", ".join(_text(entry) for entry in value[:_ENTRIES])
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, sort_keys=True, default=str)


def _mapping(value: object) -> Mapping[str, object]:
    return {str(name): entry for name, entry in value.items()} if isinstance(value, dict) else {}
