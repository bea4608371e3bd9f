"""What a process needs in its environment to run on the emulated driver.

The loader and cuFile read all of it once, when a process starts, so it is for
new processes only.
"""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from suite.cuda_emulator.build import REDIRECT, library_folder
from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_DEVICES = 16
DEVICE_NAME = "Emulated GPU (host memory)"
DEVICES, MEMORY_BYTES, STRICT = "KVGAUGE_EMULATED_GPUS", "KVGAUGE_EMULATED_GPU_BYTES", "KVGAUGE_EMULATED_GPU_STRICT"

# A batch may have io_batchsize requests. In compat mode a request takes a slab of the pool, and where there is none
# left cuFile waits for ever without a word (ai-dynamo/nixl, pull request 2070). NIXL posts up to 16 batches at once.
# It cuts its requests at 16 MiB, and cuFile refuses one that is larger than per_buffer_cache_size_kb, by default 1 MiB:
# the README of NIXL's GDS plug-in asks for 16 MiB, and for max_device_cache_size_kb of io_batchsize times that.
_CUFILE = {
    "logging": {"level": "ERROR"},
    "properties": {
        "allow_compat_mode": True,
        "io_batchsize": 256,
        "max_direct_io_size_kb": 16384,  # before the next one, which may not be larger
        "per_buffer_cache_size_kb": 16384,
        "max_device_cache_size_kb": 256 * 16384,
        "posix_pool_slab_size_kb": [4, 1024, 16384],
        "posix_pool_slab_count": [8192, 4096, 256],  # the most there may be; it grows as needed
    },
}


def environment(
    devices: int, *, base: Mapping[str, str], logs: Path, memory_bytes: int = 8 << 30, strict: bool = True
) -> dict[str, str]:
    """Return the variables to put over `base` for a process with `devices` emulated GPUs.

    `logs` is an existing folder for cuFile's log and its settings. `memory_bytes` is
    the size of each device, counted per process. With `strict` the program
    cannot touch device memory except through the driver. Raises `BadInput`
    for a number of devices outside 1 to 16 or devices without memory, `Missing` where the driver cannot be built.
    """
    if not 1 <= devices <= MAX_DEVICES:
        raise BadInput("bad-devices", f"{devices} emulated GPUs", f"from 1 to {MAX_DEVICES}")
    if memory_bytes < 1:
        raise BadInput("bad-memory", f"emulated GPUs with {memory_bytes} bytes of memory", "at least 1 byte")
    folders = [str(library_folder()), *_wheel_folders(), *_entries(base.get("LD_LIBRARY_PATH"))]
    return {
        # By name, not by path: blanks in a path would separate libraries.
        "LD_PRELOAD": ":".join([REDIRECT, *_entries(base.get("LD_PRELOAD"), " ")]),
        "LD_LIBRARY_PATH": ":".join(folders),
        DEVICES: str(devices),
        MEMORY_BYTES: str(memory_bytes),
        STRICT: str(int(strict)),
        **_cufile(base, logs.absolute()),
    }


def _wheel_folders() -> list[str]:
    """Return the folders with NVIDIA's libraries, without its runtime: it refuses a driver that is not NVIDIA's."""
    folders = Path(sysconfig.get_path("purelib")).glob("nvidia/*/lib")
    return [str(folder) for folder in sorted(folders) if folder.parent.name != "cuda_runtime"]


def _entries(text: str | None, also: str = "") -> list[str]:
    for separator in also:
        text = (text or "").replace(separator, ":")
    return [entry for entry in (text or "").split(":") if entry]


def _cufile(base: Mapping[str, str], logs: Path) -> dict[str, str]:
    """Return cuFile's variables that the caller has not set; its log would else lie in the working folder."""
    variables = {"CUFILE_LOGFILE_PATH": str(logs / "cufile.log"), "CUFILE_ALLOW_COMPAT_MODE": "true"}
    if "CUFILE_ENV_PATH_JSON" not in base:
        settings = logs / "cufile.json"
        settings.write_text(json.dumps(_CUFILE, indent=1), "utf-8")
        variables["CUFILE_ENV_PATH_JSON"] = str(settings)
    return {name: value for name, value in variables.items() if name not in base}
