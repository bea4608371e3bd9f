"""NIXL's GDS back ends with the real cuFile on the emulated driver: host and device memory, every byte compared."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from suite.cuda_emulator.environment import environment
from suite.errors import Missing
from suite.memory.file import filesystem_of
from suite.transports.nixl import missing_for
from suite.world import supervisor
from suite.world.supervisor import Group, WorkerFailed, WorkerSpec

SERVERS = Path(__file__).parent / "servers"
BLOCK = 4096
NBYTES = 64 << 20
PLENTY_S = 60.0  # a request that hangs ends here


@pytest.fixture
def emulated(tmp_path):
    """Return a context manager: workers on two emulated GPUs; `cufile` are properties over the emulator's own."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    base = dict(os.environ)
    try:
        base |= environment(2, base=base, logs=tmp_path)
    except Missing as error:
        pytest.skip(str(error))
    if missing := missing_for("GDS", base):
        pytest.skip(missing)
    if filesystem_of(tmp_path) not in ("ext4", "xfs"):
        pytest.skip("cuFile takes files on ext4 and xfs")
    base["PYTHONPATH"] = os.pathsep.join(filter(None, [str(SERVERS), base.get("PYTHONPATH")]))

    @contextmanager
    def emulated(*roles, cufile=None):
        if cufile:
            settings = tmp_path / "own.json"
            settings.write_text(json.dumps({"properties": {"allow_compat_mode": True} | cufile}))
        own = {"CUFILE_ENV_PATH_JSON": str(settings)} if cufile else {}
        cores = sorted(os.sched_getaffinity(0))
        specs = [WorkerSpec(role, "storage:Storage", base | own, cores, tmp_path / f"{role}.log") for role in roles]
        with Group(specs) as group:
            yield lambda role, verb, **arguments: group.ask(verb, {role: (verb, arguments)}, PLENTY_S)[role]

    return emulated


def scattered(count, length, seed):
    """Return rows of (memory offset, file offset, length), in slots of one block more than they fill."""
    rng = np.random.default_rng(seed)
    slot = length + BLOCK
    assert count * slot <= NBYTES
    return np.column_stack((rng.permutation(count) * slot, rng.permutation(count) * slot, np.full(count, length)))


def stored_and_fetched(ask, transport, path, rows, **how):
    """Store and fetch on one worker; assert that every byte is right; return the evidence."""
    ask("one", "open", transport=transport, path=str(path), nbytes=NBYTES, **how)
    ask("one", "fill", memory=1, file=2)
    posted = ask("one", "move", op="STORE", rows=rows.tolist())
    assert posted == len(rows)
    stored = {"source": 1, "destination": 2, "rows": rows.tolist()}
    assert ask("one", "differing", where="file", expected=stored) == 0
    ask("one", "fill", memory=3, file=4)
    ask("one", "move", op="FETCH", rows=rows.tolist())
    fetched = {"source": 4, "destination": 3, "rows": rows[:, [1, 0, 2]].tolist()}
    assert ask("one", "differing", where="memory", expected=fetched) == 0
    return ask("one", "close", op="STORE")


@pytest.mark.deep
@pytest.mark.parametrize("direct", [False, True], ids=["buffered", "direct"])
@pytest.mark.parametrize("kind", ["host", "cuda:0", "cuda:1"])
@pytest.mark.parametrize("backend", ["GDS", "GDS_MT"])
def test_every_byte_is_where_numpy_says_and_compat_mode_is_named(emulated, tmp_path, backend, kind, direct):
    rows = scattered(500, 64 << 10, 1)  # the emulator gives cuFile 512 bounce buffers
    with emulated("one") as ask:
        found = stored_and_fetched(ask, f"nixl:{backend}", tmp_path / "file", rows, kind=kind, direct=direct)
    assert found == {"wire": "gds compat", "source": "cufile.log", "reason": "", "emulated": kind != "host"}


@pytest.mark.deep
def test_thousands_of_descriptors_pass_where_there_are_buffers_for_them(emulated, tmp_path):
    rows = scattered(4096, BLOCK, 2)
    cufile = {"posix_pool_slab_size_kb": [4, 1024, 16384], "posix_pool_slab_count": [4096, 64, 32]}
    with emulated("one", cufile=cufile) as ask:
        settings = {"batch_pool_size": "32"}
        found = stored_and_fetched(ask, "nixl:GDS", tmp_path / "file", rows, kind="cuda:0", settings=settings)
        assert found["wire"] == "gds compat"
    with emulated("one") as ask:
        stored_and_fetched(ask, "nixl:GDS_MT", tmp_path / "file", rows, kind="cuda:0")


@pytest.mark.deep
def test_what_would_hang_is_refused_and_what_would_not_is_not(emulated, tmp_path, monkeypatch):
    """CuFile's own pool of 64 buffers; host memory needs none, and GDS_MT gives them back by itself."""
    monkeypatch.setattr(supervisor, "_GRACE_S", 0.05)
    rows = scattered(200, 64 << 10, 3)
    for transport, kind in (("nixl:GDS", "host"), ("nixl:GDS_MT", "cuda:0")):
        with emulated("one", cufile={"allow_compat_mode": True}) as ask:
            stored_and_fetched(ask, transport, tmp_path / "file", rows, kind=kind)
    with emulated("one", cufile={"allow_compat_mode": True}) as ask:
        stored_and_fetched(ask, "nixl:GDS", tmp_path / "file", rows[:64], kind="cuda:0")
    with (
        emulated("one", cufile={"allow_compat_mode": True}) as ask,
        pytest.raises(WorkerFailed, match="batch-would-hang") as refused,
    ):
        stored_and_fetched(ask, "nixl:GDS", tmp_path / "file", rows, kind="cuda:0")
    assert "200 requests in one transfer, and cuFile has 64 bounce buffers of 1024 KiB" in refused.value.detail


@pytest.mark.deep
def test_a_request_larger_than_cufile_takes_is_refused_and_the_setting_is_named(emulated, tmp_path, monkeypatch):
    """The size of cuFile's own is a MiB; the emulator's is what NIXL asks for."""
    monkeypatch.setattr(supervisor, "_GRACE_S", 0.05)
    rows = np.array([[8, 16, (17 << 20) + 1]])  # two requests of NIXL's
    with emulated("one") as ask:
        stored_and_fetched(ask, "nixl:GDS", tmp_path / "file", rows, kind="cuda:0")
    rows = np.array([[0, BLOCK, 4 << 20]])
    small = {"max_direct_io_size_kb": 1024}
    with emulated("one", cufile=small) as ask:
        settings = {"max_request_size": str(1 << 20)}
        stored_and_fetched(ask, "nixl:GDS", tmp_path / "file", rows, kind="cuda:0", settings=settings)
    with emulated("one", cufile=small) as ask, pytest.raises(WorkerFailed, match="request-too-large") as failed:
        stored_and_fetched(ask, "nixl:GDS", tmp_path / "file", rows, kind="cuda:0")
    assert "cuFile takes 1048576 in compat mode (per_buffer_cache_size_kb)" in failed.value.detail


@pytest.mark.deep
@pytest.mark.parametrize("backend", ["GDS", "GDS_MT"])
def test_a_handoff_between_two_gpus(emulated, tmp_path, backend):
    rows = scattered(256, 128 << 10, 4)
    path = str(tmp_path / "between")
    with emulated("prefill", "decode") as ask:
        told = {}
        for role, kind, create in (("prefill", "cuda:0", True), ("decode", "cuda:1", False)):
            told[role] = ask(
                role,
                "open",
                transport=f"nixl:{backend}",
                path=path,
                nbytes=NBYTES,
                kind=kind,
                create=create,
                direct=True,
            )
        for role, peer in (("prefill", "decode"), ("decode", "prefill")):
            ask(role, "connect", peer=peer, metadata=told[peer])
        ask("decode", "fill", memory=4, file=5)
        ask("prefill", "fill", memory=1, file=2)
        ask("prefill", "move", op="STORE", rows=rows.tolist())
        ask("prefill", "notify", peer="decode", tag="stored")
        assert ask("decode", "await_tag") == ["prefill:stored"]
        ask("decode", "move", op="FETCH", rows=rows.tolist())
        arrived = {"source": 1, "destination": 4, "rows": rows[:, [0, 0, 2]].tolist()}
        assert ask("decode", "differing", where="memory", expected=arrived) == 0
        for role in ("prefill", "decode"):
            assert ask(role, "close", op="STORE")["wire"] == "gds compat"
