"""Contexts: primary and others, the stack of a thread, peers."""

from ctypes import byref, c_int, c_size_t, c_uint, c_ulonglong, c_void_p

from harness import (
    DESTROYED,
    INVALID_CONTEXT,
    INVALID_DEVICE,
    INVALID_VALUE,
    NULL,
    PEER_ALREADY,
    PEER_NOT_ENABLED,
    PEER_UNSUPPORTED,
    Handle,
    call,
    number,
    ok,
    without_context,
)


def none_yet():
    assert number("cuCtxGetCurrent", kind=c_void_p) is None
    for name, arguments in {
        "cuCtxGetDevice": (byref(c_int()),),
        "cuCtxGetFlags": (byref(c_uint()),),
        "cuCtxSetFlags": (0,),
        "cuCtxGetId": (NULL, byref(c_ulonglong())),
        "cuCtxGetApiVersion": (NULL, byref(c_uint())),
        "cuCtxSynchronize": (),
        "cuCtxGetStreamPriorityRange": (byref(c_int()), byref(c_int())),
        "cuCtxPopCurrent_v2": (byref(c_void_p()),),
        "cuCtxEnablePeerAccess": (NULL, 0),
        "cuCtxDisablePeerAccess": (NULL,),
        "cuMemAlloc_v2": (byref(c_ulonglong()), 8),
        "cuMemAllocManaged": (byref(c_ulonglong()), 8, 1),
        "cuMemFree_v2": (8,),
        "cuMemGetInfo_v2": (byref(c_size_t()), byref(c_size_t())),
        "cuMemGetAddressRange_v2": (NULL, NULL, 8),
        "cuMemHostAlloc": (byref(c_void_p()), 8, 0),
        "cuMemAllocHost_v2": (byref(c_void_p()), 8),
        "cuMemFreeHost": (8,),
        "cuMemHostRegister_v2": (8, 8, 0),
        "cuMemHostUnregister": (8,),
        "cuMemHostGetDevicePointer_v2": (byref(c_ulonglong()), 8, 0),
        "cuMemHostGetFlags": (byref(c_uint()), 8),
        "cuMemcpyHtoD_v2": (8, 8, 8),
        "cuMemsetD8_v2": (8, 0, 8),
        "cuStreamCreate": (byref(c_void_p()), 0),
        "cuStreamSynchronize": (NULL,),
        "cuEventCreate": (byref(c_void_p()), 0),
        "cuIpcGetMemHandle": (byref(Handle()), 8),
        "cuIpcOpenMemHandle_v2": (byref(c_ulonglong()), Handle(), 1),
        "cuIpcCloseMemHandle": (8,),
        "cuDevicePrimaryCtxRelease_v2": (0,),
    }.items():
        call(INVALID_CONTEXT, name, *arguments)


def state(device):
    flags, active = c_uint(), c_int()
    ok("cuDevicePrimaryCtxGetState", device, byref(flags), byref(active))
    return flags.value, active.value


def primary():
    assert state(0) == (0, 0)
    ok("cuDevicePrimaryCtxSetFlags_v2", 0, 4)
    call(INVALID_VALUE, "cuDevicePrimaryCtxSetFlags_v2", 0, 1 << 20)
    first, second = (number("cuDevicePrimaryCtxRetain", 0, kind=c_void_p) for _ in range(2))
    assert first == second
    assert state(0) == (4, 1)
    ok("cuCtxSetCurrent", first)
    address = number("cuMemAlloc_v2", 100)
    ok("cuDevicePrimaryCtxRelease_v2", 0)
    assert state(0)[1] == 1, "retained twice, released once"
    ok("cuMemsetD8_v2", address, 1, 100)
    ok("cuDevicePrimaryCtxRelease_v2", 0)
    assert state(0)[1] == 0
    call(DESTROYED, "cuMemAlloc_v2", byref(c_ulonglong()), 8)
    call(INVALID_CONTEXT, "cuDevicePrimaryCtxRelease_v2", 0)
    assert number("cuDevicePrimaryCtxRetain", 0, kind=c_void_p) == first, "current again in every thread that had it"
    call(INVALID_VALUE, "cuMemFree_v2", address)  # the context took its memory with it
    ok("cuDevicePrimaryCtxReset_v2", 0)
    assert state(0) == (0, 0)
    ok("cuCtxSetCurrent", NULL)
    for name in ("cuDevicePrimaryCtxReset_v2", "cuDevicePrimaryCtxRelease_v2"):
        call(INVALID_DEVICE, name, 2)
    call(INVALID_DEVICE, "cuDevicePrimaryCtxRetain", byref(c_void_p()), 2)
    call(INVALID_VALUE, "cuDevicePrimaryCtxRetain", NULL, 0)
    call(INVALID_VALUE, "cuDevicePrimaryCtxGetState", 0, NULL, byref(c_int()))


def stack():
    contexts = [number("cuCtxCreate_v2", 0, device, kind=c_void_p) for device in (0, 1)]
    assert number("cuCtxGetCurrent", kind=c_void_p) == contexts[1], "a new context is current"
    assert number("cuCtxGetDevice", kind=c_int) == 1
    ok("cuCtxPushCurrent_v2", contexts[0])
    assert number("cuCtxGetDevice", kind=c_int) == 0
    assert number("cuCtxPopCurrent_v2", kind=c_void_p) == contexts[0]
    ok("cuCtxSetCurrent", contexts[0])
    assert number("cuCtxGetCurrent", kind=c_void_p) == contexts[0]
    without_context(lambda: call(INVALID_CONTEXT, "cuCtxGetDevice", byref(c_int())))
    ok("cuCtxDestroy_v2", contexts[1])
    call(DESTROYED, "cuCtxPushCurrent_v2", contexts[1])
    call(DESTROYED, "cuCtxDestroy_v2", contexts[1])
    ok("cuCtxDestroy_v2", contexts[0])
    for nonsense in (5, id(contexts), (1 << 64) - 1):
        call(INVALID_CONTEXT, "cuCtxSetCurrent", nonsense)
        call(INVALID_CONTEXT, "cuCtxDestroy_v2", nonsense)
        call(INVALID_CONTEXT, "cuCtxPushCurrent_v2", nonsense)
    call(INVALID_VALUE, "cuCtxGetCurrent", NULL)
    call(INVALID_VALUE, "cuCtxCreate_v2", NULL, 0, 0)
    call(INVALID_DEVICE, "cuCtxCreate_v2", byref(c_void_p()), 0, 2)
    while number("cuCtxGetCurrent", kind=c_void_p):
        ok("cuCtxPopCurrent_v2", NULL)
    call(INVALID_CONTEXT, "cuCtxDestroy_v2", number("cuDevicePrimaryCtxRetain", 0, kind=c_void_p))


def properties():
    current = number("cuCtxCreate_v2", 8, 1, kind=c_void_p)
    other = number("cuDevicePrimaryCtxRetain", 0, kind=c_void_p)
    ids = set()
    for context in (NULL, current, other):
        value = c_ulonglong()
        ok("cuCtxGetId", context, byref(value))
        ids.add(value.value)
    assert len(ids) == 2
    call(INVALID_VALUE, "cuCtxGetId", current, NULL)
    version = c_uint()
    ok("cuCtxGetApiVersion", current, byref(version))
    assert version.value > 0
    assert number("cuCtxGetFlags", kind=c_uint) == 8
    ok("cuCtxSetFlags", 0x80)
    assert number("cuCtxGetFlags", kind=c_uint) == 0x80
    call(INVALID_VALUE, "cuCtxSetFlags", 1 << 12)
    call(INVALID_VALUE, "cuCtxGetFlags", NULL)
    call(INVALID_VALUE, "cuCtxGetDevice", NULL)
    ok("cuCtxSynchronize")
    least, greatest = c_int(9), c_int(9)
    ok("cuCtxGetStreamPriorityRange", byref(least), byref(greatest))
    assert (least.value, greatest.value) == (0, 0)
    ok("cuCtxDestroy_v2", current)


def peers():
    own = number("cuCtxCreate_v2", 0, 0, kind=c_void_p)
    same_device = number("cuDevicePrimaryCtxRetain", 0, kind=c_void_p)
    peer = number("cuDevicePrimaryCtxRetain", 1, kind=c_void_p)
    call(PEER_NOT_ENABLED, "cuCtxDisablePeerAccess", peer)
    ok("cuCtxEnablePeerAccess", peer, 0)
    call(PEER_ALREADY, "cuCtxEnablePeerAccess", peer, 0)
    ok("cuCtxDisablePeerAccess", peer)
    call(INVALID_VALUE, "cuCtxEnablePeerAccess", peer, 1)
    call(PEER_UNSUPPORTED, "cuCtxEnablePeerAccess", same_device, 0)
    call(INVALID_CONTEXT, "cuCtxEnablePeerAccess", own, 0)
    call(INVALID_CONTEXT, "cuCtxEnablePeerAccess", 5, 0)
    ok("cuCtxDestroy_v2", own)


GROUPS = [none_yet, primary, stack, properties, peers]
