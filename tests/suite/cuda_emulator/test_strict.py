"""Strict mode finds a program that touches device memory behind the driver's back."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.suite.cuda_emulator.conftest import Emulator

TOUCH = """
import ctypes
driver = ctypes.CDLL("libcuda.so.1")
context, address = ctypes.c_void_p(), ctypes.c_ulonglong()
assert not (driver.cuInit(0) or driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) or driver.cuCtxSetCurrent(context))
assert not driver.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(100))
assert not driver.cuMemsetD8_v2(address, 7, ctypes.c_size_t(100))
print("touching", flush=True)
{touch}
print("touched")
"""
READ = "assert ctypes.string_at(address.value, 1) == bytes([7])"
WRITE = "ctypes.memset(address.value, 1, 1)"


@pytest.mark.parametrize("touch", [READ, WRITE])
def test_access_by_the_cpu_is_a_fault(emulator: Emulator, touch: str) -> None:
    done = emulator.run("-c", TOUCH.format(touch=touch))
    assert done.stdout == "touching\n"
    assert done.returncode == -signal.SIGSEGV


@pytest.mark.parametrize("touch", [READ, WRITE])
def test_access_by_the_cpu_without_strict_mode(emulator: Emulator, touch: str) -> None:
    done = emulator.run("-c", TOUCH.format(touch=touch), strict=False)
    assert (done.returncode, done.stdout) == (0, "touching\ntouched\n"), done.stderr


def test_strict_is_the_default(emulator: Emulator) -> None:
    settings = {"KVGAUGE_EMULATED_GPU_STRICT": ""}
    assert emulator.run("-c", TOUCH.format(touch=READ), strict=False, extra=settings).returncode == -signal.SIGSEGV
