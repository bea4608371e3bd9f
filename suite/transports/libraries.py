"""Whether a shared library could be loaded, judged by files: the supervisor loads none of them."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/cuda/lib64")


def absent(names: Iterable[str]) -> list[str]:
    """Return those of `names` (such as `libcuda.so.1`) that no folder of the loader, nor a wheel, has."""
    folders = list(_folders())
    return [name for name in names if not any((folder / name).exists() for folder in folders)]


def _folders() -> Iterator[Path]:
    for text in os.environ.get("LD_LIBRARY_PATH", "").split(":"):
        if text:
            yield Path(text)
    for text in _SYSTEM:
        yield Path(text)
        yield from Path(text).glob("*-linux-gnu")  # Debian's and Ubuntu's folders for an architecture
    yield from Path(sysconfig.get_path("purelib")).glob("nvidia/*/lib")
