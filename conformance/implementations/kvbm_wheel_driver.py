"""Have the released `kvbm` wheel create its NIXL backends, and print which ones it created; run as a script, in an environment that has the wheel.

The wheel's leader and block manager are started as its own connectors start
them; the leader is told of a CPU tier. Without a GPU they stop at the missing
driver, after the backends were created: those are in NIXL's log, from which
this script makes one line for `exec-log:`.

It prints no such line unless the wheel got that far. UCX's own variables are
taken away before: they decide whether a backend can be created (`UCX_TLS=x`
fails), not which one KVBM asks for.
"""

from __future__ import annotations

import ctypes
import os
import re
import socket
import sys
import types
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

_LOG_BYTES = 1 << 20
_CREATED = re.compile(rb"Created backend: (\w+)")
# What stops it where there is no GPU, and nothing earlier: no driver, or a driver that is shown no device.
_NO_GPU = ('dynamically load the "cuda" shared library', "CUDA_ERROR_NO_DEVICE")


def main() -> None:
    """Print `created by kvbm 1.6.1: UCX`, or what stopped the wheel before."""
    for name in [name for name in os.environ if name.startswith("UCX_")]:
        del os.environ[name]
    ports = [_held_port() for _ in range(2)]
    os.environ |= {
        "CUDA_VISIBLE_DEVICES": "",  # the same on every machine
        "NIXL_LOG_LEVEL": "DEBUG",  # creation is logged there
        "DYN_KVBM_CPU_CACHE_OVERRIDE_NUM_BLOCKS": "4",  # without any tier the leader panics
        "DYN_KVBM_LEADER_ZMQ_PUB_PORT": str(ports[0].getsockname()[1]),  # the default ports may be another run's
        "DYN_KVBM_LEADER_ZMQ_ACK_PORT": str(ports[1].getsockname()[1]),
    }
    log = os.memfd_create("log")
    os.dup2(log, 2)
    stopped = _stopped_by()
    sys.stdout.write(f"{answer(stopped, os.pread(log, _LOG_BYTES, 0))}\n")
    sys.stdout.flush()
    os._exit(0)  # threads of the leader still wait for workers


def answer(stopped: str, log: bytes) -> str:
    """Return the line to print, given what stopped the wheel and what NIXL logged until then."""
    if stopped and not any(words in stopped for words in _NO_GPU):
        return f"stopped before an answer: {stopped[:500]!a}"
    names = b", ".join(_CREATED.findall(log)).decode("ascii", "replace")
    return f"created by kvbm {version('kvbm')}: {names}"


def _stopped_by() -> str:
    """Start leader and block manager; return what stopped them."""
    try:
        kvbm = _imported()
        leader = kvbm.KvbmLeader(1, None)
        kvbm.BlockManager(0, leader, 4, 4, True)  # noqa: FBT003  worker, leader, tokens in a block, device blocks, no device pool
    except BaseException as error:  # noqa: BLE001  a panic of Rust's is no Exception
        return f"{type(error).__name__}: {error}"
    return ""


def _imported() -> types.ModuleType:
    """Import kvbm without the Python module `nixl`, which needs gigabytes of torch: of it kvbm uses the shared library alone."""
    found = find_spec("nixl_cu13")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("no nixl_cu13")
    folder = Path(found.origin).parent.parent / ".nixl_cu13.mesonpy.libs"
    for name in ("libnixl_build.so", "libnixl.so"):
        ctypes.CDLL(str(folder / name), mode=ctypes.RTLD_GLOBAL)
    stand_in = types.ModuleType("nixl")
    stand_in.__dict__["_api"] = None  # kvbm logs its name
    sys.modules["nixl"] = stand_in
    import kvbm  # type: ignore[import-not-found]  # it is in another environment

    return kvbm  # type: ignore[no-any-return]  # as above


def _held_port() -> socket.socket:
    """Return a socket whose port is nobody's but the leader's: ZeroMQ may bind it, too, as long as nobody listens."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("127.0.0.1", 0))
    return one


if __name__ == "__main__":
    main()
