"""Ceilings by real workers, and which of them stands beside which wire."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from perf import ceilings
from perf.asides import CeilingRecord
from perf.ceiling_servers import BLOCK, Receiver, Volume
from perf.ceilings import applies, measure
from suite.errors import PeerLost
from suite.memory.file import filesystem_of
from suite.transports.evidence import UNKNOWN

NBYTES = 8 << 20
SHM = Path("/dev/shm")  # noqa: S108  a tmpfs where there is one
MEMORY, TCP = (ceilings.MEMORY_COPY,), (ceilings.TCP_1, ceilings.TCP_4)
READS, WRITES = (ceilings.READ_1, ceilings.READ_4), (ceilings.WRITE_1, ceilings.WRITE_4)


def test_every_ceiling_is_measured_and_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(ceilings, "_VOLUME_BYTES", 10 * BLOCK)
    notes: list[str] = []
    found = measure(os.environ, tmp_path, tmp_path, sizes=[NBYTES], notes=notes)
    names = {one.name for one in found}
    on_disk = filesystem_of(tmp_path) != "tmpfs"
    assert names == {*MEMORY, *TCP, *(READS + WRITES if on_disk else ())}
    assert bool(notes) != on_disk
    for one in found:
        assert len(one.repeats_gb_per_s) == ceilings.REPEATS, one
        assert min(one.repeats_gb_per_s) <= one.gb_per_s <= max(one.repeats_gb_per_s)
        assert one.pages in {"huge", "4k", "direct"}
        assert 0 < one.nbytes <= one.working_set_bytes
        written = one.record(3).model_dump_json(by_alias=True)
        assert CeilingRecord.model_validate_json(written, strict=True).gb_per_s == list(one.repeats_gb_per_s)
    assert {one.pages for one in found if one.name == ceilings.MEMORY_COPY} >= {"4k"}
    assert not (tmp_path / "ceiling").exists()


def test_without_a_scratch_folder_no_volume_is_touched(tmp_path):
    assert {one.name for one in measure(os.environ, tmp_path, None, sizes=[NBYTES])} == {*MEMORY, *TCP}


@pytest.mark.skipif(filesystem_of(SHM) != "tmpfs", reason="no tmpfs")
def test_a_file_system_without_direct_io_costs_only_its_own_ceilings(tmp_path):
    notes: list[str] = []
    found = measure(os.environ, tmp_path, SHM, sizes=[NBYTES], notes=notes)
    assert {one.name for one in found} == {*MEMORY, *TCP}
    assert "no direct I/O" in notes[0]


@pytest.mark.parametrize(
    ("wire", "op", "names"),
    [
        ("cma", "push", MEMORY),
        ("sysv + cma", "pull", MEMORY),
        ("posix", "push", MEMORY),  # UCX's shared memory, not NIXL's storage
        ("tcp", "push", TCP),
        ("tcp + cma", "push", TCP),  # the slower one
        ("posix aio, direct", "store", WRITES),
        ("posix uring, direct", "fetch", READS),
        ("posix uring, direct", "handoff", WRITES + READS),
        ("gds compat", "FETCH", READS),
        ("posix aio, buffered", "store", MEMORY),
        ("cuda_ipc", "push", ()),
        ("rc_mlx5", "push", ()),
        ("tcp + cuda_copy", "push", ()),
        ("gds", "fetch", ()),
        (UNKNOWN, "push", ()),
        ("", "", ()),
    ],
)
def test_a_wire_stands_beside_what_it_is_made_of(wire, op, names):
    assert applies(wire, op) == names


def test_a_volume_is_read_only_where_it_was_written(tmp_path):
    """No time to fill the file: one block is all there is, and every pass keeps to it."""
    volume = Volume("volume")
    if filesystem_of(tmp_path) == "tmpfs":
        pytest.skip("tmpfs has no O_DIRECT")
    assert volume.begin(str(tmp_path / "file"), 4 * BLOCK, 0.0)["bytes"] == BLOCK
    before = volume._file.cached_bytes()
    for op in ("write", "read"):
        for threads in (1, 4):
            repeats = volume.move(op, threads, 5)
            assert [nbytes for nbytes, _ in repeats] == [BLOCK]
            assert all(duration > 0 for _, duration in repeats)
    assert volume._file.cached_bytes() == before == 0  # the page cache has no part in it
    volume.end()
    assert list(tmp_path.iterdir()) == []


def test_each_block_is_moved_once_in_a_pass():
    volume = Volume("volume")
    moved: list[int] = []
    volume._blocks = 11
    volume._buffers = [None] * 4
    volume._read = lambda block, _: moved.append(block)
    repeats = volume.move("read", 4, 3)
    assert sorted(moved) == list(range(11))
    assert sum(nbytes for nbytes, _ in repeats) == 11 * BLOCK


def test_a_stranger_on_the_loopback_is_not_taken_for_the_sender():
    receiver = Receiver("receiver")
    port = receiver.listen(4096, "4k")
    token = "0" * 32
    taken = threading.Thread(target=receiver.accept, args=(1, token))
    taken.start()
    with socket.create_connection(("127.0.0.1", port)) as stranger:
        stranger.sendall(b"1" * 32)
        assert stranger.recv(1) == b""
    with socket.create_connection(("127.0.0.1", port)) as ours:
        ours.sendall(token.encode())
        taken.join(10)
        assert len(receiver._connections) == 1
    with pytest.raises(PeerLost):
        receiver.receive(1)
    receiver._server.close()
    receiver._connections[0].close()


@pytest.mark.parametrize(
    "change",
    [
        {"gb_per_s": []},
        {"gb_per_s": [0.0]},
        {"gb_per_s": [-1.0]},
        {"gb_per_s": [float("inf")]},
        {"gb_per_s": [float("nan")]},
        {"gb_per_s": "7"},
        {"schema": 2},
        {"kind": "point"},
        {"name": "x" * 201},
        {"nbytes": 0},
        {"launch": -1},
        {"more": 1},
    ],
)
def test_a_record_of_another_shape_is_refused(change):
    good = {
        "kind": "ceiling",
        "schema": 1,
        "launch": 0,
        "name": ceilings.MEMORY_COPY,
        "gb_per_s": [11.0, 12.0],
        "nbytes": NBYTES,
        "pages": "huge",
        "working_set_bytes": NBYTES,
        "detail": "",
        "load_average": 0.0,
        "started_at": "2026-11-24T05:00:00.000+00:00",
    }
    CeilingRecord.model_validate(good, strict=True)
    with pytest.raises(ValidationError):
        CeilingRecord.model_validate(good | change, strict=True)
