"""Faults that a process does to itself: of its disk, and of its device."""

from __future__ import annotations

import errno
import os
import resource
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_BALLAST = ".ballast"
_CHUNK = 1 << 20


def spoil(what: str, file: Any) -> None:
    """Bring about "full", "quota" or "read-only" for a `FileRegion`."""
    if what == "full":
        _fill(file.path, file.nbytes)
    elif what == "quota":
        limit_files(file.nbytes // 2)
    else:
        _reopen(file.device, file.path, os.O_RDONLY)


def mend(what: str, file: Any) -> None:
    """Take it back."""
    if what == "full":
        file.path.with_suffix(_BALLAST).unlink()
    elif what == "quota":
        limit_files(resource.RLIM_INFINITY)
    else:
        _reopen(file.device, file.path, os.O_RDWR)


def limit_files(nbytes: int) -> None:
    """Let no file of this process be written beyond so many bytes: EFBIG, as Python ignores SIGXFSZ."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most if nbytes == resource.RLIM_INFINITY else nbytes, most))


def _fill(path: Path, nbytes: int) -> None:
    """Make the file a hole, and take all room of its disk, which is a small one of ours."""
    os.truncate(path, 0)
    os.truncate(path, nbytes)
    with path.with_suffix(_BALLAST).open("wb", buffering=0) as ballast:
        for size in (_CHUNK, 4096):
            while True:
                try:
                    if ballast.write(bytes(size)) != size:
                        break
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    break


def _reopen(descriptor: int, path: Path, flags: int) -> None:
    """Put another open file behind a descriptor that others have."""
    fresh = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.dup2(fresh, descriptor, inheritable=False)
    finally:
        os.close(fresh)
