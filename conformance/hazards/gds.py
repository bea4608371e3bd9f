"""NIXL's GDS with cuFile in compat mode and cuFile's own settings (facts H40), by NIXL's own Python API.

Run on an emulated GPU, or on one that has no nvidia-fs: compat mode is cuFile's own.
"""

from __future__ import annotations

import os
import tempfile
import threading
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from conformance.hazards.attempt import Seen
from suite.errors import Missing
from suite.memory.file import filesystem_of

_MIB, _ROWS = 1 << 20, 200
_FILE_SYSTEMS = ("ext4", "xfs")
_WATCHED_S = 5.0
_DEFAULTS = '{"properties": {"allow_compat_mode": true}}'


def too_large() -> Seen:
    """One row of a byte more than cuFile's per_buffer_cache_size_kb."""
    answer = _stored(1, _MIB + 1)
    return Seen("Error" in answer, f"a row of {_MIB + 1} bytes: {answer}")


def hangs() -> Seen:
    """More rows than a batch of NIXL's (128) and than cuFile has bounce buffers of their class (64)."""
    answer = _stored(_ROWS, 8192)
    return Seen(answer == "", f"{_ROWS} rows of 8192 bytes: {answer or f'post has not returned in {_WATCHED_S:.0f} s'}")


def _stored(count: int, length: int) -> str:
    """Return the state after posting, the name of what was raised, or nothing if post does not return."""
    package = next((one for one in ("nixl_cu13", "nixl_cu12") if find_spec(one)), None)
    if package is None or find_spec("cuda.bindings") is None:
        raise Missing("no-gds", "NIXL or cuda-bindings is not installed")
    from suite.memory.cuda import CudaRegion

    folder = Path(tempfile.mkdtemp(prefix="hazard-", dir=Path.cwd()))
    if filesystem_of(folder) not in _FILE_SYSTEMS:
        raise Missing("no-gds", "cuFile takes files on ext4 and xfs", "set TMPDIR to a folder on one of them")
    settings = folder / "cufile.json"
    settings.write_text(_DEFAULTS, encoding="utf-8")
    os.environ["CUFILE_ENV_PATH_JSON"] = str(settings)  # cuFile reads it when its driver opens
    api: Any = import_module(f"{package}._api")
    agent = api.nixl_agent("agent", api.nixl_agent_config(enable_prog_thread=False, backends=[]))
    agent.create_backend("GDS", {})
    step = length + 4096
    region = CudaRegion(count * step, 0)
    with (folder / "file").open("wb+") as file:
        file.truncate(count * step)
        agent.register_memory([(region.address, region.nbytes, 0, "")], "VRAM", backends=["GDS"])
        agent.register_memory([(0, region.nbytes, file.fileno(), "")], "FILE", backends=["GDS"])
        here = agent.get_xfer_descs([(region.address + n * step, length, 0) for n in range(count)], "VRAM")
        there = agent.get_xfer_descs([(n * step, length, file.fileno()) for n in range(count)], "FILE")
        handle = agent.initialize_xfer("WRITE", here, there, "agent")
        return _watched(agent, handle)


def _watched(agent: Any, handle: Any) -> str:
    told: list[str] = []

    def post() -> None:
        try:
            told.append(str(agent.transfer(handle)))
        except Exception as error:  # noqa: BLE001  NIXL's exceptions have no common base
            told.append(type(error).__name__)

    thread = threading.Thread(target=post, daemon=True)
    thread.start()
    thread.join(_WATCHED_S)
    return told[0] if told else ""
