"""What carried the data between memory and a file, as the process itself and cuFile tell it."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from suite.transports.evidence import WireEvidence, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from suite.transports.base import Op

NVIDIA_FS = Path("/proc/driver/nvidia-fs")
MAX_LOG = 4 << 20  # bytes: what matters stands at the opening of the driver
_MAX_STATS = 1 << 20
_MAX_LINE = 1000
_LOG_LINE = re.compile(
    r" ?\S{1,20} \S{1,20} \[pid=(?P<pid>\d{1,10}) tid=\d{1,10}\] \w{1,10} +\S{1,60} (?P<text>.*)", re.ASCII
)
_COMPAT = re.compile(r"running in compatible mode|forcing cufile into compatible mode|operating on compatible mode\.")
_COUNTED = re.compile(r"(?P<what>Reads|Writes) +: n=\d{1,19} ok=(?P<ok>\d{1,19}) ", re.ASCII)
_TRUE = frozenset({"y", "yes", "on", "1", "true", "enable"})  # as NIXL reads a parameter, in any case


def io_queues() -> Counter[str]:
    """Count this process's I/O queues: Linux AIO contexts are mappings named [aio], io_uring instances descriptors."""
    queues: Counter[str] = Counter()
    maps = Path("/proc/self/maps").read_text("utf-8", errors="replace")
    queues["aio"] = sum("/[aio]" in line for line in maps.splitlines())
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            queues["uring"] += "[io_uring]" in str(descriptor.readlink())
        except OSError:  # the one that listed the folder is closed by now
            continue
    return queues


def posix_wire(op: Op, made: Counter[str], settings: Mapping[str, str], *, direct: bool | None) -> WireEvidence:
    """Return what the POSIX back end moved the bytes with.

    `made` are the queues that came with the back end. glibc's own AIO leaves no
    trace but threads: it is named only where it was asked for, as the back end
    refuses a form that it lacks, and no other queue came.
    """
    forms = [name for name in ("aio", "uring") if made[name] > 0]
    if not forms and asked_for_posixaio(settings):
        forms, source = ["posixaio"], "use_posix_aio, and no kernel queue of this process"
    else:
        source = "kernel queues of this process (/proc/self)"
    if len(forms) != 1:
        return unknown(f"the POSIX back end made {' and '.join(forms) or 'no'} kernel queue that tells how it works")
    if direct is None:
        return unknown("no file was registered")
    how = "direct" if direct else "buffered"
    detail = "O_DIRECT is set" if direct else "through the page cache"
    return WireEvidence(f"posix {forms[0]}, {how}", source, operation=str(op), detail=detail, reach="storage")


def asked_for_posixaio(settings: Mapping[str, str]) -> bool:
    """Return whether the settings name glibc's AIO as the form of I/O."""
    return settings.get("use_posix_aio", "").lower() in _TRUE


@dataclass(frozen=True)
class CuFileWatch:
    """What cuFile's log and nvidia-fs said when an endpoint was opened: all that comes later is about it."""

    log: Path | None
    start: int  # bytes of the log that are older
    counted: Mapping[str, int]  # by nvidia-fs

    @classmethod
    def begin(cls, environment: Mapping[str, str]) -> CuFileWatch:
        """Note where things stand, before the back end exists."""
        name = environment.get("CUFILE_LOGFILE_PATH")
        log = Path(name) if name else None
        return cls(log, log.stat().st_size if log and log.exists() else 0, read_nvidia_fs())

    def compat(self) -> bool:
        """Return whether cuFile has said that it runs in compat mode."""
        return says_compat(self._logged(), os.getpid())

    def wire(self, op: Op) -> WireEvidence:
        """Return in which mode cuFile worked; unknown where neither its log nor nvidia-fs proves it."""
        if self.compat():
            detail = "cuFile in compat mode: POSIX I/O, and bounce buffers for device memory"
            return WireEvidence("gds compat", "cufile.log", operation=str(op), detail=detail, reach="storage")
        name = "writes" if op == "STORE" else "reads"
        count = read_nvidia_fs().get(name, 0) - self.counted.get(name, 0)
        if count > 0:
            detail = f"nvidia-fs counted {count} {name}, those of other processes included"
            return WireEvidence("gds", str(NVIDIA_FS / "stats"), str(op), detail, reach="storage", count=count)
        return unknown(
            "cuFile's log does not say compat mode, and nvidia-fs counted nothing"
            if self.log
            else "CUFILE_LOGFILE_PATH names no log of cuFile's, and nvidia-fs counted nothing"
        )

    def _logged(self) -> str:
        if self.log is None:
            return ""
        try:
            with self.log.open("rb") as log:
                log.seek(self.start)
                return log.read(MAX_LOG).decode("utf-8", errors="replace")
        except OSError:
            return ""


def says_compat(log: str, process: int) -> bool:
    """Return whether cuFile says in `log` that `process` runs in compat mode; it does at every opening of its driver.

    Lines of cuFile 1.14, at any log level down to NOTICE and in spite of ERROR:
    ` 24-11-2026 08:57:59:670 [pid=22 tid=22] NOTICE  cufio-drv:855 running in compatible mode`.
    """
    lines = (_LOG_LINE.match(line[:_MAX_LINE]) for line in log[:MAX_LOG].splitlines())
    return any(line is not None and int(line["pid"]) == process and _COMPAT.search(line["text"]) for line in lines)


def read_nvidia_fs(stats: Path = NVIDIA_FS / "stats") -> Mapping[str, int]:
    """Return how many "reads" and "writes" nvidia-fs has served on this machine; nothing where it does not count.

    It counts with its parameter `rw_stats_enabled`. The form is that of its
    version 4.0 statistics, read in NVIDIA's troubleshooting guide; not run.
    """
    try:
        with stats.open("rb") as file:
            text = file.read(_MAX_STATS).decode("utf-8", errors="replace")
    except OSError:
        return {}
    found = (_COUNTED.match(line[:_MAX_LINE]) for line in text.splitlines())
    return {line["what"].lower(): int(line["ok"]) for line in found if line is not None}
