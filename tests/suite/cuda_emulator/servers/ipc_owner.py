"""Owns device memory: prints its handle as hexadecimal digits, then does what each line of standard input says."""

import sys
from ctypes import byref, c_void_p

from driver_calls.harness import Handle, content, fill, number, ok

NBYTES = 3 * 4096 + 100


def main():
    ok("cuInit", 0)
    ok("cuCtxSetCurrent", number("cuDevicePrimaryCtxRetain", 1, kind=c_void_p))
    address = number("cuMemAlloc_v2", NBYTES)
    ok("cuMemcpyHtoD_v2", address, fill(NBYTES, 1), NBYTES)
    handle = Handle()
    ok("cuIpcGetMemHandle", byref(handle), address)
    print(bytes(handle.bytes).hex(), flush=True)
    for line in sys.stdin:
        if line.strip() == "free":
            ok("cuMemFree_v2", address)
            print("True", flush=True)
        else:
            expected = fill(NBYTES, {"unchanged": 1, "changed": 2}[line.strip()])
            print(content(address, NBYTES) == expected.raw, flush=True)


main()
