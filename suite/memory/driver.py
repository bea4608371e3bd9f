"""NVIDIA's driver: the one module that loads it. Calls, contexts, and errors in the driver's own words.

For workers only: a supervisor must never load CUDA. Everything goes through
`cuda.bindings.driver` (package cuda-bindings), which loads `libcuda.so.1` at
the first call, whether that is NVIDIA's or the emulated one.
"""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any
from uuid import UUID

from suite.errors import BadInput, KvgaugeError, Missing

if TYPE_CHECKING:
    from collections.abc import Iterator

EMULATED_NAME = "Emulated GPU (host memory)"  # how the names of emulated devices begin
OUT_OF_MEMORY = "CUDA_ERROR_OUT_OF_MEMORY"
EMULATE = "without a GPU, --emulated-gpus N runs the same path on host memory"
_INSTALL = "pip install 'kvgauge[cuda]'"
_NO_DEVICE = "CUDA_ERROR_NO_DEVICE"
_NAME_BYTES = 256


class CudaError(KvgaugeError):
    """The driver refused a call; `status` is its own name for the reason: `CUDA_ERROR_INVALID_VALUE`."""

    def __init__(self, function: str, status: str, words: str) -> None:
        super().__init__("cuda", f"{function}: {status} ({words})")
        self.status = status


def load() -> Any:
    """Return the module `cuda.bindings.driver` with the driver initialised; `Missing` if there is none to load."""
    try:
        driver = import_module("cuda.bindings.driver")
    except ImportError as error:
        raise Missing("no-cuda-bindings", f"the package cuda-bindings is not there: {error}", _INSTALL) from error
    try:
        (status,) = driver.cuInit(0)
    except RuntimeError as error:  # how cuda-bindings says that there is no libcuda.so.1
        raise Missing("no-driver", f"no CUDA driver: {error}", f"install NVIDIA's driver; {EMULATE}") from error
    if status:
        failure = _error(driver, "cuInit", status)
        code = "no-device" if failure.status == _NO_DEVICE else "no-driver"
        raise Missing(code, failure.message, f"see what nvidia-smi says; {EMULATE}")
    return driver


def call(function: str, *arguments: Any) -> Any:
    """Call the driver's `function`; return nothing, its result, or a tuple of results. Raises `CudaError`."""
    driver = import_module("cuda.bindings.driver")
    status, *results = getattr(driver, function)(*arguments)
    if status:
        raise _error(driver, function, status)
    return results[0] if len(results) == 1 else tuple(results)


def explain(function: str, status: Any) -> CudaError:
    """Return the error for a `status` that a prepared call of `function` came back with."""
    return _error(import_module("cuda.bindings.driver"), function, status)


def device_handle(ordinal: int) -> Any:
    """Return the driver's handle of device `ordinal`; loads the driver. `BadInput` if there is no such device."""
    load()
    count = call("cuDeviceGetCount")
    if not count:
        raise Missing("no-device", "the CUDA driver has no device", f"see CUDA_VISIBLE_DEVICES; {EMULATE}")
    if not 0 <= ordinal < count:
        there = "only cuda:0" if count == 1 else f"{count} devices, cuda:0 to cuda:{count - 1}"
        raise BadInput("no-such-device", f"no device cuda:{ordinal}: there is {there}", "see CUDA_VISIBLE_DEVICES")
    return call("cuDeviceGet", ordinal)


def device_name(handle: Any) -> str:
    """Return what the driver calls a device."""
    name: bytes = call("cuDeviceGetName", _NAME_BYTES, handle)
    return name.split(b"\0")[0].decode("utf-8", "replace")


def device_uuid(handle: Any) -> str:
    """Return a device's UUID as nvidia-smi writes it; the same in every process of the machine."""
    return f"GPU-{UUID(bytes=bytes(call('cuDeviceGetUuid', handle).bytes))}"


class Context:
    """A reference to a device's primary context, which the CUDA runtime, UCX and NIXL use as well."""

    def __init__(self, ordinal: int) -> None:
        self.ordinal = ordinal
        self.device = device_handle(ordinal)
        self.handle = call("cuDevicePrimaryCtxRetain", self.device)

    def make_current(self) -> None:
        """Make it this thread's context until someone sets another."""
        call("cuCtxSetCurrent", self.handle)

    @contextmanager
    def pushed(self) -> Iterator[None]:
        """Have it current for a while, and then what was current before."""
        call("cuCtxPushCurrent", self.handle)
        try:
            yield
        finally:
            call("cuCtxPopCurrent")

    def close(self) -> None:
        """Let go; with the last reference the driver destroys the context and all that is left in it.

        A thread in which a destroyed context stays current can open no UCX worker any more, so then none is.
        """
        call("cuDevicePrimaryCtxRelease", self.device)
        _, active = call("cuDevicePrimaryCtxGetState", self.device)
        if not active and int(call("cuCtxGetCurrent")) == int(self.handle):
            call("cuCtxSetCurrent", 0)


@contextmanager
def current(device: int) -> Iterator[Context]:
    """Have the primary context of `device` (a CUDA ordinal) current inside a `with`."""
    context = Context(device)
    try:
        with context.pushed():
            yield context
    finally:
        context.close()


def _error(driver: Any, function: str, status: Any) -> CudaError:
    named = [getter(status)[1] for getter in (driver.cuGetErrorName, driver.cuGetErrorString)]
    name, words = (text.decode("utf-8", "replace") if text else f"error {int(status)}" for text in named)
    return CudaError(function, name, words)
