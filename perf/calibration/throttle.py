"""A block device of known rate: the kernel's own limit for the processes of one control group.

The limit is that of the block layer (`io.max` of version 2, `blkio.throttle` of version 1), so
everything above it is as it always is: the file system, O_DIRECT, the transport. Others on the
machine are not slowed down. The group goes when we do, also after SIGKILL: a waiting
process removes it at the end of its input, which is ours.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from suite.errors import Missing
from suite.run.janitor import janitor

if TYPE_CHECKING:
    from collections.abc import Iterator

_HINT = "run it as root, outside of a container, with a scratch folder on a disk: --scratch DIR"
# workers that are being killed may still be in the group for a moment
_REMOVE = 'n=0; while [ -d "$1" ] && [ $n -lt 50 ] && ! rmdir -- "$1" 2> /dev/null; do n=$((n+1)); sleep 0.1; done'


@dataclass(frozen=True)
class Throttle:
    """A control group whose processes move at most so many bytes per second to or from one device."""

    folder: Path
    device: str  # "254:0"
    version: Literal[1, 2]

    @property
    def enter(self) -> tuple[str, ...]:
        """The command that starts another one inside the group, as the same process."""
        return ("/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.folder / "cgroup.procs"))

    def limit(self, way: Literal["read", "write"], bytes_per_s: int) -> None:
        """Set the limit one way."""
        if self.version == 1:
            file, rule = f"blkio.throttle.{way}_bps_device", f"{self.device} {bytes_per_s}"
        else:
            file, rule = "io.max", f"{self.device} {way[0]}bps={bytes_per_s}"
        try:
            (self.folder / file).write_text(rule, encoding="ascii")
        except OSError as error:
            raise Missing("no-limit", f"{file} refuses {rule}: {error.strerror}", _HINT) from error


@contextmanager
def throttled(folder: Path) -> Iterator[Throttle]:
    """Make a control group for the device that `folder` is on; `Missing` where the machine does not let us."""
    device = _device(folder)
    root, version = _root()
    try:
        group = Path(tempfile.mkdtemp(prefix="kvgauge-", dir=root))
    except OSError as error:
        raise Missing("no-control-group", f"no control group in {root}: {error.strerror}", _HINT) from error
    with janitor(_REMOVE, group):
        yield Throttle(group, device, version)


def _root(mounts: Path = Path("/proc/self/mountinfo")) -> tuple[Path, Literal[1, 2]]:
    """Return where control groups with a limit for block devices are made, and their version."""
    for line in mounts.read_text("utf-8", errors="surrogateescape").splitlines():
        before, _, after = line.partition(" - ")
        place, kind, options = Path(before.split(" ")[4]), after.split(" ")[0], after.split(" ")[-1]
        if kind == "cgroup" and "blkio" in options.split(","):
            return place, 1
        if kind == "cgroup2" and "io" in _words(place / "cgroup.subtree_control"):
            return place, 2
    raise Missing("no-control-group", "no control group can limit a block device here", _HINT)


def _device(folder: Path) -> str:
    """Return the numbers of the whole disk that `folder` is on: limits are for disks, not for partitions."""
    found = folder.stat().st_dev
    block = Path(f"/sys/dev/block/{os.major(found)}:{os.minor(found)}")
    if not block.exists():
        raise Missing("no-block-device", f"{folder} is on no block device of its own (tmpfs, overlay, btrfs?)", _HINT)
    disk = block.resolve().parent if (block / "partition").exists() else block
    return (disk / "dev").read_text("ascii").strip()


def _words(path: Path) -> list[str]:
    try:
        return path.read_text("ascii", errors="replace").split()
    except OSError:
        return []
