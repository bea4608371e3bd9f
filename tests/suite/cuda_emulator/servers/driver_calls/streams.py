"""Streams, events and callbacks."""

import ctypes
from ctypes import byref, c_int, c_size_t, c_uint, c_ulonglong, c_void_p

from harness import (
    INVALID_HANDLE,
    INVALID_VALUE,
    NULL,
    call,
    number,
    ok,
)

NOTHING = (77, (1 << 64) - 1)


def streams():
    plain = number("cuStreamCreate", 0, kind=c_void_p)
    special = number("cuStreamCreateWithPriority", 1, -5, kind=c_void_p)
    current = number("cuCtxGetCurrent", kind=c_void_p)
    results = {}
    for stream in (plain, special, NULL):
        for name in ("cuStreamQuery", "cuStreamSynchronize"):
            ok(name, stream)
        priority, flags, identity, context = c_int(9), c_uint(9), c_ulonglong(), c_void_p()
        ok("cuStreamGetPriority", stream, byref(priority))
        ok("cuStreamGetFlags", stream, byref(flags))
        ok("cuStreamGetId", stream, byref(identity))
        ok("cuStreamGetCtx", stream, byref(context))
        assert priority.value == 0
        assert context.value == current
        results[identity.value] = flags.value
    assert sorted(results.values()) == [0, 0, 1]
    assert len(results) == 3
    for name in ("cuStreamGetPriority", "cuStreamGetFlags", "cuStreamGetId", "cuStreamGetCtx"):
        call(INVALID_VALUE, name, plain, NULL)
        call(INVALID_HANDLE, name, 77, byref(c_ulonglong()))
    for stream in (plain, special):
        ok("cuStreamDestroy_v2", stream)
    for stream in (plain, special, *NOTHING):
        for name in ("cuStreamQuery", "cuStreamSynchronize", "cuStreamDestroy_v2"):
            call(INVALID_HANDLE, name, stream)
    for name, extra in (("cuStreamCreate", ()), ("cuStreamCreateWithPriority", (0,))):
        call(INVALID_VALUE, name, NULL, 0, *extra)
        call(INVALID_VALUE, name, byref(c_void_p()), 2, *extra)


def callbacks():
    seen = []
    on_stream = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_void_p)
    on_host = ctypes.CFUNCTYPE(None, c_void_p)

    @on_stream
    def streamed(stream, status, data):
        seen.append((stream, status, data))
        number("cuMemGetInfo_v2", byref(c_size_t()))  # no lock is held

    @on_host
    def hosted(data):
        seen.append(data)

    ok("cuStreamAddCallback", NULL, streamed, 5, 0)
    ok("cuLaunchHostFunc", NULL, hosted, 6)
    assert seen == [(None, 0, 5), 6]
    call(INVALID_VALUE, "cuStreamAddCallback", NULL, NULL, 5, 0)
    call(INVALID_VALUE, "cuStreamAddCallback", NULL, streamed, 5, 1)
    call(INVALID_HANDLE, "cuStreamAddCallback", 77, streamed, 5, 0)
    call(INVALID_VALUE, "cuLaunchHostFunc", NULL, NULL, 5)
    call(INVALID_HANDLE, "cuLaunchHostFunc", 77, hosted, 5)
    assert len(seen) == 2


def events():
    first, second = (number("cuEventCreate", 0, kind=c_void_p) for _ in range(2))
    untimed = number("cuEventCreate", 2, kind=c_void_p)
    elapsed = ctypes.c_float(-1)
    ok("cuEventQuery", first)
    call(INVALID_HANDLE, "cuEventElapsedTime_v2", byref(elapsed), first, second)  # not recorded yet
    ok("cuEventRecord", first, NULL)
    ok("cuEventRecordWithFlags", second, NULL, 0)
    ok("cuEventRecord", untimed, NULL)
    ok("cuEventSynchronize", second)
    ok("cuStreamWaitEvent", NULL, first, 0)
    ok("cuEventElapsedTime_v2", byref(elapsed), first, second)
    assert elapsed.value >= 0
    call(INVALID_HANDLE, "cuEventElapsedTime_v2", byref(elapsed), first, untimed)
    call(INVALID_VALUE, "cuEventElapsedTime_v2", NULL, first, second)
    call(INVALID_VALUE, "cuEventRecordWithFlags", first, NULL, 8)
    call(INVALID_VALUE, "cuStreamWaitEvent", NULL, first, 8)
    call(INVALID_HANDLE, "cuEventRecord", first, 77)
    for event in (first, second, untimed):
        ok("cuEventDestroy_v2", event)
    for event in (first, *NOTHING, 0):
        for name in ("cuEventDestroy_v2", "cuEventQuery", "cuEventSynchronize"):
            call(INVALID_HANDLE, name, event)
        for name in ("cuEventRecord", "cuEventRecordWithFlags"):
            call(INVALID_HANDLE, name, event, NULL, 0)
        call(INVALID_HANDLE, "cuStreamWaitEvent", NULL, event, 0)
    for flags in (64, 4):
        call(INVALID_VALUE, "cuEventCreate", byref(c_void_p()), flags)
    call(INVALID_VALUE, "cuEventCreate", NULL, 0)


def a_handle_is_valid_once():
    seen = set()
    for _ in range(1000):
        stream = number("cuStreamCreate", 0, kind=c_void_p)
        assert stream not in seen
        seen.add(stream)
        ok("cuStreamDestroy_v2", stream)


def a_context_takes_its_streams():
    context = number("cuCtxCreate_v2", 0, 0, kind=c_void_p)
    stream = number("cuStreamCreate", 0, kind=c_void_p)
    event = number("cuEventCreate", 0, kind=c_void_p)
    ok("cuCtxDestroy_v2", context)
    call(INVALID_HANDLE, "cuStreamQuery", stream)
    call(INVALID_HANDLE, "cuEventQuery", event)


GROUPS = [streams, callbacks, events, a_handle_is_valid_once, a_context_takes_its_streams]
