"""Which transports an environment and an engine file select, and whether this machine can run them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from suite.errors import BadInput, Missing
from suite.settings import nixl_backends
from suite.settings.cache_transceiver import read_engine_config, resolve
from suite.settings.profiles import SOURCE_PAGE, profile_named
from suite.transports import base
from suite.transports.nixl import missing_for

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_REMEDY = "install what is missing, try it on emulated GPUs (--emulated-gpus 2), select another backend, or use --ignore-settings"
FALLBACK = ("nixl:UCX",)


@dataclass(frozen=True)
class Selected:
    """The transports to measure and one sentence for each step there."""

    transports: tuple[str, ...]
    why: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Return the form that a manifest keeps."""
        return {"transports": list(self.transports), "why": list(self.why)}


def selected(
    config: Path | None,
    environment: Mapping[bytes, bytes],
    libraries: Mapping[str, str],
    *,
    ignore: bool,
    profile: str = SOURCE_PAGE,
) -> Selected:
    """Return what is selected; a setting at fault is a `BadInput`, what this machine lacks a `Missing`.

    `libraries` is the environment in which workers look for libraries. `profile` says
    how an engine file is read, and needs one.
    """
    profile_named(profile)
    if profile != SOURCE_PAGE and not config:
        raise BadInput("profile-without-config", f"--profile {profile} says how an engine file is read", "add --config")
    chosen = Selected(FALLBACK, ("Settings are ignored: NIXL over UCX is measured.",)) if ignore else None
    chosen = chosen or (_from_file(config, environment, profile) if config else _from_environment(environment))
    for transport in chosen.transports:
        if lacking := _missing(transport, libraries):
            raise Missing(
                "selected-transport-missing",
                f"{transport} is selected but cannot run here: {lacking}",
                "\n".join((*chosen.why, _REMEDY)),
            )
    return chosen


def _from_environment(environment: Mapping[bytes, bytes]) -> Selected:
    selection = nixl_backends.parse_backends(environment)
    return Selected(tuple(f"nixl:{backend}" for backend in selection.require()), selection.why)


def _from_file(config: Path, environment: Mapping[bytes, bytes], profile: str) -> Selected:
    resolution = resolve(read_engine_config(config), environment, profile)
    resolution.require()
    if resolution.method == "disabled":
        raise BadInput("disabled", f"{config} moves no KV cache: {' '.join(resolution.why)}", "set its backend")
    return Selected(resolution.transports, resolution.why)


def _missing(transport: str, libraries: Mapping[str, str]) -> str | None:
    if transport in base.names():
        return base.load(transport).missing(libraries)
    engine, _, backend = transport.partition(":")
    lacking = missing_for(backend, libraries) if engine == "nixl" else None
    return lacking or f"this version of kvgauge has no transport {transport}"
