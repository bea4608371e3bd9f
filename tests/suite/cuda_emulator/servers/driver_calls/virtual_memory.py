"""Virtual memory: reserved, created, mapped, opened, shared."""

import ctypes
from ctypes import byref, c_int, c_size_t, c_ulonglong, c_void_p

from harness import (
    INVALID_DEVICE,
    INVALID_HANDLE,
    INVALID_VALUE,
    NOT_SUPPORTED,
    NULL,
    OUT_OF_MEMORY,
    Access,
    Handle,
    Properties,
    call,
    content,
    fill,
    number,
    ok,
)

CHUNK = 2 << 20
FILE_DESCRIPTOR, FABRIC = 1, 8


def wanted(device=0, handle_types=0):
    return Properties(type=1, handle_types=handle_types, location_type=1, location=device)


def create(nbytes=CHUNK, device=0, handle_types=0):
    return number("cuMemCreate", nbytes, byref(wanted(device, handle_types)), 0)


def reserve(nbytes, alignment=0):
    return number("cuMemAddressReserve", nbytes, alignment, 0, 0)


def allow(address, nbytes, device=0, flags=3):
    ok("cuMemSetAccess", address, nbytes, byref(Access(1, device, flags)), 1)


def free_bytes():
    free, total = c_size_t(), c_size_t()
    ok("cuMemGetInfo_v2", byref(free), byref(total))
    return free.value


def granularity():
    assert number("cuMemGetAllocationGranularity", byref(wanted()), 0) == CHUNK
    assert number("cuMemGetAllocationGranularity", byref(wanted()), 1) == CHUNK
    call(INVALID_VALUE, "cuMemGetAllocationGranularity", NULL, byref(wanted()), 0)
    call(INVALID_VALUE, "cuMemGetAllocationGranularity", byref(c_size_t()), NULL, 0)
    call(INVALID_DEVICE, "cuMemGetAllocationGranularity", byref(c_size_t()), byref(wanted(device=2)), 0)
    on_host = Properties(type=1, location_type=2)
    call(NOT_SUPPORTED, "cuMemGetAllocationGranularity", byref(c_size_t()), byref(on_host), 0)


def reservations():
    address = reserve(2 * CHUNK, 1 << 30)
    assert address % (1 << 30) == 0
    call(INVALID_VALUE, "cuMemAddressFree", address, CHUNK)
    ok("cuMemAddressFree", address, 2 * CHUNK)
    call(INVALID_VALUE, "cuMemAddressFree", address, 2 * CHUNK)
    for size, alignment in ((0, 0), (CHUNK + 1, 0), (CHUNK, 3)):
        call(INVALID_VALUE, "cuMemAddressReserve", byref(c_ulonglong()), size, alignment, 0, 0)
    call(INVALID_VALUE, "cuMemAddressReserve", NULL, CHUNK, 0, 0, 0)
    call(OUT_OF_MEMORY, "cuMemAddressReserve", byref(c_ulonglong()), 1 << 60, 0, 0, 0)


def mapping():
    pool = reserve(3 * CHUNK)
    handles = [create() for _ in range(2)]
    source = fill(2 * CHUNK)
    for i, handle in enumerate(handles):
        ok("cuMemMap", pool + i * CHUNK, CHUNK, 0, handle, 0)
    call(INVALID_VALUE, "cuMemcpyHtoD_v2", pool, source, 8)  # no access yet
    call(INVALID_VALUE, "cuMemMap", pool, CHUNK, 0, handles[0], 0)  # there is something already
    call(INVALID_VALUE, "cuMemMap", pool + 2 * CHUNK, 2 * CHUNK, 0, handles[0], 0)  # beyond the reservation
    call(INVALID_VALUE, "cuMemMap", pool + 2 * CHUNK, CHUNK, 0, 77, 0)
    call(INVALID_VALUE, "cuMemMap", 0, CHUNK, 0, handles[0], 0)
    call(INVALID_VALUE, "cuMemMap", pool + 2 * CHUNK, CHUNK, 0, handles[0], 1)
    allow(pool, 2 * CHUNK)
    ok("cuMemcpyHtoD_v2", pool, source, 2 * CHUNK)
    assert content(pool + CHUNK - 5, 10) == source.raw[CHUNK - 5 : CHUNK + 5], "a copy runs over the seam"
    call(INVALID_VALUE, "cuMemcpyHtoD_v2", pool, source, 2 * CHUNK + 1)
    ok("cuMemMap", pool + 2 * CHUNK, CHUNK, 0, handles[0], 0)
    allow(pool + 2 * CHUNK, CHUNK)
    assert content(pool + 2 * CHUNK, 9) == source.raw[:9], "the same memory at a second address"
    for handle in handles:
        ok("cuMemRelease", handle)
        call(INVALID_VALUE, "cuMemRelease", handle)
    ok("cuMemsetD8_v2", pool, 3, 4)  # a mapping keeps released memory alive
    call(INVALID_VALUE, "cuMemAddressFree", pool, 3 * CHUNK)  # it is mapped
    call(INVALID_VALUE, "cuMemUnmap", pool, CHUNK - 1)
    call(INVALID_VALUE, "cuMemFree_v2", pool)
    ok("cuMemUnmap", pool, 3 * CHUNK)
    call(INVALID_VALUE, "cuMemUnmap", pool, CHUNK)
    call(INVALID_VALUE, "cuMemcpyHtoD_v2", pool, source, 8)
    ok("cuMemAddressFree", pool, 3 * CHUNK)


def access():
    pool = reserve(CHUNK)
    handle = create()
    ok("cuMemMap", pool, CHUNK, 0, handle, 0)
    allow(pool, CHUNK, device=0, flags=3)
    ok("cuMemsetD8_v2", pool, 0, 8)
    allow(pool, CHUNK, device=0, flags=1)
    content(pool, 8)
    call(INVALID_VALUE, "cuMemsetD8_v2", pool, 0, 8)  # to read only
    place = Properties(location_type=1)
    location = byref(place, Properties.location_type.offset)
    assert number("cuMemGetAccess", location, pool) == 1
    call(INVALID_VALUE, "cuMemGetAccess", byref(c_ulonglong()), location, 8)
    call(INVALID_VALUE, "cuMemGetAccess", NULL, location, pool)
    allow(pool, CHUNK, device=0, flags=0)
    call(INVALID_VALUE, "cuMemcpyDtoH_v2", fill(8), pool, 8)
    other = number("cuDevicePrimaryCtxRetain", 1, kind=c_void_p)
    allow(pool, CHUNK, device=1)
    ok("cuCtxPushCurrent_v2", other)
    ok("cuMemsetD8_v2", pool, 5, 8)
    ok("cuCtxPopCurrent_v2", NULL)
    ok("cuDevicePrimaryCtxRelease_v2", 1)
    for description in (Access(1, 2, 3), Access(2, 0, 3), Access(1, 0, 2)):
        call(INVALID_VALUE, "cuMemSetAccess", pool, CHUNK, byref(description), 1)
    call(INVALID_VALUE, "cuMemSetAccess", pool, 2 * CHUNK, byref(Access(1, 0, 3)), 1)
    call(INVALID_VALUE, "cuMemSetAccess", pool, CHUNK, NULL, 1)
    ok("cuMemUnmap", pool, CHUNK)
    ok("cuMemAddressFree", pool, CHUNK)
    ok("cuMemRelease", handle)


def physical_memory():
    before = free_bytes()
    handle = create(2 * CHUNK)
    assert before - free_bytes() == 2 * CHUNK
    ok("cuMemRelease", handle)
    assert free_bytes() == before
    pointer = byref(c_ulonglong())
    call(OUT_OF_MEMORY, "cuMemCreate", pointer, 128 << 20, byref(wanted()), 0)
    call(INVALID_VALUE, "cuMemCreate", pointer, CHUNK + 1, byref(wanted()), 0)
    call(INVALID_VALUE, "cuMemCreate", pointer, 0, byref(wanted()), 0)
    call(INVALID_VALUE, "cuMemCreate", NULL, CHUNK, byref(wanted()), 0)
    call(INVALID_DEVICE, "cuMemCreate", pointer, CHUNK, byref(wanted(device=9)), 0)
    call(NOT_SUPPORTED, "cuMemCreate", pointer, CHUNK, byref(wanted(handle_types=2)), 0)


def properties():
    pool, handle = reserve(CHUNK), create(device=1, handle_types=FABRIC)
    ok("cuMemMap", pool, CHUNK, 0, handle, 0)
    found = Properties()
    ok("cuMemGetAllocationPropertiesFromHandle", byref(found), handle)
    assert (found.type, found.handle_types, found.location_type, found.location) == (1, FABRIC, 1, 1)
    call(INVALID_VALUE, "cuMemGetAllocationPropertiesFromHandle", byref(found), 77)
    again = number("cuMemRetainAllocationHandle", pool + 5)
    assert again == handle
    call(INVALID_VALUE, "cuMemRetainAllocationHandle", byref(c_ulonglong()), 8)
    for which, expected in ((2, 2), (9, 1), (10, 0), (14, FABRIC)):
        value = c_ulonglong()
        ok("cuPointerGetAttribute", byref(value), which, pool)
        assert value.value & 0xFFFFFFFF == expected, which
    call(INVALID_VALUE, "cuIpcGetMemHandle", byref(Handle()), pool)  # not by the old kind of handle
    ok("cuMemRelease", handle)
    ok("cuMemRelease", handle)
    ok("cuMemUnmap", pool, CHUNK)
    ok("cuMemAddressFree", pool, CHUNK)


def export_and_import():
    import os

    before = free_bytes()
    handle = create(handle_types=FILE_DESCRIPTOR | FABRIC)
    pools = [reserve(CHUNK) for _ in range(3)]
    file = number("cuMemExportToShareableHandle", handle, FILE_DESCRIPTOR, 0, kind=c_int)
    fabric = ctypes.create_string_buffer(64)
    ok("cuMemExportToShareableHandle", fabric, handle, FABRIC, 0)
    imported = [
        handle,
        number("cuMemImportFromShareableHandle", file, FILE_DESCRIPTOR),
        number("cuMemImportFromShareableHandle", fabric, FABRIC),
    ]
    os.close(file)
    for pool, one in zip(pools, imported, strict=True):
        ok("cuMemMap", pool, CHUNK, 0, one, 0)
        ok("cuMemRelease", one)
        allow(pool, CHUNK)
    ok("cuMemsetD8_v2", pools[0], 8, CHUNK)
    assert content(pools[1], CHUNK) == content(pools[2], CHUNK) == b"\10" * CHUNK
    for pool in pools:
        ok("cuMemUnmap", pool, CHUNK)
        ok("cuMemAddressFree", pool, CHUNK)
    call(INVALID_HANDLE, "cuMemImportFromShareableHandle", byref(c_ulonglong()), fabric, FABRIC)  # its owner let it go
    assert free_bytes() == before
    private = create()
    call(INVALID_VALUE, "cuMemExportToShareableHandle", fabric, private, FABRIC, 0)
    call(INVALID_HANDLE, "cuMemExportToShareableHandle", fabric, 77, FABRIC, 0)
    for wrong in (0, 1, 9999, -1):
        call(INVALID_HANDLE, "cuMemImportFromShareableHandle", byref(c_ulonglong()), wrong, FILE_DESCRIPTOR)
    call(NOT_SUPPORTED, "cuMemImportFromShareableHandle", byref(c_ulonglong()), 5, 2)
    ok("cuMemRelease", private)


GROUPS = [granularity, reservations, mapping, access, physical_memory, properties, export_and_import]
