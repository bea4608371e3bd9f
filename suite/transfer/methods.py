"""What one invocation runs: the methods that the settings select, or the one that `--transport` names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite.errors import BadInput
from suite.settings.cache_transceiver import read_engine_config
from suite.settings.engine_yaml import shown_path
from suite.settings.nixl_backends import PREFIX
from suite.transfer.resources import ops_of
from suite.transfer.selection import selected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from suite.transfer.selection import Method

OVERRIDES = "--transport overrides what the settings select"
_OPS_OF: Mapping[str, Sequence[str]] = {"both": ("push", "pull")}  # any other --op is itself

Run = tuple[str, list[str]]  # a transport and its ops


def chosen(
    transport: str | None, config: Path | None, environment: Mapping[bytes, bytes], op: str | None, *, on_devices: bool
) -> tuple[list[Run], dict[str, Any]]:
    """Return the methods to run, at least one, and what the manifest's `settings` say of how they were chosen.

    Those are `selection`, each enabled backend with what it does in this run;
    `selected_by`, what a terminal prints; `transports` and `why`, as `kvgauge run`
    has them. A `transport` wins, and then no setting is read. Raises what
    `selection.selected` does, and `BadInput` if nothing selected can do `op`.
    """
    if transport is not None:
        ops = ops_of(transport, op, on_devices=on_devices)
        return [(transport, ops)], {"selection": [], "selected_by": [f"{transport}: {OVERRIDES}"], "why": [OVERRIDES]}
    found = selected(
        read_engine_config(config) if config else None, environment, source=shown_path(config) if config else ""
    )
    runs = [(method.transport, _ops(method, op, on_devices=on_devices)) for method in found.methods]
    able = [run for run in runs if run[1]]
    if not able:
        can = ", ".join(f"{method.transport} can {' and '.join(method.ops)}" for method in found.methods)
        raise BadInput(
            "cannot-do-op",
            f"--op {op}, but {can} ({'; '.join(map(str, found.methods))})",
            f"leave out --op, or enable a backend that can: {PREFIX}UCX=true for push and pull",
        )
    pairs = list(zip(found.methods, runs, strict=True))
    return able, {
        "selection": [_told(method, ops) for method, (_, ops) in pairs],
        "selected_by": [*(_line(method, ops, op) for method, (_, ops) in pairs), *found.notes],
        "transports": [transport for transport, _ in able],
        "why": list(found.why),
    }


def _ops(method: Method, op: str | None, *, on_devices: bool) -> list[str]:
    """Return what a method does in this run: nothing if `--op` names only what others do."""
    wanted = method.ops if op is None else _OPS_OF.get(op, (op,))
    if not set(wanted) & set(method.ops):
        return []
    if method.role == "files":
        return [one for one in method.ops if one in wanted]
    return ops_of(method.transport, op, on_devices=on_devices)


def _line(method: Method, ops: Sequence[str], op: str | None) -> str:
    return str(method) if ops else f"{method} (idle: --op {op} leaves it nothing)"


def _told(method: Method, ops: Sequence[str]) -> dict[str, Any]:
    return {
        "backend": method.backend,
        "transport": method.transport,
        "role": method.role,
        "ops": list(ops),  # in this run; empty where --op asks for what others do
        "selected_by": method.why,
    }
