"""What a killed sweep could not take away: UCX's files in `/dev/shm`.

UCX makes such a file and unlinks it at once; a process that is killed in between leaves
it. They are told and never removed: where `/dev/shm` is shared with other containers,
whoever has one open may be a process that cannot be seen from here.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from suite.errors import BadInput
from suite.run import manifest
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from suite.run.folder import RunFolder

SHM = Path("/dev/shm")  # noqa: S108  looked at, not written to
_NAMES = "ucx_shm_posix_*"
_MOST = 100


def check_begun(folder: RunFolder) -> None:
    """Raise `BadInput` for a run that was killed before its manifest was written: there is nothing to go on with."""
    if folder.samples.exists() and not folder.manifest.exists():
        message = f"{folder.path} was killed before it measured anything"
        raise BadInput("no-run-yet", message, f"remove {folder.path}, and start it again")


def what_ucx_left(folder: RunFolder, where: Path = SHM) -> Iterator[str]:
    """Yield one sentence if there are files of UCX, younger than the run in `folder`, that nobody who can be seen has open."""
    started = manifest.read(folder.manifest).get("started_at")
    try:
        since = datetime.fromisoformat(str(started)).timestamp()
    except ValueError:
        return
    found = [path for path in sorted(where.glob(_NAMES))[:_MOST] if _ours_since(path, since)]
    held = _held() if found else set()
    left = {path: path.stat().st_size for path in found if path.name not in held and path.exists()}
    if left:
        files = "a file" if len(left) == 1 else f"{len(left)} files"
        yield (
            f"UCX left {files} of {format_bytes(sum(left.values()))} in {where} when it was killed, which no process that can "
            f"be seen has open: rm {' '.join(str(path) for path in left)}"
        )


def _ours_since(path: Path, since: float) -> bool:
    with suppress(OSError):
        status = path.stat()
        return status.st_uid == os.getuid() and status.st_mtime >= since
    return False


def _held() -> set[str]:
    """Return the names of all files that processes have open or mapped, as far as we may look."""
    names: set[str] = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            mapped = (process / "maps").read_text("utf-8", errors="replace").splitlines()
            names.update(line.rpartition("/")[2] for line in mapped)
        with suppress(OSError):
            for one in (process / "fd").iterdir():
                with suppress(OSError):  # it was closed meanwhile
                    names.add(one.readlink().name)
    return names
