"""`ucx`: UCX without NIXL, as TensorRT-LLM's own UCX backend uses it.

Gather at prefill, tag send, tag receive, scatter at decode. Source:
NVIDIA/TensorRT-LLM, cpp/tensorrt_llm/executor/cache_transmission/ucx_utils.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING

from suite.transports.base import Op, Traits
from suite.transports.libraries import absent
from suite.transports.ucx_core import INSTALL
from suite.transports.ucx_endpoint import UcxEndpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from suite.transports.base import Role

_REQUIRED = {"UCX_PROTO_INFO": "used"}
_UNLESS_SET = {
    "UCX_RNDV_PIPELINE_ERROR_HANDLING": "y",  # what TensorRT-LLM sets; UCX's default is n
    # UCX's default, and TensorRT-LLM's. UCXX's Python half sets n unless it is set, and UCX may read it at once; its
    # other variables are taken away again in ucx_core
    "UCX_MEMTYPE_CACHE": "try",
}


class UcxTransport:
    """Sends and receives through UCXX."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.traits = Traits(
            ops=frozenset({Op.WRITE}),
            memory=frozenset((local, remote) for local in ("host", "cuda") for remote in ("host", "cuda")),
            two_sided=True,
            environment=MappingProxyType(
                _REQUIRED | {name: os.environ.get(name, value) for name, value in _UNLESS_SET.items()}
            ),
            alone=True,
            progress=MappingProxyType({"initiator": "caller", "target": "caller"}),
        )

    def missing(self, environment: Mapping[str, str] = os.environ) -> str | None:
        """Return what is missing, judged by files: UCXX is loaded in workers, never here."""
        if find_spec("ucxx") is None:
            return f"UCXX is not installed ({INSTALL})"
        if find_spec("libucx") is None and absent(["libucp.so.0"], environment):
            return f"UCX is not installed (libucp.so.0; {INSTALL} brings it)"
        return None

    def open(self, agent: str, settings: Mapping[str, str], role: Role) -> UcxEndpoint:
        """Return an endpoint; the setting `error_handling` is "on" (default, as in TensorRT-LLM) or "off"."""
        return UcxEndpoint(agent, settings, role)
