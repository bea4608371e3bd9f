"""Two of NIXL's agents over UCX, by NIXL's own Python API alone."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.errors import Missing

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PACKAGES = ("nixl_cu13", "nixl_cu12")


class Agent:
    """An agent without a progress thread, and one region of memory."""

    def __init__(self, name: str, nbytes: int, fill: int = 0) -> None:
        os.environ.setdefault("UCX_TLS", "tcp")  # before UCX is loaded: what is posted is under way for a while
        package = next((one for one in _PACKAGES if find_spec(one)), None)
        if package is None:
            raise Missing("no-nixl", "NIXL is not installed", "pip install --no-deps nixl-cu12")
        api: Any = import_module(f"{package}._api")
        self.name = name
        self.memory: NDArray[np.uint8] = np.full(nbytes, fill, np.uint8)
        config = api.nixl_agent_config(enable_prog_thread=False, backends=[], capture_telemetry=True)
        self.nixl: Any = api.nixl_agent(name, config)
        self.nixl.create_backend("UCX", {})
        self.nixl.register_memory([(self.memory.ctypes.data, nbytes, 0, "")], "DRAM", backends=["UCX"])

    def rows(self) -> list[tuple[int, int, int]]:
        """Return the region as one descriptor."""
        return [(self.memory.ctypes.data, self.memory.nbytes, 0)]

    def write(self, peer: str, rows: list[tuple[int, int, int]], tag: bytes = b"there") -> Any:
        """Return a transfer of the region to rows of a peer, posted."""
        local, remote = (self.nixl.get_xfer_descs(one, "DRAM") for one in (self.rows(), rows))
        handle = self.nixl.initialize_xfer("WRITE", local, remote, peer, tag)
        self.nixl.transfer(handle)
        return handle
