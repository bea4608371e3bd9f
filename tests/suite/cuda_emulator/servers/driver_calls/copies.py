"""Copies, fills and what a pointer is."""

import ctypes
from ctypes import byref, c_int, c_uint, c_ulonglong, c_void_p

from harness import (
    INVALID_CONTEXT,
    INVALID_HANDLE,
    INVALID_VALUE,
    NULL,
    PAGE,
    call,
    content,
    fill,
    number,
    ok,
    without_context,
)

NBYTES = 3 * PAGE


def copies():
    source = fill(NBYTES)
    stream = number("cuStreamCreate", 0, kind=c_void_p)
    for suffix, extra in (("", ()), ("Async", (stream,)), ("Async", (NULL,)), ("Async", (1,)), ("Async", (2,))):
        first, second = (number("cuMemAlloc_v2", NBYTES) for _ in range(2))
        ok(f"cuMemcpyHtoD{suffix}_v2", first, source, NBYTES, *extra)
        ok(f"cuMemcpyDtoD{suffix}_v2", second, first, NBYTES, *extra)
        back = ctypes.create_string_buffer(NBYTES)
        ok(f"cuMemcpyDtoH{suffix}_v2", back, second, NBYTES, *extra)
        assert back.raw == source.raw
        ok("cuMemsetD8_v2", second, 0, NBYTES)
        ok(f"cuMemcpy{suffix}", second, ctypes.addressof(source), NBYTES, *extra)
        assert content(second, NBYTES) == source.raw
        ok(f"cuMemcpy{suffix}", ctypes.addressof(back) + 1, second + 1, 5, *extra)
        ok("cuMemFree_v2", first)
        ok("cuMemFree_v2", second)
    ok("cuStreamDestroy_v2", stream)


def copies_between_devices():
    source = fill(NBYTES, 2)
    contexts = [number("cuDevicePrimaryCtxRetain", device, kind=c_void_p) for device in (0, 1)]
    addresses = []
    for context in contexts:
        ok("cuCtxPushCurrent_v2", context)
        addresses.append(number("cuMemAlloc_v2", NBYTES))
        ok("cuCtxPopCurrent_v2", NULL)
    ok("cuMemcpyHtoD_v2", addresses[0], source, NBYTES)
    for name, extra in (("cuMemcpyPeer", ()), ("cuMemcpyPeerAsync", (NULL,))):
        ok("cuMemsetD8_v2", addresses[1], 0, NBYTES)
        ok(name, addresses[1], contexts[1], addresses[0], contexts[0], NBYTES, *extra)
        assert content(addresses[1], NBYTES) == source.raw
        call(INVALID_CONTEXT, name, addresses[1], 5, addresses[0], contexts[0], NBYTES, *extra)
        call(INVALID_VALUE, name, addresses[1], contexts[1], addresses[0], contexts[0], NBYTES + 1, *extra)
    for address in addresses:
        ok("cuMemFree_v2", address)
    for device in (0, 1):
        ok("cuDevicePrimaryCtxRelease_v2", device)


def refused_copies():
    address = number("cuMemAlloc_v2", 100)
    neighbours = [number("cuMemAlloc_v2", PAGE) for _ in range(4)]
    host = fill(8 * PAGE)
    place = ctypes.addressof(host)
    ok("cuMemsetD8_v2", address, 9, 100)
    for name in ("cuMemcpyHtoD", "cuMemcpyDtoH", "cuMemcpyDtoD", "cuMemcpy"):
        version = "" if name == "cuMemcpy" else "_v2"
        extras = {f"{name}{version}": (), f"{name}Async{version}": (NULL,)}
        for call_name, extra in extras.items():
            to, source = (place, address) if name == "cuMemcpyDtoH" else (address, place)
            if name == "cuMemcpyDtoD":
                source = neighbours[0]
            call(INVALID_VALUE, call_name, to, source, 101, *extra)  # one byte over the end
            call(INVALID_VALUE, call_name, 0, source, 8, *extra)
            call(INVALID_VALUE, call_name, to, source, (1 << 64) - 1, *extra)
            ok(call_name, to, source, 0, *extra)
            if extra:
                call(INVALID_HANDLE, call_name, to, source, 8, 77)
    call(INVALID_VALUE, "cuMemcpyHtoD_v2", place, place, 8)  # host memory is no device memory
    call(INVALID_VALUE, "cuMemcpyHtoD_v2", address, neighbours[0], 8)  # nor the other way round
    call(INVALID_VALUE, "cuMemcpyDtoH_v2", neighbours[0], address, 8)
    for neighbour in neighbours:
        call(INVALID_VALUE, "cuMemcpyHtoD_v2", neighbour, host, 2 * PAGE)  # though another allocation may follow
    assert content(address, 100) == b"\t" * 100, "what was refused has written nothing"
    for pointer in (address, *neighbours):
        ok("cuMemFree_v2", pointer)
    call(INVALID_VALUE, "cuMemcpyHtoD_v2", address, host, 8)


def fills():
    address = number("cuMemAlloc_v2", NBYTES)
    for bits, value in ((8, 0xA5), (16, 0xBEEF), (32, 0xDEADBEEF)):
        width = bits // 8
        for name, extra in ((f"cuMemsetD{bits}_v2", ()), (f"cuMemsetD{bits}Async", (NULL,))):
            ok("cuMemsetD8_v2", address, 0, NBYTES)
            ok(name, address + width, value, 5, *extra)
            expected = bytes(width) + value.to_bytes(width, "little") * 5 + bytes(width)
            assert content(address, 7 * width) == expected
            call(INVALID_VALUE, name, address, value, NBYTES // width + 1, *extra)
            call(INVALID_VALUE, name, address, value, 1 << 63, *extra)
            call(INVALID_VALUE, name, ctypes.addressof(fill(8)), value, 1, *extra)
            if width > 1:
                call(INVALID_VALUE, name, address + 1, value, 1, *extra)
            if extra:
                call(INVALID_HANDLE, name, address, value, 1, 77)
    ok("cuMemFree_v2", address)


def pointers():
    address = number("cuMemAlloc_v2", 100)
    pinned = number("cuMemHostAlloc", 64, 0, kind=c_void_p)
    managed = number("cuMemAllocManaged", 64, 1)
    current = number("cuCtxGetCurrent", kind=c_void_p)

    def ask(which, pointer, kind=c_ulonglong):
        value = kind()
        ok("cuPointerGetAttribute", byref(value), which, pointer)
        return value.value

    assert [ask(2, pointer, c_uint) for pointer in (address + 99, pinned, managed)] == [2, 1, 2]
    assert [ask(8, pointer, c_uint) for pointer in (address, pinned, managed)] == [0, 0, 1]
    assert [ask(10, pointer, c_uint) for pointer in (address, pinned, managed)] == [1, 0, 0], "for cuIpcGetMemHandle"
    assert ask(1, address) == current
    assert ask(3, address + 5) == address + 5
    assert ask(4, pinned + 5) == pinned + 5
    assert ask(9, address, c_int) == 0
    assert (ask(11, address + 5), ask(12, address + 5)) == (address, 100)
    assert ask(15, address, c_uint) == 0, "no GPUDirect RDMA"
    assert len({ask(7, pointer) for pointer in (address, pinned, managed)}) == 3
    ok("cuPointerSetAttribute", byref(c_uint(1)), 6, address)
    assert ask(6, address, c_uint) == 1
    call(INVALID_VALUE, "cuPointerSetAttribute", byref(c_uint(1)), 9, address)
    call(INVALID_VALUE, "cuPointerSetAttribute", byref(c_uint(1)), 6, 8)
    own = ctypes.addressof(fill(8))
    for which, pointer in ((2, own), (2, 0), (4, address), (99, address)):
        call(INVALID_VALUE, "cuPointerGetAttribute", byref(c_ulonglong()), which, pointer)
    call(INVALID_VALUE, "cuPointerGetAttribute", NULL, 2, address)
    without_context(lambda: ask(2, address))
    several(address, own)
    ok("cuMemFree_v2", address)
    ok("cuMemFree_v2", managed)
    ok("cuMemFreeHost", pinned)
    call(INVALID_VALUE, "cuPointerGetAttribute", byref(c_ulonglong()), 2, address)


def several(address, own):
    which = (c_int * 4)(2, 4, 9, 1)
    values = [c_ulonglong((1 << 64) - 1) for _ in which]
    places = (c_void_p * 4)(*(ctypes.addressof(value) for value in values))
    ok("cuPointerGetAttributes", 4, which, places, address)
    assert values[0].value & 0xFFFFFFFF == 2
    assert values[1].value == 0, "no host pointer, and yet no error"
    ok("cuPointerGetAttributes", 4, which, places, own)
    assert values[0].value & 0xFFFFFFFF == 0, "memory that CUDA does not know has no type"
    assert ctypes.c_int(values[2].value & 0xFFFFFFFF).value == -2
    call(INVALID_VALUE, "cuPointerGetAttributes", 0, which, places, address)
    call(INVALID_VALUE, "cuPointerGetAttributes", 4, NULL, places, address)


def threads():
    """Allocations, copies and frees of several threads, each with bytes of its own."""
    import threading

    current = number("cuCtxGetCurrent", kind=c_void_p)
    problems = []

    def work(seed):
        try:
            ok("cuCtxSetCurrent", current)
            source = fill(NBYTES, seed)
            for _ in range(200):
                address = number("cuMemAlloc_v2", NBYTES)
                ok("cuMemcpyHtoD_v2", address, source, NBYTES)
                stream = number("cuStreamCreate", 0, kind=c_void_p)
                assert content(address, NBYTES) == source.raw
                ok("cuStreamDestroy_v2", stream)
                ok("cuMemFree_v2", address)
        except AssertionError as problem:
            problems.append(problem)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not problems, problems[0]


GROUPS = [copies, copies_between_devices, refused_copies, fills, pointers, threads]
