"""Devices, names of errors and functions: before cuInit, and after it."""

import ctypes
from ctypes import byref, c_char_p, c_int, c_size_t, c_ulonglong, c_void_p

from harness import (
    INVALID_DEVICE,
    INVALID_VALUE,
    NOT_FOUND,
    NOT_INITIALIZED,
    NOT_SUPPORTED,
    NULL,
    call,
    driver,
    number,
    ok,
    text,
)


def before_cu_init():
    number("cuDriverGetVersion", kind=c_int)
    for name, arguments in {
        "cuDeviceGetCount": (byref(c_int()),),
        "cuDeviceGet": (byref(c_int()), 0),
        "cuDevicePrimaryCtxRetain": (byref(c_void_p()), 0),
        "cuCtxGetCurrent": (byref(c_void_p()),),
        "cuCtxSetCurrent": (NULL,),
        "cuMemAlloc_v2": (byref(c_ulonglong()), 1),
        "cuMemcpy": (1, 1, 1),
        "cuPointerGetAttribute": (byref(c_int()), 2, 1),
        "cuStreamDestroy_v2": (5,),
        "cuEventQuery": (5,),
        "cuMemAddressReserve": (byref(c_ulonglong()), 1 << 21, 0, 0, 0),
        "cuMemRelease": (5,),
    }.items():
        call(NOT_INITIALIZED, name, *arguments)
    call(INVALID_VALUE, "cuInit", 1)
    ok("cuInit", 0)
    ok("cuInit", 0)


def versions():
    assert number("cuDriverGetVersion", kind=c_int) == 12090
    call(INVALID_VALUE, "cuDriverGetVersion", NULL)


def count_and_ordinals():
    assert number("cuDeviceGetCount", kind=c_int) == 2
    call(INVALID_VALUE, "cuDeviceGetCount", NULL)
    assert [number("cuDeviceGet", i, kind=c_int) for i in range(2)] == [0, 1]
    for ordinal in (2, -1, 16):
        call(INVALID_DEVICE, "cuDeviceGet", byref(c_int()), ordinal)
    call(INVALID_VALUE, "cuDeviceGet", NULL, 0)


def identity():
    assert text("cuDeviceGetName", 0) == "Emulated GPU (host memory)"
    short = ctypes.create_string_buffer(b"........", 8)
    ok("cuDeviceGetName", short, 4, 0)
    assert short.raw == b"Emu\0....", "no more than asked for"
    call(INVALID_VALUE, "cuDeviceGetName", NULL, 10, 0)
    call(INVALID_VALUE, "cuDeviceGetName", short, 0, 0)
    call(INVALID_DEVICE, "cuDeviceGetName", short, 8, 2)
    uuids = set()
    for device in range(2):
        uuid = ctypes.create_string_buffer(16)
        ok("cuDeviceGetUuid_v2", uuid, device)
        uuids.add(uuid.raw)
    assert len(uuids) == 2
    call(INVALID_DEVICE, "cuDeviceGetUuid_v2", uuid, 2)
    call(INVALID_VALUE, "cuDeviceGetUuid_v2", NULL, 0)


def pci_bus():
    ids = [text("cuDeviceGetPCIBusId", device) for device in range(2)]
    assert len(set(ids)) == 2
    assert [number("cuDeviceGetByPCIBusId", c_char_p(name.encode()), kind=c_int) for name in ids] == [0, 1]
    call(INVALID_DEVICE, "cuDeviceGetByPCIBusId", byref(c_int()), c_char_p(b"0000:01:00.0"))
    call(INVALID_VALUE, "cuDeviceGetByPCIBusId", byref(c_int()), c_char_p(b"no bus"))
    call(INVALID_VALUE, "cuDeviceGetPCIBusId", NULL, 20, 0)
    call(INVALID_DEVICE, "cuDeviceGetPCIBusId", ctypes.create_string_buffer(20), 20, 7)
    parts = [[number("cuDeviceGetAttribute", which, device, kind=c_int) for which in (50, 33, 34)] for device in (0, 1)]
    assert ids == [f"{domain:04x}:{bus:02x}:{slot:02x}.0" for domain, bus, slot in parts]


def attributes():
    expected = {41: 1, 75: 9, 76: 0, 102: 1, 103: 1, 116: 0, 124: 0, 18: 0, 115: 0}
    assert {which: number("cuDeviceGetAttribute", which, 1, kind=c_int) for which in expected} == expected
    call(INVALID_VALUE, "cuDeviceGetAttribute", byref(c_int()), 0, 0)
    call(INVALID_VALUE, "cuDeviceGetAttribute", byref(c_int()), 9999, 0)
    call(INVALID_VALUE, "cuDeviceGetAttribute", NULL, 41, 0)
    call(INVALID_DEVICE, "cuDeviceGetAttribute", byref(c_int()), 41, 2)
    major, minor = c_int(), c_int()
    ok("cuDeviceComputeCapability", byref(major), byref(minor), 0)
    assert (major.value, minor.value) == (9, 0)
    call(INVALID_VALUE, "cuDeviceComputeCapability", NULL, byref(minor), 0)
    assert number("cuDeviceTotalMem_v2", 0) == 64 << 20
    call(INVALID_VALUE, "cuDeviceTotalMem_v2", NULL, 0)
    call(INVALID_DEVICE, "cuDeviceTotalMem_v2", byref(c_size_t()), 2)


def peers():
    assert [number("cuDeviceCanAccessPeer", 0, peer, kind=c_int) for peer in (0, 1)] == [0, 1]
    call(INVALID_DEVICE, "cuDeviceCanAccessPeer", byref(c_int()), 0, 2)
    call(INVALID_VALUE, "cuDeviceCanAccessPeer", NULL, 0, 1)
    assert number("cuDeviceGetP2PAttribute", 2, 0, 1, kind=c_int) == 1
    call(INVALID_VALUE, "cuDeviceGetP2PAttribute", byref(c_int()), 9, 0, 1)
    call(INVALID_DEVICE, "cuDeviceGetP2PAttribute", byref(c_int()), 2, 0, 0)


def errors_have_names():
    name = c_char_p()
    ok("cuGetErrorName", 201, byref(name))
    assert name.value == b"CUDA_ERROR_INVALID_CONTEXT"
    ok("cuGetErrorString", 2, byref(name))
    assert name.value == b"out of memory"
    for which in ("cuGetErrorName", "cuGetErrorString"):
        call(INVALID_VALUE, which, 123456, byref(name))
        assert name.value is None
        call(INVALID_VALUE, which, 0, NULL)


def functions_by_name():
    def found(name, version=12090, flags=0):
        function, status = c_void_p(), c_int(9)
        ok("cuGetProcAddress_v2", c_char_p(name), byref(function), version, flags, byref(status))
        assert status.value == 0
        return function.value

    def exported(name):
        return ctypes.cast(getattr(driver, name), c_void_p).value

    assert found(b"cuMemAlloc") == exported("cuMemAlloc_v2"), "the documented name is the newest form"
    assert found(b"cuMemcpyHtoD", flags=2) == exported("cuMemcpyHtoD_v2_ptds")
    assert found(b"cuStreamQuery", flags=2) == exported("cuStreamQuery_ptsz")
    assert found(b"cuMemcpyHtoD") == exported("cuMemcpyHtoD_v2")
    assert found(b"cuCtxCreate", 3020) == exported("cuCtxCreate_v2")
    assert found(b"cuCtxCreate", 12090) == exported("cuCtxCreate_v4"), "other arguments, so another function"
    assert found(b"cuGetProcAddress", 11030) == exported("cuGetProcAddress")
    function, status = c_void_p(7), c_int()
    call(NOT_FOUND, "cuGetProcAddress_v2", c_char_p(b"cuNo" * 40), byref(function), 12090, 0, byref(status))
    assert (function.value, status.value) == (None, 1)
    call(INVALID_VALUE, "cuGetProcAddress_v2", NULL, byref(function), 12090, 0, NULL)
    call(INVALID_VALUE, "cuGetProcAddress_v2", c_char_p(b"cuInit"), byref(function), 12090, 64, NULL)
    ok("cuGetProcAddress", c_char_p(b"cuInit"), byref(function), 12090, 0)
    call(NOT_FOUND, "cuGetProcAddress", c_char_p(b""), byref(function), 12090, 0)


def missing_functions_are_counted():
    from suite.cuda_emulator.counters import unsupported_calls

    assert unsupported_calls() == {}
    assert [driver.cuModuleLoad(NULL, NULL) for _ in range(3)] == [NOT_SUPPORTED] * 3
    assert driver.cuMemPoolCreate(NULL, NULL) == NOT_SUPPORTED
    assert unsupported_calls() == {"cuModuleLoad": 3, "cuMemPoolCreate": 1}


GROUPS = [
    before_cu_init,
    versions,
    count_and_ordinals,
    identity,
    pci_bus,
    attributes,
    peers,
    errors_have_names,
    functions_by_name,
    missing_functions_are_counted,
]
