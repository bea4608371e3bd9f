"""VRAM to a file and back with NIXL: `nixl_storage.py BACKEND FILE BATCH DESCRIPTOR_BYTES`, prints one JSON object."""

import gc
import json
import os
import sys
import time

import numpy as np
from cuda.bindings import driver as cuda
from nixl_cu12 import _api

DEADLINE_S = 60


def good(answer):
    if answer[0] != cuda.CUresult.CUDA_SUCCESS:
        raise RuntimeError(cuda.cuGetErrorName(answer[0])[1].decode())
    return answer[1] if len(answer) == 2 else answer[1:]


def move(agent, op, memory, file):
    handle = agent.initialize_xfer(
        op, agent.get_xfer_descs(memory, "VRAM"), agent.get_xfer_descs(file, "FILE"), "storage"
    )
    deadline = time.monotonic() + DEADLINE_S
    state = agent.transfer(handle)
    while state != "DONE":
        if time.monotonic() > deadline:
            raise TimeoutError(op)
        state = agent.check_xfer_state(handle)
    agent.release_xfer_handle(handle)


def main():
    backend, path, batch, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    nbytes = batch * size
    good(cuda.cuInit(0))
    good(cuda.cuCtxSetCurrent(good(cuda.cuDevicePrimaryCtxRetain(0))))
    address = int(good(cuda.cuMemAlloc(nbytes)))
    content = np.random.default_rng(3).integers(0, 256, nbytes, np.uint8)
    good(cuda.cuMemcpyHtoD(address, content.ctypes.data, nbytes))
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    agent = _api.nixl_agent("storage", _api.nixl_agent_config(enable_prog_thread=False, backends=[]))
    agent.create_backend(backend, {"batch_limit": "256"} if backend == "GDS" else {})
    regions = [
        agent.register_memory(np.array([[address, nbytes, 0]], np.uint64), "VRAM", backends=[backend]),
        agent.register_memory([(0, nbytes, file, "")], "FILE", backends=[backend]),
    ]
    starts = np.arange(batch, dtype=np.uint64) * np.uint64(size)
    sizes = np.full(batch, size, np.uint64)
    memory = np.stack([starts + np.uint64(address), sizes, np.zeros(batch, np.uint64)], axis=1)
    stored = np.stack([starts, sizes, np.full(batch, file, np.uint64)], axis=1)
    move(agent, "WRITE", memory, stored)
    in_file = np.fromfile(path, np.uint8)
    good(cuda.cuMemsetD8(address, 0, nbytes))
    move(agent, "READ", memory, stored)
    found = np.empty(nbytes, np.uint8)
    good(cuda.cuMemcpyDtoH(found.ctypes.data, address, nbytes))
    from suite.cuda_emulator.counters import unsupported_calls

    result = {
        "stored": bool(np.array_equal(in_file, content)),
        "fetched": bool(np.array_equal(found, content)),
        "unsupported": unsupported_calls(),
    }
    print(json.dumps(result), flush=True)
    for region in regions:
        agent.deregister_memory(region, backends=[backend])
    del agent
    gc.collect()
    os._exit(0)


main()
