"""What cuFile and the kernel say about storage: real logs, the form in NVIDIA's guide, and noise."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.transports import storage_evidence
from suite.transports.base import Op
from suite.transports.storage_evidence import CuFileWatch, io_queues, posix_wire, read_nvidia_fs, says_compat

GOLDEN = Path(__file__).parent / "golden" / "storage"
NAMES = sorted(path.name for path in GOLDEN.glob("*.txt"))
WRITER = 1001  # the process in the logs
LINE = " 24-11-2026 09:00:47:437 [pid={process} tid=7] NOTICE  cufio-drv:855 running in compatible mode\n"


def golden(name: str) -> str:
    return (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("level", ["error", "info"])
def test_cufile_says_compat_mode_at_every_log_level_and_of_its_own_process(level: str) -> None:
    """The lines of another process, written into the same file, are not about this one."""
    log = golden(f"cufile-1.14-{level}")
    assert says_compat(log, WRITER)
    assert not says_compat(log, WRITER + 1)
    without = "".join(line for line in log.splitlines(keepends=True) if "compatible" not in line)
    assert not says_compat(without, WRITER)


@pytest.mark.parametrize(
    ("text", "compat"),
    [
        ("nvidia_fs not loaded, operating on compatible mode.", True),
        ("forcing cufile into compatible mode", True),
        ("nvidia_fs not loaded, operating on compatible and P2P mode.", False),  # either may carry a file
        ("cuFile using (NVME P2PDMA) and compatible mode", False),
        ("properties.use_compat_mode : true", False),  # allowed is not used
    ],
)
def test_only_what_leaves_no_other_mode_is_compat(text: str, compat: bool) -> None:  # noqa: FBT001  a case's value
    line = LINE.format(process=WRITER).replace("running in compatible mode", text)
    assert says_compat(line, WRITER) is compat


def test_nvidia_fs_is_read_where_it_counts_and_is_nothing_where_it_does_not() -> None:
    """The form is that of NVIDIA's troubleshooting guide, the numbers are made up; err is not ok."""
    assert read_nvidia_fs(GOLDEN / "nvidia-fs-stats-enabled.txt") == {"reads": 11, "writes": 7}
    assert read_nvidia_fs(GOLDEN / "nvidia-fs-stats-disabled.txt") == {}
    assert read_nvidia_fs(GOLDEN / "absent") == {}


def test_a_watch_looks_only_at_what_came_after_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "cufile.log"
    own = LINE.format(process=os.getpid())
    log.write_text(own)
    watch = CuFileWatch.begin({"CUFILE_LOGFILE_PATH": str(log)})
    assert not watch.compat()
    assert watch.wire(Op.STORE).reason == "cuFile's log does not say compat mode, and nvidia-fs counted nothing"
    with log.open("a") as more:
        more.write(LINE.format(process=os.getpid() + 1))
    assert watch.wire(Op.STORE).wire == "unknown"
    with log.open("a") as more:
        more.write(own)
    found = watch.wire(Op.STORE)
    assert (found.wire, found.source, found.operation) == ("gds compat", "cufile.log", "STORE")
    log.unlink()
    assert watch.wire(Op.STORE).wire == "unknown"
    monkeypatch.setattr(storage_evidence, "read_nvidia_fs", lambda: {"reads": 3, "writes": 0})
    found = watch.wire(Op.FETCH)
    assert (found.wire, found.count) == ("gds", 3)
    assert "other processes included" in found.detail
    assert watch.wire(Op.STORE).wire == "unknown"  # reads prove nothing of writes


def test_without_a_log_the_mode_is_unknown_and_the_variable_is_named() -> None:
    assert "CUFILE_LOGFILE_PATH" in CuFileWatch.begin({}).wire(Op.STORE).reason


@pytest.mark.parametrize(
    ("made", "settings", "direct", "wire"),
    [
        ({"aio": 1}, {}, False, "posix aio, buffered"),
        ({"uring": 1}, {"use_uring": "true"}, True, "posix uring, direct"),
        ({}, {"use_posix_aio": "YES"}, True, "posix posixaio, direct"),
        ({}, {}, True, "unknown"),  # glibc's AIO leaves no trace: it must have been asked for
        ({"aio": 1, "uring": 1}, {}, True, "unknown"),
        ({"aio": 1}, {}, None, "unknown"),
    ],
)
def test_the_queue_that_came_with_the_back_end_is_named(made, settings, direct, wire) -> None:
    found = posix_wire(Op.STORE, Counter(made), settings, direct=direct)
    assert found.wire == wire
    assert bool(found.reason) == (wire == "unknown")


def test_a_process_without_queues_has_none() -> None:
    assert +io_queues() == Counter()


@given(st.one_of(st.text(), st.sampled_from(NAMES).map(lambda name: golden(name.removesuffix(".txt")))), st.data())
def test_noise_and_cut_logs_are_read_without_complaint(text: str, data: st.DataObject) -> None:
    start, end = sorted((data.draw(st.integers(0, len(text))), data.draw(st.integers(0, len(text)))))
    noise = data.draw(st.text(alphabet="[pid=09 ]running compatibleNOTICE:\n\0\x1b", max_size=200))
    assert says_compat(noise + text[start:end], WRITER) in (True, False)


@given(st.binary(max_size=2000))
def test_a_statistics_file_of_any_bytes_is_read(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    stats = tmp_path_factory.mktemp("stats") / "stats"
    stats.write_bytes(content)
    assert set(read_nvidia_fs(stats)) <= {"reads", "writes"}


def test_a_huge_log_is_cut_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_evidence, "MAX_LOG", 1000)
    log = tmp_path / "cufile.log"
    log.write_text("x" * 2000 + "\n" + LINE.format(process=os.getpid()))
    assert not CuFileWatch(log, 0, {}).compat()
    assert CuFileWatch(log, 2001, {}).compat()
