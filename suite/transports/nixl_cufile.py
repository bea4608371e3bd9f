"""cuFile's own configuration, as far as it decides whether a request of NIXL's GDS can finish."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.transports.storage_evidence import NVIDIA_FS

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_FILE = 1 << 20
_COMMENT = re.compile(r'("(?:[^"\\\n]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRUE = frozenset({"1", "true", "yes", "on"})
_DEFAULT_KIB, _DEFAULT_COUNT = (4, 1024, 16384), (128, 64, 64)  # cuFile 1.14 without a file, from its log
_MOST = 1 << 20  # no real pool is larger; other numbers are garbage
_REQUEST_KIB = 1024


@dataclass(frozen=True, order=True)
class Slab:
    """cuFile's bounce buffers of one size, for compat mode."""

    nbytes: int
    count: int


def posix_pool(environment: Mapping[str, str]) -> tuple[Slab, ...]:
    """Return the pool that the file named by `CUFILE_ENV_PATH_JSON` configures, smallest buffers first.

    cuFile's defaults where there is no such file, or nothing about the pool in it.
    """
    properties = _properties(environment)
    sizes = _numbers(properties.get("posix_pool_slab_size_kb"), _DEFAULT_KIB)
    counts = _numbers(properties.get("posix_pool_slab_count"), _DEFAULT_COUNT)
    return tuple(sorted(Slab(size << 10, count) for size, count in zip(sizes, counts, strict=False)))


def largest_request(environment: Mapping[str, str]) -> int:
    """Return how many bytes a request of a batch may have in compat mode, whatever its memory: `per_buffer_cache_size_kb`.

    cuFile calls it the maximum shadow buffer size; seen with 1.14, for aligned requests as well.
    """
    return _numbers([_properties(environment).get("per_buffer_cache_size_kb")], (_REQUEST_KIB,))[0] << 10


def compat_certain(environment: Mapping[str, str], nvidia_fs: Path = NVIDIA_FS) -> bool:
    """Return whether cuFile can only work in compat mode: it was told to, or has neither nvidia-fs nor PCI P2PDMA.

    False says nothing: cuFile decides file by file.
    """
    properties = _properties(environment)
    if _true(environment.get("CUFILE_FORCE_COMPAT_MODE")) or _true(properties.get("force_compat_mode")):
        return True
    p2p = environment.get("CUFILE_USE_PCIP2PDMA", properties.get("use_pci_p2pdma"))
    return not nvidia_fs.exists() and not _true(p2p)


def _properties(environment: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the section that holds them; empty for a file that is missing, too large or not understood."""
    name = environment.get("CUFILE_ENV_PATH_JSON", "")
    if not name:
        return {}
    try:
        with Path(name).open("rb") as file:
            text = file.read(_MAX_FILE).decode("utf-8", errors="replace")
        read = json.loads(_COMMENT.sub(lambda match: match[1] or " ", text))
    except (OSError, ValueError, RecursionError):
        return {}
    properties = read.get("properties") if isinstance(read, dict) else None
    return properties if isinstance(properties, dict) else {}


def _numbers(value: object, default: tuple[int, ...]) -> tuple[int, ...]:
    if isinstance(value, list) and value and all(type(number) is int and 0 < number <= _MOST for number in value):
        return tuple(value)
    return default


def _true(value: object) -> bool:
    return str(value).lower() in _TRUE
