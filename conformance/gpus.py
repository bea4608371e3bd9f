"""Emulated GPUs for implementations that look for one: `--kv-emulated-gpus N`, `kvgauge conform --emulated-gpus N`.

Processes that we start get the emulated driver in their environment; a function in
this process finds it already loaded.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import shutil
import tempfile
from pathlib import Path

_UNDERNEATH = ("LD_LIBRARY_PATH", "LD_PRELOAD")
_PREFIXES = ("KVGAUGE_EMULATED_", "CUFILE_")
_LOADED = ("libnvidia-ml.so.1", "libcuda.so.1")


def emulate(devices: int, logs: Path | None) -> None:
    """Set this process's environment so that it, and those that it starts, have `devices` emulated GPUs.

    `logs` is for cuFile's log, None: a temporary folder. Raises `BadInput` for a number
    outside 1 to 16, `Missing` where there is no C compiler.
    """
    from suite.cuda_emulator.build import library_folder
    from suite.cuda_emulator.environment import environment

    folder = logs
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="kvgauge-emulated-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.update(environment(devices, base=os.environ, logs=folder))
    for name in _LOADED:  # the loader has read LD_LIBRARY_PATH when this process started; a loaded name is found
        ctypes.CDLL(str(library_folder() / name), mode=ctypes.RTLD_GLOBAL)


def underneath() -> dict[bytes, bytes]:
    """Return what a process that is given an exact environment needs besides: nothing unless GPUs are emulated."""
    if "KVGAUGE_EMULATED_GPUS" not in os.environ:
        return {}
    return {
        os.fsencode(name): os.fsencode(value)
        for name, value in os.environ.items()
        if name in _UNDERNEATH or name.startswith(_PREFIXES)
    }
