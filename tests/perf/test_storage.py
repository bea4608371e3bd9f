"""Store, fetch and handoff through a real file by NIXL's POSIX back end, in real workers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from perf.analysis import everything_good, summarise
from perf.planning import points
from perf.reading import read_records
from perf.spec import check_spec
from perf.sweep import Options, measure
from suite.errors import BadInput, Missing
from suite.run import folder
from suite.transports import base

pytestmark = pytest.mark.skipif(bool(base.load("nixl:POSIX").missing()), reason="this machine lacks NIXL")

FAULTY = Path(__file__).parent / "faulty"
PYTHONPATH = os.pathsep.join(filter(None, [str(FAULTY), os.environ.get("PYTHONPATH")]))
SHM = Path("/dev/shm")  # noqa: S108  a tmpfs is what is meant
SAMPLES = 3  # of 2 blocks in a window, 64 pages a block
CACHE = {
    "model": "llama-3.1-8b",
    "dtype": "fp8",
    "tokens": 64,
    "transports": ["nixl:POSIX"],
    "ops": ["handoff", "store", "fetch"],
    "units": ["page"],
    "patterns": ["scattered"],
    "memory": ["host -> host", "host -> file", "file -> host"],
    "samples": SAMPLES,
}


class Quiet:
    def started(self, launches, points, *, done=0):
        self.planned = (launches, points, done)

    def measured(self, record):
        pass

    def note(self, text):
        raise AssertionError(text)


def measured(path, server="perf.server:PointServer", scratch=None, **changes):
    """Return the records of one launch, by op."""
    spec = check_spec({"launches": 1, "windows": 2, "kv": [CACHE | changes]}, source="test")
    run = folder.create(path / "run")
    measure(spec, run, Options(seed=1, server=server, scratch=scratch), Quiet())
    records, notes = read_records(run.samples)
    assert notes == []
    assert sorted(file.name for file in run.path.iterdir()) == ["logs", "manifest.json", "samples.jsonl", "time.jsonl"]
    return records


def test_every_byte_of_file_and_memory_is_checked_and_the_way_is_named(tmp_path):
    records = {record.point.op: record for record in measured(tmp_path)}
    assert set(records) == {"handoff", "store", "fetch"}
    assert everything_good(list(records.values()))
    for op, record in records.items():
        places = 3 if op == "handoff" else 2  # each compared after the warm-up and both windows
        region = record.verified_bytes // (3 * places)
        assert record.verified_bytes == region * 3 * places
        assert region > record.working_set_bytes == SAMPLES * record.wire_bytes
        assert len(record.durations_ns) == 2 * SAMPLES
        assert record.evidence.wire == "posix aio, direct"
        assert record.storage.io == "direct"
        assert record.storage.filesystem not in {"", "unknown"}
        assert record.storage.cached_before == [0, 0]  # what painted the file has left nothing in the page cache
        assert (
            record.content
            == {
                "handoff": {"prefill": "in place", "file": "staged", "decode": "in place"},
                "store": {"prefill": "in place", "file": "staged"},
                "fetch": {"file": "staged", "decode": "in place"},
            }[op]
        )
        assert sorted(record.cores) == {"handoff": ["decode", "prefill"], "store": ["prefill"], "fetch": ["decode"]}[op]


def test_the_page_cache_is_told_beside_a_buffered_handoff(tmp_path):
    """What was just stored is fetched from memory, not from the device: that is said."""
    (record,) = measured(tmp_path, ops=["handoff"], settings={"nixl:POSIX": [{"io": "buffered"}]})
    assert record.evidence.wire == "posix aio, buffered"
    assert record.storage.cached_before == [0, 0]
    assert min(record.storage.cached_after) >= SAMPLES * record.wire_bytes
    (summary,) = summarise([record])
    told = [issue.message for issue in summary.issues if issue.code == "page-cache"]
    assert len(told) == 1
    assert "without O_DIRECT" in told[0]


def test_a_region_can_be_spread_over_several_files(tmp_path):
    """With rows that cross from one file to the next: more descriptors are posted than were asked for."""
    records = measured(tmp_path, units=["block"], settings={"nixl:POSIX": [{"files": "4"}]})
    assert everything_good(records)
    assert {record.point.op for record in records} == {"handoff", "store", "fetch"}
    assert max(record.posted_descriptors for record in records) > records[0].point.descriptors


@pytest.mark.deep
@pytest.mark.parametrize(
    ("server", "op", "role", "finding"),
    [
        ("dropped_descriptor", "store", "prefill", "the file: untouched: 3 x"),
        ("dropped_descriptor", "fetch", "decode", "untouched: 3 x"),
        ("swapped", "store", "prefill", "the file: swapped: 6 x"),
        ("swapped", "handoff", "prefill", "the file: swapped: 6 x"),
        ("dropped_transfer", "fetch", "decode", "untouched: 128 x"),
    ],
)
def test_a_faulty_store_or_fetch_is_named(tmp_path, monkeypatch, *, server, op, role, finding):
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    (record,) = measured(tmp_path, f"faulty_transports:{server}", ops=[op])
    assert (record.status, record.failure.role, record.failure.reason) == ("failed", role, "wrong bytes")
    assert record.failure.detail.startswith(finding)
    assert not record.durations_ns


def test_o_direct_moves_whole_blocks_only():
    """Messages of 8 B are not planned with O_DIRECT, and are with a buffered file."""
    table = {"sizes": [8, 4096], "transports": ["nixl:POSIX"], "ops": ["handoff"], "samples": 2}
    direct = points(check_spec({"bytes": [table]}, source="test"))
    assert [one.point.descriptor_bytes for one in direct] == [4096]
    table["settings"] = {"nixl:POSIX": [{"io": "buffered"}]}
    assert [one.point.descriptor_bytes for one in points(check_spec({"bytes": [table]}, source="test"))] == [8, 4096]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"settings": {"nixl:POSIX": [{"io": "mmap"}]}}, "nixl:POSIX: io = 'mmap' is not accepted"),
        (
            {"transports": ["nixl:UCX"], "ops": ["push"], "memory": ["host -> host"], "settings": {"nixl:UCX": [{"io": "direct"}]}},
            "io is a setting of storage",
        ),
        ({"memory": ["cuda:0 -> file"], "ops": ["store"]}, "nixl:POSIX can do none of store between cuda:0 -> file"),
        ({"memory": ["host -> disk"]}, "names no pair of memories"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_with_the_table(changes, message):
    with pytest.raises(BadInput, match=r"^test: ") as caught:
        check_spec({"kv": [CACHE | changes]}, source="test")
    assert message in caught.value.message


def test_a_scratch_folder_without_o_direct_is_refused_before_anything_runs(tmp_path):
    """Exit 3 names the file system and what to do; nothing has been measured and nothing is left."""
    before = sorted(SHM.glob("kvgauge-*"))
    with pytest.raises(Missing, match=r"tmpfs at /dev/shm/kvgauge-.* has no direct I/O") as caught:
        measured(tmp_path, scratch=SHM)
    assert "--scratch DIR" in caught.value.hint
    assert (tmp_path / "run" / "samples.jsonl").read_text() == ""
    assert sorted(SHM.glob("kvgauge-*")) == before
