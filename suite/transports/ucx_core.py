"""UCXX's core API: the one module that loads it.

UCXX is UCX's binding by RAPIDS; TensorRT-LLM's own UCX backend uses its C++ half.
Of the Python half only the core is used, without asyncio and without a progress
thread: with its default time-out `start_progress_thread` hangs over shared memory,
and its caller's polling is faster (met with ucxx-cu12 0.52, libucx-cu12 1.21).
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from suite.errors import Missing, PeerLost, TransferFailed, Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from suite.errors import KvgaugeError

NIXL = frozenset({"nixl", "nixl_cu12", "nixl_cu13"})
INSTALL = "pip install 'kvgauge[ucx]'"
_VARIABLE = "UCX_"
# without it ucxx asks NVML for the devices, to set it; any value will do, it is taken away again before UCX looks
_ASKS_NVML = "UCX_CUDA_COPY_MAX_REG_RATIO"
# where UCXX says that the other side is gone, by what had been under way (met by killing peers)
_LOST = frozenset({"ConnectionReset", "Canceled", "NotConnected", "EndpointTimeout", "ShmemSegment", "Unreachable"})


class Ucxx:
    """UCXX's modules."""

    def __init__(self) -> None:
        if loaded := NIXL & set(sys.modules):
            raise Unsupported(
                "not-alone",
                f"ucx cannot be used in a process with NIXL ({', '.join(sorted(loaded))}): both load a UCX",
                "measure them in different worker processes",
            )
        if find_spec("ucxx") is None:
            raise Missing("no-ucxx", "UCXX is not installed", INSTALL)
        with _environment_kept():
            if find_spec("libucx"):  # before the loader finds an older UCX of the system's
                import_module("libucx").load_library()
            try:
                self.core = import_module("ucxx._lib.libucxx")
                self._array = import_module("ucxx._lib.arr").Array
            except (ImportError, OSError) as error:
                raise Missing("no-ucxx", f"UCXX cannot be loaded: {error}", INSTALL) from error

    def buffer(self, memory: Any) -> Any:
        """Return `memory` (one-dimensional bytes, of the host or of a device) as UCXX takes it.

        UCXX sends a view with gaps as if it had none, so that is `Unsupported` here.
        """
        array = self._array(memory)
        if not array.c_contiguous or array.itemsize != 1 or array.ndim != 1:
            raise Unsupported(
                "not-contiguous",
                f"ucx: a message of shape {array.shape}, strides {array.strides}, {array.itemsize} bytes each",
                "messages are contiguous arrays of uint8",
            )
        return array

    def tag(self, number: int) -> Any:
        """Return a 64-bit tag."""
        return self.core.UCXXTag(number)

    @contextlib.contextmanager
    def explained(self, doing: str) -> Iterator[None]:
        """Turn UCXX's exceptions into ours."""
        try:
            yield
        except self.core.UCXError as error:
            raise self.explanation(error, doing) from error

    def explanation(self, error: Exception, doing: str) -> KvgaugeError:
        """Return what an error of UCXX is among ours."""
        name = type(error).__name__.removeprefix("UCXX").removeprefix("UCX").removesuffix("Error")
        if name in _LOST:
            return PeerLost("peer-lost", f"UCX could not {doing}: the peer is gone ({name}: {error})")
        return TransferFailed("ucx", f"UCX could not {doing}: {name}: {error}")


class Context:
    """A UCX context with one worker, driven by its caller. Feature: tag messages, as in TensorRT-LLM."""

    def __init__(self, ucxx: Ucxx) -> None:
        core = ucxx.core
        with ucxx.explained("make a context and a worker"):
            self._context = core.UCXContext({}, (core.Feature.TAG,))
            self.worker = core.UCXWorker(self._context, enable_delayed_submission=False, enable_python_future=False)
        self._ucxx = ucxx
        self._endpoints: list[Any] = []

    def address(self) -> bytes:
        """Return the worker's address, which a peer needs to connect."""
        told: bytes = self.worker.address.tobytes()
        return told

    def connect(self, address: bytes, *, error_handling: bool) -> Any:
        """Return an endpoint to the worker at `address`.

        By worker addresses, not by a listener: UCXX's listener does not pass error handling on.
        """
        core = self._ucxx.core
        with self._ucxx.explained("connect"):
            told = core.UCXAddress.create_from_buffer(address)
            endpoint = core.UCXEndpoint.create_from_worker_address(self.worker, told, error_handling)
        self._endpoints.append(endpoint)
        return endpoint

    def close(self) -> None:
        """Destroy everything, which writes UCX's tables. Nobody may hold a request or an endpoint any more.

        The endpoints are closed blocking: after `close` the context lived on, and with a dead peer it crashed.
        """
        while self._endpoints:
            self._endpoints.pop().close_blocking()
        del self.worker, self._context
        gc.collect()
        ctypes.CDLL(None).fflush(None)


@contextlib.contextmanager
def _environment_kept() -> Iterator[None]:
    """Take away what `import ucxx` puts into the environment, before UCX reads it.

    It sets UCX_RNDV_THRESH=8192, UCX_MAX_RNDV_RAILS=1, UCX_RNDV_FRAG_MEM_TYPE=cuda and UCX_MEMTYPE_CACHE=n unless
    they are set. Those are UCXX-Python's choices; TensorRT-LLM's C++ has UCX's own (in 1.21 auto, 2, host,cuda, try).
    """
    before = {name: value for name, value in os.environ.items() if name.startswith(_VARIABLE)}
    os.environ.setdefault(_ASKS_NVML, "")
    try:
        yield
    finally:
        for name in [name for name in os.environ if name.startswith(_VARIABLE) and name not in before]:
            del os.environ[name]
        os.environ.update(before)
