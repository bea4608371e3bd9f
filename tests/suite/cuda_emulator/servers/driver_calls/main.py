"""Run every group of checks on the emulated driver and print what came out as JSON: the driver is one process's."""

import json
import traceback
from ctypes import c_void_p

import contexts
import copies
import devices
import memory
import streams
import virtual_memory
from harness import answers, number, ok


def main():
    outcome = {}
    for module in (devices, contexts, memory, copies, streams, virtual_memory):
        if module is memory:  # what follows works in a current context, and leaves none of its own behind
            ok("cuCtxSetCurrent", number("cuDevicePrimaryCtxRetain", 0, kind=c_void_p))
        for group in module.GROUPS:
            try:
                group()
                outcome[f"{module.__name__}.{group.__name__}"] = None
            except Exception:  # noqa: BLE001  a group that broke is a result like any other
                outcome[f"{module.__name__}.{group.__name__}"] = traceback.format_exc(limit=-2)
    print(json.dumps({"groups": outcome, "answers": {name: sorted(codes) for name, codes in answers.items()}}))


main()
