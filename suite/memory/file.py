"""A file as registered memory: reserved space, transferred with or without the page cache."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn

import numpy as np

from suite.errors import BadInput, Missing
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

ALIGNMENT = 4096  # bytes: enough for O_DIRECT on disks with sectors of 512 and of 4096
_CHUNK = 4 << 20
_NO_DEVICE = frozenset(
    {"tmpfs", "ramfs", "devtmpfs", "hugetlbfs"}
)  # Linux 6.6 lets tmpfs take O_DIRECT, and ignores it
_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
_CHOOSE = "name a folder on ext4 or xfs (--scratch DIR), or transfer buffered"


class FileRegion:
    """`nbytes` of `path`, reserved on the device when made; descriptors are offsets into it.

    `device` is the descriptor that transports use; with `direct` it is open
    with O_DIRECT, and memory, offset and length of a transfer are multiples of
    `ALIGNMENT`. Content is read and written through a second descriptor, at
    any offset. Reserved space that was never written reads as zeros without a
    look at the device: write it before you measure reading. `filesystem` is
    the mount table's word, `volume` its device as `major:minor`.

    Raises `Missing` where the folder has no space, refuses the file, or its
    file system has no O_DIRECT. A file that is there already is taken only if
    it is this user's own, and loses its content; with `create` False it must be
    there, is left as it is, and `nbytes` may at most be its size.
    """

    kind: Literal["host", "cuda", "file"] = "file"
    address = 0
    emulated = False

    def __init__(self, path: Path, nbytes: int, *, direct: bool, create: bool = True) -> None:
        if nbytes <= 0:
            raise BadInput("empty-file", f"a file region of {nbytes} bytes at {path}", "ask for at least one byte")
        self.path = path
        self.nbytes = nbytes
        self.allocation = "direct" if direct else "buffered"
        self.filesystem = filesystem_of(path.parent)
        with contextlib.ExitStack() as undo:
            self._content = _open(path, create=create)
            undo.callback(os.close, self._content)
            if create:
                undo.callback(path.unlink, missing_ok=True)
                _reserve(self._content, path, nbytes)
            found = os.fstat(self._content)
            if found.st_size < nbytes:
                raise Missing(
                    "file-too-short", f"{path} has {found.st_size} bytes, {nbytes} are needed", "create it anew"
                )
            self.volume = f"{os.major(found.st_dev)}:{os.minor(found.st_dev)}"
            self._uncached = self._open_uncached()  # None where the file system has no O_DIRECT
            undo.callback(lambda: None if self._uncached is None else os.close(self._uncached))
            if direct and self._uncached is None:
                raise Missing(
                    "no-direct-io", f"{self.filesystem} at {path.parent} has no direct I/O (O_DIRECT)", _CHOOSE
                )
            self.device = self._reopen(os.O_DIRECT if direct else 0)
            undo.pop_all()

    @classmethod
    def opened(cls, path: Path, *, direct: bool) -> FileRegion:
        """Return the file that another process created, whole and as it is."""
        try:
            nbytes = path.lstat().st_size
        except OSError as error:
            raise Missing("no-file", f"no file {path}: {error.strerror}", "its creator makes it first") from error
        return cls(path, nbytes, direct=direct, create=False)

    def write(self, offset: int, data: NDArray[np.uint8]) -> None:
        """Write `data` at `offset` and wait until the device has it; the page cache keeps a copy (`drop_cache`)."""
        self._inside(offset, len(data))
        for start in range(0, len(data), _CHUNK):
            _write_all(self._content, data[start : start + _CHUNK], offset + start)
        os.fdatasync(self._content)

    def read(self, offset: int, out: NDArray[np.uint8]) -> None:
        """Fill `out` from `offset`, from the device and not from the page cache.

        With O_DIRECT the kernel writes dirty pages back and then asks the
        device; file systems that compress, checksum or encrypt may still
        answer from memory. Where there is no O_DIRECT, written pages are
        flushed and dropped first, which the kernel does as far as it can
        (`cached_bytes` tells), and on tmpfs memory is all there is.
        """
        self._inside(offset, len(out))
        if self._uncached is not None:
            self._read_uncached(self._uncached, offset, out)
            return
        self.drop_cache()
        for start in range(0, len(out), _CHUNK):
            _read_all(self._content, out[start : start + _CHUNK], offset + start)

    def sync(self) -> None:
        """Wait until everything written so far, by whomever, is on the device."""
        os.fdatasync(self._content)

    def drop_cache(self) -> None:
        """Flush the file and ask the kernel to forget its pages."""
        os.fdatasync(self._content)
        os.posix_fadvise(self._content, 0, 0, os.POSIX_FADV_DONTNEED)

    def cached_bytes(self) -> int:
        """Return how many bytes of the region are in the page cache now (`mincore`)."""
        with mmap.mmap(self._content, self.nbytes, prot=mmap.PROT_READ) as pages:
            whole = np.frombuffer(pages, np.uint8)
            resident = np.zeros(-(-self.nbytes // mmap.PAGESIZE), np.uint8)
            failed = _libc.mincore(whole.ctypes.data, self.nbytes, resident.ctypes.data)
            del whole  # a mapping with a view of it cannot be closed
        if failed:
            raise OSError(ctypes.get_errno(), f"mincore of {self.path}: {os.strerror(ctypes.get_errno())}")
        return min(self.nbytes, int(np.count_nonzero(resident & 1)) * mmap.PAGESIZE)

    def close(self, *, delete: bool = False) -> None:
        """Close the descriptors; with `delete` the file goes too. Closing twice is no error."""
        for descriptor in (self.device, self._content, self._uncached):
            if descriptor is not None and descriptor >= 0:
                os.close(descriptor)
        self.device = self._content = -1
        self._uncached = None
        if delete:
            self.path.unlink(missing_ok=True)

    def _open_uncached(self) -> int | None:
        """Return a descriptor with O_DIRECT that really reads, or None."""
        if self.filesystem in _NO_DEVICE:
            return None
        descriptor = -1
        try:
            descriptor = self._reopen(os.O_DIRECT)
            os.preadv(descriptor, [_aligned(ALIGNMENT)], 0)
        except OSError as error:
            if descriptor >= 0:
                os.close(descriptor)
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                raise
            return None
        return descriptor

    def _reopen(self, flags: int) -> int:
        """Open the same file again with other flags; by its path another file could have come in its place."""
        return os.open(f"/proc/self/fd/{self._content}", os.O_RDWR | os.O_CLOEXEC | flags)

    def _read_uncached(self, descriptor: int, offset: int, out: NDArray[np.uint8]) -> None:
        """Read aligned pieces that cover what is wanted; the last may end with the file."""
        buffer = np.frombuffer(_aligned(_CHUNK), np.uint8)
        at, end = offset, offset + len(out)
        while at < end:
            start = at - at % ALIGNMENT
            wanted = min(_CHUNK, -(-(end - start) // ALIGNMENT) * ALIGNMENT)
            got = os.preadv(descriptor, [buffer[:wanted].data], start)
            until = min(start + got, end)
            if until <= at:
                _short(self.path, at)
            out[at - offset : until - offset] = buffer[at - start : until - start]
            at = until

    def _inside(self, offset: int, count: int) -> None:
        if offset < 0 or offset + count > self.nbytes:
            raise IndexError(f"{count} bytes at {offset} are outside a region of {self.nbytes}")


def filesystem_of(folder: Path) -> str:
    """Return the type of the file system that `folder` is on, such as ext4; "unknown" if no mount point fits."""
    place = folder.resolve()
    best, name = -1, "unknown"
    for point, kind in _mounts():
        if len(point.parts) >= best and place.is_relative_to(point):  # of two mounted on one place the later counts
            best, name = len(point.parts), kind
    return name


def _mounts(table: Path = Path("/proc/self/mountinfo")) -> Iterator[tuple[Path, str]]:
    """Yield mount point and type; proc_pid_mountinfo(5)."""
    for line in table.read_text("utf-8", errors="surrogateescape").splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4])
        yield Path(point), after.split(" ")[0]


def _open(path: Path, *, create: bool) -> int:
    """Return a descriptor of this user's own regular file; nothing else is touched."""
    try:
        descriptor = os.open(path, _FLAGS | (os.O_CREAT if create else 0), 0o600)
    except OSError as error:
        raise Missing(
            "no-file", f"cannot open {path}: {error.strerror}", "name a folder of yours (--scratch DIR)"
        ) from error
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_nlink == 1:
        return descriptor
    os.close(descriptor)
    raise Missing(
        "not-our-file", f"{path} is not a plain file of this user with one name", "remove it, or use another folder"
    )


def _reserve(descriptor: int, path: Path, nbytes: int) -> None:
    """Empty the file and reserve its space; without that a full disk shows in mid-transfer."""
    os.ftruncate(descriptor, 0)
    room = os.statvfs(path.parent)
    free = room.f_bavail * room.f_frsize
    why = "file system full"
    try:
        if nbytes <= free:  # asked first: the kernel would fill the disk before it says that it is full
            os.posix_fallocate(descriptor, 0, nbytes)
            return
    except OSError as error:
        why = os.strerror(error.errno or 0)
    raise Missing(
        "no-space",
        f"{path.parent} has no room for {nbytes} bytes ({format_bytes(nbytes)}): {free} are free ({why})",
        "use a smaller working set, or another folder (--scratch DIR)",
    )


def _write_all(descriptor: int, data: NDArray[np.uint8], offset: int) -> None:
    rest = np.ascontiguousarray(data).data
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written


def _read_all(descriptor: int, out: NDArray[np.uint8], offset: int) -> None:
    done = 0
    while done < len(out):
        data = os.pread(descriptor, len(out) - done, offset + done)
        if not data:
            _short(Path(f"/proc/self/fd/{descriptor}"), offset + done)
        out[done : done + len(data)] = np.frombuffer(data, np.uint8)
        done += len(data)


def _aligned(nbytes: int) -> mmap.mmap:
    """Return memory that starts at a page, as O_DIRECT wants it."""
    return mmap.mmap(-1, nbytes)


def _short(path: Path, offset: int) -> NoReturn:
    raise OSError(errno.EIO, f"{path} ends at {offset}: somebody has cut it")


_libc = ctypes.CDLL(None, use_errno=True)
_libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
