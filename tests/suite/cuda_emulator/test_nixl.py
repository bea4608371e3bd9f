"""Real NIXL, UCX and cuFile on the emulated driver: nothing of them is changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.suite.cuda_emulator.conftest import PLENTY_S, SERVERS, Emulator, needs_nixl

pytestmark = [pytest.mark.deep, needs_nixl]

ROLES = ("initiator", "target")


@pytest.mark.parametrize("op", ["WRITE", "READ"])
@pytest.mark.parametrize(("allocation", "wire"), [("cudaMalloc", "cuda_ipc"), ("fabric", "cuda_ipc"), ("vmm", "tcp")])
def test_ucx_between_devices_of_two_processes(emulator: Emulator, op: str, allocation: str, wire: str) -> None:
    """Strict: neither NIXL nor UCX touches the memory itself. VMM memory without a handle type cannot be shared."""
    folder = emulator.logs
    processes = [
        emulator.start(
            str(SERVERS / "nixl_peers.py"),
            *(role, op, str(folder), str(device), allocation),
            extra={"UCX_PROTO_INFO": "used", "UCX_LOG_FILE": str(folder / f"{role}.ucx")},
        )
        for device, role in enumerate(ROLES)
    ]
    try:
        outputs = [process.communicate(timeout=PLENTY_S) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert [json.loads(output.splitlines()[-1]) for output, _ in outputs] == [{"equal": True, "unsupported": {}}] * 2
    table = (folder / "initiator.ucx").read_text()
    description = "remote memory write" if op == "WRITE" else "remote memory read"
    (used,) = [part for part in table.split("| initiator ") if description in part]
    assert "cuda/GPU0" in used
    assert f"{wire}/" in used


@pytest.mark.parametrize("backend", ["GDS", "GDS_MT"])
@pytest.mark.parametrize(("batch", "size"), [(4, 1 << 20), (600, 4096)])
def test_gds_between_memory_and_a_file(emulator: Emulator, backend: str, batch: int, size: int) -> None:
    """Through cuFile's compat mode; 600 requests at once, which its own settings cannot hold."""
    path = emulator.logs / "file"
    found = emulator.json(str(SERVERS / "nixl_storage.py"), backend, str(path), str(batch), str(size))
    assert found == {"stored": True, "fetched": True, "unsupported": {}}
    assert (emulator.logs / "cufile.log").exists()


def test_no_log_in_the_working_folder(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> None:
    logs = tmp_path_factory.mktemp("logs")
    working, emulator.logs = emulator.logs, logs
    code = (
        "import os, runpy, sys\n"
        "os.chdir(sys.argv[1])\n"
        "sys.argv = sys.argv[2:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    emulator.json("-c", code, str(working), str(SERVERS / "nixl_storage.py"), "GDS", str(working / "file"), "1", "4096")
    assert [path.name for path in Path(working).iterdir()] == ["file"]
