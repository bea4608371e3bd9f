"""The machine as a run finds it: hardware, versions, load, and an environment without secrets."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PACKAGES = (
    "kvgauge",
    "libucx-cu12",
    "libucx-cu13",
    "mooncake-transfer-engine",
    "mooncake-transfer-engine-non-cuda",
    "nixl-cu12",
    "nixl-cu13",
    "numpy",
    "scipy",
    "pandas",
    "matplotlib",
    "torch",
    "ucxx-cu12",
    "ucxx-cu13",
)
STEERING = ("DYN_KVBM_", "NIXL_", "UCX_", "CUFILE_", "TRTLLM_", "MC_")  # variables that reach the engines under test

REDACTED = "<redacted>"
_SECRET_NAME = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE|AUTH|COOKIE|_KEY$|^KEY$|(?<!BY)PASS$|_PWD$",
    re.I,
)
_SECRET_VALUE = re.compile(
    r"(?<=://)[^/\s]+(?=@)"  # user, :password or token in a URL
    r"|\b(?:gh[pousr]_|github_pat_|hf_|sk-|xox[baprs]-|glpat-|AKIA|ASIA)[A-Za-z0-9_\-]{8,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # JSON web token
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*"
    r"|(?i:(?<=bearer )|(?<=authorization: basic ))\S+",
    re.DOTALL,
)
_ASSIGNED = re.compile(  # --password=x, ?token=x&, AccountKey=x; and "secret": "x" inside a longer text; not --tokens=4096
    r"((?:TOKEN(?!IZ|S=\d+\b)|SECRET|PASSW|PASSPHRASE|CREDENTIAL|(?:API|ACCESS|ACCOUNT|PRIVATE)[_-]?KEY|SIGNATURE|COOKIE)"
    r"[\w-]*(?:\s*=\s*|[\"']\s*:\s*|:\s+)[\"']?)[^\s&;,\"']+",
    re.I,
)
_MAX_VALUE = 4_000


def redact(text: str) -> str:
    """Return `text` without what looks like a secret, and with the home folder as `~`."""
    looked_at = text[: 2 * _MAX_VALUE]  # a bound on the time that hostile text can take
    shown = _ASSIGNED.sub(rf"\1{REDACTED}", _SECRET_VALUE.sub(REDACTED, looked_at))
    home = os.path.expanduser("~")  # noqa: PTH111  Path.home() raises where there is no home
    if len(home) > 1:
        shown = re.sub(rf"{re.escape(home)}(?![\w.-])", "~", shown)
    if len(looked_at) < len(text):  # half a secret is not recognised: what the cut may have halved goes too
        shown = shown[:-_MAX_VALUE]
    return shown[:_MAX_VALUE]


def redacted_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment fit for disk: secrets replaced, names kept."""
    return {
        redact(name): REDACTED if _SECRET_NAME.search(name) else redact(value)
        for name, value in sorted(environment.items())
    }


def redacted_command(arguments: Iterable[str]) -> list[str]:
    """Return a command line fit for disk."""
    return [
        REDACTED if not argument.startswith("--") and _names_a_secret(option, argument) else redact(argument)
        for option, argument in pairwise(["", *arguments])
    ]


def _names_a_secret(option: str, argument: str) -> bool:
    return option.startswith("-") and "=" not in option and bool(_ASSIGNED.search(f"{option}={argument}"))


def describe() -> dict[str, str | int]:
    """Return what a reader needs to judge a number: processor, memory, kernel, pages."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "os": _os_name(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "huge_pages": _chosen(Path("/sys/kernel/mm/transparent_hugepage/enabled")),
        "cpu_governor": _read(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")) or "unknown",
        "ptrace_scope": _read(Path("/proc/sys/kernel/yama/ptrace_scope")) or "no Yama",
    }


def versions() -> dict[str, str]:
    """Return the installed versions of the packages that matter, without importing them."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def separate_cpus(count: int, among: Iterable[int] = ()) -> list[int]:
    """Return `count` CPUs that this process may use, no two threads of one core as long as there are cores left.

    Those of `among` are used alone, if this process may use any of them.
    """
    mine = os.sched_getaffinity(0)
    allowed = sorted(mine & set(among) or mine)
    first_of_core = {_siblings(cpu) & set(allowed): cpu for cpu in reversed(allowed)}
    ordered = [*sorted(first_of_core.values()), *(cpu for cpu in allowed if cpu not in first_of_core.values())]
    return [ordered[number % len(ordered)] for number in range(count)]


def _siblings(cpu: int) -> frozenset[int]:
    """Return the threads of the core that `cpu` is one of; `cpu` alone where the kernel does not say."""
    text = _read(Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"))
    ranges = [part.partition("-") for part in text.split(",") if part]
    return frozenset(n for low, _, high in ranges for n in range(int(low), int(high or low) + 1)) | {cpu}


def load_average() -> float:
    """Return the one-minute load average."""
    return os.getloadavg()[0]


def available_bytes() -> int:
    """Return the memory that can still be had: the smaller of the kernel's estimate and the control group's room."""
    meminfo = re.search(r"MemAvailable:\s+(\d+) kB", _read(Path("/proc/meminfo")))
    free = int(meminfo[1]) << 10 if meminfo else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    return min([free, *(room for group in _control_groups() if (room := _room(group)) is not None)])


def _control_groups() -> list[Path]:
    """Return the folders of this process's control group and of those around it (version 2)."""
    root = Path("/sys/fs/cgroup")
    own = re.search(r"^0::/(.*)$", _read(Path("/proc/self/cgroup")), re.MULTILINE)
    group = root / own[1] if own and ".." not in own[1] else root
    return [group, *(parent for parent in group.parents if parent.is_relative_to(root))]


def _room(group: Path) -> int | None:
    """Return what may still be taken in a control group, page cache that can be dropped included; None: no limit."""
    limit, used = _read(group / "memory.max"), _read(group / "memory.current")
    if not (limit.isdigit() and used.isdigit()):
        return None
    cache = re.search(r"^inactive_file (\d+)$", _read(group / "memory.stat"), re.MULTILINE)
    return int(limit) - int(used) + (int(cache[1]) if cache else 0)


def _cpu_model() -> str:
    found = re.search(r"model name\s*:\s*(.+)", _read(Path("/proc/cpuinfo")))
    return found[1] if found else platform.processor() or "unknown"


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")
    except OSError:
        return "unknown"


def _chosen(path: Path) -> str:
    """Return the bracketed word of a file like `always [madvise] never`."""
    found = re.search(r"\[(\w+)\]", _read(path))
    return found[1] if found else "unknown"


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""
