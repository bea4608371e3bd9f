"""Allocations of all kinds, and the limit of a device."""

import ctypes
from ctypes import byref, c_size_t, c_uint, c_ulonglong, c_void_p

from harness import (
    ALREADY_REGISTERED,
    INVALID_CONTEXT,
    INVALID_HANDLE,
    INVALID_VALUE,
    NOT_FOUND,
    NOT_REGISTERED,
    NULL,
    OUT_OF_MEMORY,
    PAGE,
    Handle,
    call,
    content,
    number,
    ok,
)


def free_bytes():
    free, total = c_size_t(), c_size_t()
    ok("cuMemGetInfo_v2", byref(free), byref(total))
    assert total.value == 64 << 20
    return free.value


def allocation():
    before = free_bytes()
    address = number("cuMemAlloc_v2", 100)
    assert before - free_bytes() == PAGE, "whole pages"
    base, size = c_ulonglong(), c_size_t()
    ok("cuMemGetAddressRange_v2", byref(base), byref(size), address + 99)
    assert (base.value, size.value) == (address, 100)
    ok("cuMemGetAddressRange_v2", NULL, NULL, address)
    call(NOT_FOUND, "cuMemGetAddressRange_v2", byref(base), byref(size), address + 100)
    call(INVALID_VALUE, "cuMemFree_v2", address + 1)
    ok("cuMemFree_v2", address)
    call(INVALID_VALUE, "cuMemFree_v2", address)
    ok("cuMemFree_v2", 0)
    assert free_bytes() == before
    call(INVALID_VALUE, "cuMemAlloc_v2", byref(base), 0)
    call(INVALID_VALUE, "cuMemAlloc_v2", NULL, 8)
    call(INVALID_VALUE, "cuMemGetInfo_v2", NULL, byref(size))


def running_out():
    before = free_bytes()
    address = number("cuMemAlloc_v2", before)
    assert free_bytes() == 0
    pointer = c_ulonglong(7)
    call(OUT_OF_MEMORY, "cuMemAlloc_v2", byref(pointer), 1)
    call(OUT_OF_MEMORY, "cuMemAllocManaged", byref(pointer), 1, 1)
    ok("cuMemFree_v2", address)
    for nbytes in (before + 1, 1 << 62, (1 << 64) - 1):
        call(OUT_OF_MEMORY, "cuMemAlloc_v2", byref(pointer), nbytes)
    assert pointer.value == 7
    assert free_bytes() == before
    for nbytes in (1 << 50, (1 << 64) - 1):
        call(OUT_OF_MEMORY, "cuMemHostAlloc", byref(c_void_p()), nbytes, 0)


def memory_is_reserved_when_it_is_allocated():
    import os
    from pathlib import Path

    address = number("cuMemAlloc_v2", 8 << 20)
    (file,) = (int(path.name) for path in Path("/proc/self/fd").iterdir() if "kvgauge-gpu" in os.path.realpath(path))
    assert os.fstat(file).st_blocks * 512 >= 8 << 20, "else running out of memory would be a SIGBUS, later"
    ok("cuMemFree_v2", address)


def another_device_has_its_own():
    address = number("cuMemAlloc_v2", 60 << 20)
    other = number("cuDevicePrimaryCtxRetain", 1, kind=c_void_p)
    ok("cuCtxPushCurrent_v2", other)
    assert free_bytes() == 64 << 20
    ok("cuMemFree_v2", address)  # from whatever context
    ok("cuCtxPopCurrent_v2", NULL)
    assert free_bytes() == 64 << 20
    ok("cuDevicePrimaryCtxRelease_v2", 1)


def managed():
    address = number("cuMemAllocManaged", 64, 1)
    ctypes.memset(address, 7, 64)
    assert content(address, 64) == b"\7" * 64, "the program and the device see the same bytes"
    ok("cuMemFree_v2", address)
    call(INVALID_VALUE, "cuMemAllocManaged", byref(c_ulonglong()), 64, 0)
    call(INVALID_VALUE, "cuMemAllocManaged", byref(c_ulonglong()), 0, 1)


def pinned():
    address = number("cuMemHostAlloc", 100, 4, kind=c_void_p)
    ctypes.memset(address, 1, 100)
    assert number("cuMemHostGetFlags", address, kind=c_uint) == 4
    assert number("cuMemHostGetDevicePointer_v2", address, 0) == address
    call(INVALID_VALUE, "cuMemHostGetDevicePointer_v2", byref(c_ulonglong()), address, 1)
    call(NOT_FOUND, "cuMemGetAddressRange_v2", NULL, NULL, address)
    call(INVALID_VALUE, "cuMemFree_v2", address)
    call(INVALID_VALUE, "cuMemFreeHost", address + 8)
    ok("cuMemFreeHost", address)
    call(INVALID_VALUE, "cuMemFreeHost", address)
    call(INVALID_VALUE, "cuMemHostGetFlags", byref(c_uint()), address)
    ok("cuMemFreeHost", number("cuMemAllocHost_v2", 8, kind=c_void_p))
    call(INVALID_VALUE, "cuMemAllocHost_v2", byref(c_void_p()), 0)
    call(INVALID_VALUE, "cuMemHostAlloc", byref(c_void_p()), 8, 64)


def registered():
    buffer = ctypes.create_string_buffer(3 * PAGE)
    address = ctypes.addressof(buffer)
    ok("cuMemHostRegister_v2", address, 2 * PAGE, 2)
    call(ALREADY_REGISTERED, "cuMemHostRegister_v2", address + PAGE, 2 * PAGE, 2)
    assert number("cuMemHostGetDevicePointer_v2", address + 5, 0) == address + 5
    call(NOT_REGISTERED, "cuMemHostUnregister", address + 8)
    ok("cuMemHostUnregister", address)
    call(NOT_REGISTERED, "cuMemHostUnregister", address)
    call(INVALID_VALUE, "cuMemHostUnregister", NULL)
    call(INVALID_VALUE, "cuMemHostRegister_v2", address, 0, 0)
    call(INVALID_VALUE, "cuMemHostRegister_v2", address, PAGE, 64)
    call(INVALID_VALUE, "cuMemHostRegister_v2", address, (1 << 64) - 1, 0)


def handles_in_one_process():
    address = number("cuMemAlloc_v2", 8)
    handle = Handle()
    ok("cuIpcGetMemHandle", byref(handle), address + 4)
    call(INVALID_CONTEXT, "cuIpcOpenMemHandle_v2", byref(c_ulonglong()), handle, 1)  # only in another process
    call(INVALID_VALUE, "cuIpcOpenMemHandle_v2", byref(c_ulonglong()), handle, 0)
    call(INVALID_VALUE, "cuIpcOpenMemHandle_v2", NULL, handle, 1)
    call(INVALID_VALUE, "cuIpcCloseMemHandle", address)
    call(INVALID_VALUE, "cuIpcGetMemHandle", NULL, address)
    ok("cuMemFree_v2", address)
    call(INVALID_HANDLE, "cuIpcOpenMemHandle_v2", byref(c_ulonglong()), handle, 1)
    call(INVALID_VALUE, "cuIpcGetMemHandle", byref(handle), address)


GROUPS = [
    allocation,
    running_out,
    memory_is_reserved_when_it_is_allocated,
    another_device_has_its_own,
    managed,
    pinned,
    registered,
    handles_in_one_process,
]
