"""The settings of a point: a few are ours, upper-case names are variables of the workers, all others go to the back end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from perf.roles import through_file
from suite.errors import BadInput
from suite.run.machine import STEERING

if TYPE_CHECKING:
    from collections.abc import Mapping

DIRECT_BYTES = 4096  # what O_DIRECT asks addresses, offsets and lengths to be multiples of
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_ACCEPTED = {
    "io": ("direct", "buffered"),
    "files": tuple(str(count) for count in (1, 2, 4, 8, 16)),
    "device_memory": ("cudaMalloc", "vmm"),
}
OF_STORAGE = ("io", "files")


@dataclass(frozen=True)
class Ours:
    """What we do ourselves: how the file is opened, and how device memory is allocated."""

    io: Literal["direct", "buffered"] = "direct"
    files: int = 1  # that the region is spread over
    device_memory: Literal["cudaMalloc", "vmm"] = "cudaMalloc"


def ours(settings: Mapping[str, str]) -> Ours:
    """Return our part of a point's settings."""
    named: dict[str, Any] = {
        name: settings[name] for name in _ACCEPTED if name in settings
    }  # check_settings has seen them
    return Ours(**named | {"files": int(named.get("files", 1))})


def variables(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the part that workers find in their environment when they start: `UCX_TLS` and the like."""
    return {name: value for name, value in settings.items() if name.startswith(STEERING)}


def of_back_end(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the back end's part: what `create_backend` is given."""
    return {name: value for name, value in settings.items() if name not in _ACCEPTED and not name.startswith(STEERING)}


def check_settings(transport: str, op: str, settings: Mapping[str, str]) -> Mapping[str, str]:
    """Return `settings`; one of ours with another value than we know is a `BadInput`."""
    for name, accepted in _ACCEPTED.items():
        if name in settings and settings[name] not in accepted:
            raise BadInput(
                "bad-setting",
                f"{transport}: {name} = {settings[name][:60]!r} is not accepted",
                f"accepted: {', '.join(accepted)}",
            )
    for name, value in variables(settings).items():
        if name.startswith("DYN_KVBM_") or not _VARIABLE.fullmatch(name) or "\0" in value:
            hint = f"accepted: variables of the engines ({', '.join(STEERING)}...), which workers get when they start"
            raise BadInput("bad-setting", f"{transport}: {name[:60]!r} cannot be set for one point", hint)
    for name in OF_STORAGE:
        if name in settings and not through_file(op):
            raise BadInput("bad-setting", f"{transport}: {name} is a setting of storage, and {op} goes through no file")
    return settings


def needs_whole_blocks(op: str, settings: Mapping[str, str], nbytes: int) -> bool:
    """Return whether descriptors of `nbytes` are impossible, because the file is opened with O_DIRECT."""
    return through_file(op) and ours(settings).io == "direct" and nbytes % DIRECT_BYTES != 0
