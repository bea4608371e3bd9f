"""A file region holds its bytes on the device, reserves its space, and touches nobody else's file."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suite.errors import BadInput, Exit, Missing
from suite.memory import file
from suite.memory.file import ALIGNMENT, FileRegion, filesystem_of

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20
SHM = Path("/dev/shm")  # noqa: S108  the point: memory that looks like a disk


def has_direct_io(folder: Path) -> bool:
    try:
        FileRegion(folder / "probe", ALIGNMENT, direct=True).close(delete=True)
    except Missing:
        return False
    return True


@pytest.fixture(params=["buffered", "direct"])
def region(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FileRegion]:
    direct = request.param == "direct"
    if direct and not has_direct_io(tmp_path):
        pytest.skip(f"no direct I/O at {tmp_path}")
    made = FileRegion(tmp_path / "region", 9 * MIB + 1000, direct=direct)
    yield made
    made.close(delete=True)


def counted(table: Path, name: str) -> str:
    return next(line.split()[1] for line in table.read_text().splitlines() if line.startswith(name))


def random_bytes(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, count, np.uint8)


def test_a_region_says_what_it_is(region: FileRegion, tmp_path: Path) -> None:
    """Kind, place and flags are those of the open file, and the space is really taken."""
    found = os.fstat(region.device)
    flags = int(counted(Path(f"/proc/self/fdinfo/{region.device}"), "flags"), 8)
    assert (region.kind, region.address, region.emulated) == ("file", 0, False)
    assert found.st_size == region.nbytes == 9 * MIB + 1000
    assert found.st_blocks * 512 >= region.nbytes
    assert found.st_mode & 0o777 == 0o600
    assert bool(flags & os.O_DIRECT) == (region.allocation == "direct")
    assert region.volume == f"{os.major(found.st_dev)}:{os.minor(found.st_dev)}"
    assert region.filesystem == filesystem_of(tmp_path) != "unknown"


@pytest.mark.parametrize("offset", [0, 1, 511, ALIGNMENT, 4 * MIB - 3])
def test_what_is_written_is_read_and_nothing_else_changes(region: FileRegion, offset: int) -> None:
    """At any offset, over several pieces, up to the last byte of a file that does not end with a block."""
    whole = random_bytes(region.nbytes)
    region.write(0, whole)
    piece = random_bytes(region.nbytes - offset - 7, seed=2)
    region.write(offset, piece)
    whole[offset : offset + len(piece)] = piece
    out = np.empty(region.nbytes, np.uint8)
    region.read(0, out)
    np.testing.assert_array_equal(out, whole)
    part = np.empty(len(piece), np.uint8)
    region.read(offset, part)
    np.testing.assert_array_equal(part, piece)
    assert region.path.read_bytes() == whole.tobytes()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40000), st.integers(0, 9000)), min_size=1, max_size=6))
def test_any_writes_are_what_a_numpy_array_holds(region: FileRegion, pieces: list[tuple[int, int]]) -> None:
    expected = np.zeros(50000, np.uint8)
    region.write(0, expected)
    for seed, (offset, count) in enumerate(pieces):
        expected[offset : offset + count] = random_bytes(count, seed)
        region.write(offset, expected[offset : offset + count])
    out = np.ones(50000, np.uint8)
    region.read(0, out)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(("offset", "count"), [(-1, 1), (9 * MIB + 1000, 1), (9 * MIB, 1001), (0, 9 * MIB + 1001)])
def test_bytes_outside_a_region_are_neither_written_nor_read(region: FileRegion, offset: int, count: int) -> None:
    with pytest.raises(IndexError, match="outside a region of"):
        region.write(offset, np.ones(count, np.uint8))
    with pytest.raises(IndexError, match="outside a region of"):
        region.read(offset, np.ones(count, np.uint8))
    assert os.fstat(region.device).st_size == region.nbytes


def test_the_page_cache_is_counted_and_dropped(region: FileRegion) -> None:
    """On a disk: nothing is cached after a drop, all of it after a buffered read, one piece after reading one."""
    if region.filesystem in file._NO_DEVICE:
        pytest.skip("memory is all there is")
    region.write(0, random_bytes(region.nbytes))
    region.drop_cache()
    assert region.cached_bytes() == 0
    with region.path.open("rb", buffering=0) as plain:
        os.posix_fadvise(plain.fileno(), 0, 0, os.POSIX_FADV_RANDOM)  # no reading ahead
        plain.read(MIB)
        assert region.cached_bytes() == MIB
        assert len(plain.read(region.nbytes)) == region.nbytes - MIB
    assert region.cached_bytes() == region.nbytes


def test_reading_asks_the_device_and_not_the_page_cache(region: FileRegion) -> None:
    """Bytes are fetched from the block layer although the cache has them; the kernel's own count says so."""
    data = random_bytes(region.nbytes)
    region.write(0, data)
    before = read_from_device()
    out = np.empty(region.nbytes, np.uint8)
    region.read(0, out)
    if region._uncached is None:
        pytest.skip("no direct I/O")
    assert read_from_device() - before >= region.nbytes
    np.testing.assert_array_equal(out, data)


def read_from_device() -> int:
    return int(counted(Path("/proc/self/io"), "read_bytes"))


def test_reading_without_direct_io_flushes_and_drops_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FileRegion, "_open_uncached", lambda _self: None)
    region = FileRegion(tmp_path / "region", MIB + 5, direct=False)
    data = random_bytes(region.nbytes)
    region.write(0, data)
    out = np.empty(MIB, np.uint8)
    region.read(5, out)
    np.testing.assert_array_equal(out, data[5:])
    with pytest.raises(Missing, match=r"has no direct I/O") as caught:
        FileRegion(tmp_path / "direct", MIB, direct=True)
    assert (caught.value.code, caught.value.exit_code) == ("no-direct-io", Exit.MISSING)
    assert "--scratch DIR" in caught.value.hint
    assert not (tmp_path / "direct").exists()
    region.close()


def test_direct_io_is_refused_where_there_is_no_device() -> None:
    """Linux 6.6 opens a file on tmpfs with O_DIRECT and ignores it."""
    if not os.access(SHM, os.W_OK) or filesystem_of(SHM) != "tmpfs":
        pytest.skip("no tmpfs")
    name = SHM / f"kvgauge-test-{os.getpid()}"
    with pytest.raises(Missing, match="tmpfs at /dev/shm has no direct I/O"):
        FileRegion(name, MIB, direct=True)
    assert not name.exists()
    region = FileRegion(name, MIB, direct=False)
    assert (region.allocation, region.filesystem) == ("buffered", "tmpfs")
    data = random_bytes(MIB)
    region.write(0, data)
    out = np.empty(MIB, np.uint8)
    region.read(0, out)
    np.testing.assert_array_equal(out, data)
    region.close(delete=True)


def test_a_second_region_of_the_same_file_sees_it_and_does_not_change_it(region: FileRegion) -> None:
    data = random_bytes(region.nbytes)
    region.write(0, data)
    second = FileRegion.opened(region.path, direct=region.allocation == "direct")
    assert second.nbytes == region.nbytes
    out = np.empty(region.nbytes, np.uint8)
    second.read(0, out)
    np.testing.assert_array_equal(out, data)
    second.close()
    with pytest.raises(Missing, match=f"{region.nbytes} bytes, {region.nbytes + 1} are needed"):
        FileRegion(region.path, region.nbytes + 1, direct=False, create=False)
    assert region.path.read_bytes() == data.tobytes()


def test_a_file_of_the_same_name_that_is_ours_starts_anew(tmp_path: Path) -> None:
    (tmp_path / "left").write_bytes(b"x" * 100)
    region = FileRegion(tmp_path / "left", 50, direct=False)
    assert region.path.read_bytes() == bytes(50)
    region.close()


def test_what_is_not_a_plain_file_of_ours_is_left_alone(tmp_path: Path) -> None:
    """A link, a second name, a pipe, a folder: another's data, or no data at all."""
    target = tmp_path / "precious"
    target.write_bytes(b"precious")
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "second").hardlink_to(target)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("link", "second", "pipe", "folder", "nosuch/file"):
        with pytest.raises(Missing, match=name):
            FileRegion(tmp_path / name, 4096, direct=False)
    assert target.read_bytes() == b"precious"
    with pytest.raises(Missing, match=r"no file .*absent"):
        FileRegion.opened(tmp_path / "absent", direct=False)


def test_a_full_disk_is_missing_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder, the need and what is free are named; the disk is not filled to find that out."""
    with pytest.raises(Missing, match=f"{tmp_path} has no room for {1 << 60} bytes .*: \\d+ are free") as caught:
        FileRegion(tmp_path / "huge", 1 << 60, direct=False)
    assert caught.value.code == "no-space"
    monkeypatch.setattr(os, "posix_fallocate", lambda *_: (_ for _ in ()).throw(OSError(errno.EDQUOT, "quota")))
    with pytest.raises(Missing, match="Disk quota exceeded"):
        FileRegion(tmp_path / "quota", 4096, direct=False)
    assert list(tmp_path.iterdir()) == []


def test_no_bytes_are_no_region(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="0 bytes"):
        FileRegion(tmp_path / "nothing", 0, direct=False)


def test_closing_frees_descriptors_and_deletes_only_when_asked(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for delete in (False, True):
        region = FileRegion(tmp_path / "region", 4096, direct=False)
        region.close(delete=delete)
        region.close()
        assert region.path.exists() is not delete
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_mount_points_with_blanks_and_mounts_over_mounts_are_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = (
        "1 0 8:1 / / rw - ext4 /dev/a rw\n"
        f"2 1 8:2 / {str(tmp_path).replace(' ', chr(92) + '040')}/a\\040b rw shared:1 - xfs /dev/b rw\n"
        f"3 1 8:3 / {tmp_path}/twice rw - xfs /dev/c rw\n4 1 8:4 / {tmp_path}/twice rw - btrfs /dev/d rw\n"
    )
    lines = file._mounts
    (tmp_path / "table").write_text(table)
    monkeypatch.setattr(file, "_mounts", lambda: lines(tmp_path / "table"))
    assert filesystem_of(tmp_path / "a b" / "deep") == "xfs"
    assert filesystem_of(tmp_path / "a") == "ext4"
    assert filesystem_of(tmp_path / "twice") == "btrfs"
