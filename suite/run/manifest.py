"""`manifest.json`: what was run, on what, with which settings. Written when a run starts and again when it ends."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from suite.run import machine

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = 1


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


def now() -> str:
    """Return the time as every record has it: ISO 8601, UTC, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
