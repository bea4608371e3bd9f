"""NIXL, one back end at a time: between two agents (UCX), or between an agent and a file (POSIX, GDS, GDS_MT)."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from suite.transports.base import Op, Traits
from suite.transports.libraries import absent
from suite.transports.nixl_agent import PACKAGES
from suite.transports.nixl_storage import NixlStorageEndpoint
from suite.transports.nixl_transfer import NixlTransfer
from suite.transports.nixl_ucx import NixlEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from suite.transports.base import Endpoint, Role

__all__ = ["PACKAGES", "NixlEndpoint", "NixlStorageEndpoint", "NixlTransfer", "NixlTransport", "missing_for"]

_LIBRARIES = dict.fromkeys(("GDS", "GDS_MT"), ("libcuda.so.1", "libcudart.so.12", "libcufile.so.0"))
_TWO_AGENTS = Traits(
    ops=frozenset({Op.WRITE, Op.READ}),
    memory=frozenset((local, remote) for local in ("host", "cuda") for remote in ("host", "cuda")),
    deregisters=True,
    environment=MappingProxyType({"UCX_PROTO_INFO": "used"}),
    progress=MappingProxyType({"initiator": "caller", "target": "caller"}),
)


def _storage(*memory: str, driven_by: str) -> Traits:
    return Traits(
        ops=frozenset({Op.STORE, Op.FETCH}),
        memory=frozenset((kind, "file") for kind in memory),
        notifies=False,  # a handoff's messages go through a mailbox
        progress=MappingProxyType({"initiator": driven_by, "target": "kernel"}),
    )


_STORAGE = {
    "POSIX": _storage("host", driven_by="caller"),
    "GDS": _storage("host", "cuda", driven_by="caller"),
    "GDS_MT": _storage("host", "cuda", driven_by="thread"),
}


class NixlTransport:
    """`nixl:UCX`: NIXL with the back end after the colon."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._backend = name.partition(":")[2]
        self.traits = _STORAGE.get(self._backend, _TWO_AGENTS)

    def missing(self, environment: Mapping[str, str] = os.environ) -> str | None:
        """Return what is missing, looking for files only: NIXL is loaded in workers, never here."""
        return missing_for(self._backend, environment)

    def open(self, agent: str, settings: Mapping[str, str], role: Role) -> Endpoint:
        """Return an agent with its back end created; `settings` are the back end's parameters."""
        del role  # both sides are driven by their callers
        kind = NixlStorageEndpoint if self._backend in _STORAGE else NixlEndpoint
        return kind(agent, self._backend, settings)


def missing_for(backend: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return why NIXL with `backend` cannot run here, or None; judged by installed files."""
    package = next((name for name in PACKAGES if find_spec(name)), None)
    if package is None:
        return "NIXL is not installed (pip install --no-deps nixl-cu12)"
    if not any(_plugin_files(package, backend)):
        return f"{package} has no plug-in for {backend}"
    if lacking := absent(_LIBRARIES.get(backend, ()), environment):
        return f"{', '.join(lacking)} not found (NVIDIA driver, CUDA runtime, cuFile)"
    return None


def _plugin_files(package: str, backend: str) -> Iterator[Path]:
    """Yield the files NIXL would load for `backend`: in `NIXL_PLUGIN_DIR`, or in the wheel."""
    spec = find_spec(package)
    folders = [Path(spec.origin).parent.parent / f"{package}.libs" / "nixl"] if spec and spec.origin else []
    if custom := os.environ.get("NIXL_PLUGIN_DIR"):
        folders.insert(0, Path(custom))
    for folder in folders:
        yield from folder.glob(f"libplugin_{backend}.so")
