"""The four import packages have everyday names: a guard against a folder of the user's that hides one."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from suite.errors import BadInput

ROOMS = ("suite", "conformance", "perf", "reports")


def refuse_shadowed_rooms() -> None:
    """Stop when a folder of the user's hides one of ours: its code would run instead."""
    home = Path(__file__).parent.parent
    for room in ROOMS:
        spec = find_spec(room)
        if spec is None or spec.origin is None or Path(spec.origin).parent.parent != home:
            where = spec.origin or spec.submodule_search_locations if spec else "nowhere"
            raise BadInput("shadowed", f"`import {room}` finds {where}, not kvgauge's own", "run from another folder")
