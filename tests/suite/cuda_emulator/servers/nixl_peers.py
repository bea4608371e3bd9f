"""One of two processes that move VRAM over NIXL's UCX back end: `nixl_peers.py ROLE OP FOLDER DEVICE ALLOCATION`.

Files in FOLDER carry metadata between the two; each prints one JSON object.
"""

import ctypes
import gc
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from cuda.bindings import driver as cuda
from nixl_cu12 import _api

NBYTES = 4 << 20
DEADLINE_S = 60


def good(answer):
    if answer[0] != cuda.CUresult.CUDA_SUCCESS:
        raise RuntimeError(cuda.cuGetErrorName(answer[0])[1].decode())
    return answer[1] if len(answer) == 2 else answer[1:]


def pattern(role):
    return np.random.default_rng(len(role)).integers(0, 256, NBYTES, np.uint8)


def allocate(device, kind):
    if kind == "cudaMalloc":
        return int(good(cuda.cuMemAlloc(NBYTES)))
    wanted = cuda.CUmemAllocationProp()
    wanted.type = cuda.CUmemAllocationType.CU_MEM_ALLOCATION_TYPE_PINNED
    wanted.location.type = cuda.CUmemLocationType.CU_MEM_LOCATION_TYPE_DEVICE
    wanted.location.id = device
    if kind == "fabric":
        wanted.requestedHandleTypes = cuda.CUmemAllocationHandleType.CU_MEM_HANDLE_TYPE_FABRIC
    handle = good(cuda.cuMemCreate(NBYTES, wanted, 0))
    address = good(cuda.cuMemAddressReserve(NBYTES, 0, 0, 0))
    good(cuda.cuMemMap(address, NBYTES, 0, handle, 0))
    access = cuda.CUmemAccessDesc()
    access.location = wanted.location
    access.flags = cuda.CUmemAccess_flags.CU_MEM_ACCESS_FLAGS_PROT_READWRITE
    good(cuda.cuMemSetAccess(address, NBYTES, [access], 1))
    return int(address)


def wait_for(path):
    deadline = time.monotonic() + DEADLINE_S
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(path.name)
        yield


def publish(path, data):
    draft = path.with_suffix(".draft")
    draft.write_bytes(data)
    draft.rename(path)


def move(agent, peer, op, mine, theirs):
    local = agent.get_xfer_descs(np.array([mine], np.uint64), "VRAM")
    remote = agent.get_xfer_descs(np.array([theirs], np.uint64), "VRAM")
    handle = agent.initialize_xfer(op, local, remote, peer, b"moved")
    deadline = time.monotonic() + DEADLINE_S
    state = agent.transfer(handle)
    while state != "DONE":
        if time.monotonic() > deadline:
            raise TimeoutError("transfer")
        state = agent.check_xfer_state(handle)
    agent.release_xfer_handle(handle)


def main():
    role, op, folder, device, kind = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    other = {"initiator": "target", "target": "initiator"}[role]
    good(cuda.cuInit(0))
    good(cuda.cuCtxSetCurrent(good(cuda.cuDevicePrimaryCtxRetain(device))))
    address = allocate(device, kind)
    own = pattern(role)
    good(cuda.cuMemcpyHtoD(address, own.ctypes.data, NBYTES))
    agent = _api.nixl_agent(role, _api.nixl_agent_config(enable_prog_thread=False, backends=[]))
    agent.create_backend("UCX", {})
    registered = agent.register_memory(np.array([[address, NBYTES, device]], np.uint64), "VRAM", backends=["UCX"])
    publish(folder / f"{role}.address", json.dumps([address, NBYTES, device]).encode())
    publish(folder / f"{role}.metadata", agent.get_agent_metadata())
    for _ in wait_for(folder / f"{other}.metadata"):
        time.sleep(0.01)
    agent.add_remote_agent((folder / f"{other}.metadata").read_bytes())
    agent.make_connection(other)
    if role == "initiator":
        theirs = json.loads((folder / f"{other}.address").read_text())
        move(agent, other, op, [address, NBYTES, device], theirs)
        publish(folder / "done", b"")
    else:
        for _ in wait_for(folder / "done"):
            agent.get_new_notifs()
    found = np.empty(NBYTES, np.uint8)
    good(cuda.cuMemcpyDtoH(found.ctypes.data, address, NBYTES))
    source = {"WRITE": "initiator", "READ": "target"}[op]
    from suite.cuda_emulator.counters import unsupported_calls

    print(json.dumps({"equal": bool((found == pattern(source)).all()), "unsupported": unsupported_calls()}), flush=True)
    agent.deregister_memory(registered, backends=["UCX"])
    del agent
    gc.collect()
    ctypes.CDLL(None).fflush(None)
    os._exit(0)


main()
