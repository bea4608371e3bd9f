"""`manifest.json`: what was run, on what, with which settings. Written when a run starts and again when it ends."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from suite.errors import BadInput
from suite.run import calibration, machine

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCHEMA = 1
_MAX_BYTES = 16 << 20


def begin(*, seed: int, spec: Mapping[str, object], settings: Mapping[str, object]) -> dict[str, object]:
    """Return the manifest of a run that starts now; `settings` says which transports were selected and why."""
    return {
        "schema": SCHEMA,
        "kvgauge": version("kvgauge"),
        "command": machine.redacted_command(sys.argv),
        "seed": seed,
        "spec": dict(spec),
        "settings": dict(settings),
        "machine": machine.describe(),
        "calibration": calibration.for_manifest(),
        "versions": machine.versions(),
        "environment": machine.redacted_environment(os.environ),
        "started_at": now(),
        "finished_at": None,
        "complete": False,
        "load_average": [machine.load_average()],
    }


def end(manifest: Mapping[str, object], *, complete: bool) -> dict[str, object]:
    """Return the manifest of a run that ends now; an interrupted one is not complete."""
    before = manifest["load_average"]
    loads = [*before, machine.load_average()] if isinstance(before, list) else [machine.load_average()]
    return {**manifest, "finished_at": now(), "complete": complete, "load_average": loads}


def read(path: Path) -> dict[str, object]:
    """Return a manifest that may come from anywhere: a JSON object of at most 16 MiB, or `BadInput`."""
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES + 1)
    except OSError as error:
        hint = "name a folder that kvgauge run or sweep wrote"
        raise BadInput("no-run", f"{path}: {error.strerror}", hint) from error
    try:
        manifest = json.loads(text) if len(text) <= _MAX_BYTES else None
    except (ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict):
        raise BadInput("bad-manifest", f"{path} is not a manifest", "a JSON object of at most 16 MiB")
    return manifest


def selected_transports(manifest: Mapping[str, object]) -> list[str]:
    """Return the transports that the settings of a run selected; none where it does not say so."""
    settings = manifest.get("settings")
    named = settings.get("transports") if isinstance(settings, dict) else None
    return [name for name in named if isinstance(name, str)] if isinstance(named, list) else []


def now() -> str:
    """Return the time as every record has it: ISO 8601, UTC, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
