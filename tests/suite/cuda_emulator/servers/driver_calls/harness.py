"""Calls to the emulated driver through ctypes: every call names the code it must answer, and is counted by name."""

import ctypes
from ctypes import byref, c_int, c_ulonglong, c_void_p

SUCCESS, INVALID_VALUE, OUT_OF_MEMORY, NOT_INITIALIZED = 0, 1, 2, 3
INVALID_DEVICE, INVALID_CONTEXT, INVALID_HANDLE, NOT_FOUND = 101, 201, 400, 500
PEER_UNSUPPORTED, PEER_ALREADY, PEER_NOT_ENABLED, DESTROYED = 217, 704, 705, 709
ALREADY_REGISTERED, NOT_REGISTERED, NOT_SUPPORTED = 712, 713, 801

PAGE = 4096
NULL = c_void_p(0)
DEVICE_IPC_FLAG = 1

driver = ctypes.CDLL("libcuda.so.1")
answers: dict[str, set[int]] = {}


class Properties(ctypes.Structure):
    """CUmemAllocationProp."""

    _fields_ = (
        ("type", c_int),
        ("handle_types", c_int),
        ("location_type", c_int),
        ("location", c_int),
        ("windows", c_void_p),
        ("flags", ctypes.c_ubyte * 8),
    )


class Access(ctypes.Structure):
    """CUmemAccessDesc."""

    _fields_ = (("location_type", c_int), ("location", c_int), ("flags", c_int))


class Handle(ctypes.Structure):
    """CUipcMemHandle: passed by value."""

    _fields_ = (("bytes", ctypes.c_ubyte * 64),)


def call(code, name, *arguments):
    """Call `name` and insist on the answer `code`. Whole numbers go as 64 bits, as pointers and sizes need."""
    passed = [c_ulonglong(value & (1 << 64) - 1) if isinstance(value, int) else value for value in arguments]
    answer = getattr(driver, name)(*passed)
    answers.setdefault(name, set()).add(answer)
    assert answer == code, f"{name}{arguments} answered {answer}, not {code}"


def ok(name, *arguments):
    call(SUCCESS, name, *arguments)


def number(name, *arguments, kind=c_ulonglong):
    """Return what a call writes through its first argument."""
    value = kind()
    ok(name, byref(value), *arguments)
    return value.value


def text(name, *arguments):
    buffer = ctypes.create_string_buffer(64)
    ok(name, buffer, 64, *arguments)
    return buffer.value.decode()


def fill(nbytes, seed=1):
    return ctypes.create_string_buffer(bytes((i * 7 + seed) % 251 for i in range(nbytes)), nbytes)


def content(address, nbytes):
    buffer = ctypes.create_string_buffer(nbytes)
    ok("cuMemcpyDtoH_v2", buffer, address, nbytes)
    return buffer.raw


def without_context(check):
    """Run `check` in a thread that never had a context; assertions come back."""
    import threading

    problems = []

    def run():
        try:
            check()
        except AssertionError as problem:
            problems.append(problem)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if problems:
        raise problems[0]
