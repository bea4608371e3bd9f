"""Opens the handles on the command line, `CODE:HEX...`: each must answer CODE, or, as `touch:HEX`, be read by the CPU.

Prints one JSON object about the last one of code 0, which it reads and writes.
"""

import ctypes
import json
import sys
from ctypes import byref, c_ulonglong, c_void_p

from driver_calls.harness import Handle, call, content, fill, number, ok

NBYTES = 3 * 4096 + 100


def handle_from(digits):
    handle = Handle()
    data = bytes.fromhex(digits)
    handle.bytes[: len(data)] = data
    return handle


def use(handle):
    first, second = (number("cuIpcOpenMemHandle_v2", handle, 1) for _ in range(2))
    assert first == second, "one handle, one pointer"
    found = content(first, NBYTES) == fill(NBYTES, 1).raw
    device = c_ulonglong()
    ok("cuPointerGetAttribute", byref(device), 9, first)
    call(1, "cuMemFree_v2", first)
    call(1, "cuMemcpyHtoD_v2", first, fill(NBYTES + 1, 2), NBYTES + 1)
    ok("cuMemcpyHtoD_v2", first, fill(NBYTES, 2), NBYTES)
    ok("cuIpcCloseMemHandle", first)
    content(first, 8)
    ok("cuIpcCloseMemHandle", first)
    call(1, "cuIpcCloseMemHandle", first)
    call(1, "cuMemcpyHtoD_v2", first, fill(8), 8)
    return {"found": found, "device": device.value & 0xFFFFFFFF}


def main():
    ok("cuInit", 0)
    ok("cuCtxSetCurrent", number("cuDevicePrimaryCtxRetain", 0, kind=c_void_p))
    answer = None
    for argument in sys.argv[1:]:
        code, _, digits = argument.partition(":")
        if code == "touch":
            ctypes.string_at(number("cuIpcOpenMemHandle_v2", handle_from(digits), 1), 1)
        elif code == "0":
            answer = use(handle_from(digits))
        else:
            call(int(code), "cuIpcOpenMemHandle_v2", byref(c_ulonglong()), handle_from(digits), 1)
    print(json.dumps(answer))


main()
