"""Whether a shared library could be loaded, and where from, judged by files: the supervisor loads none of them."""

from __future__ import annotations

import os
import re
import site
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/cuda/lib64")
_FROM_WHEELS = ("libcudart.so.12", "libcufile.so.0")  # what NIXL's GDS plug-ins load by these names
_SEPARATORS = re.compile("[:;]")  # of LD_LIBRARY_PATH: glibc, elf/dl-load.c


def library_path(base: Mapping[str, str]) -> str:
    """Return `LD_LIBRARY_PATH` for workers: what `base` has, then the folders of the CUDA runtime's and cuFile's wheels.

    Empty when there is neither; an empty piece would be the working folder, so none is added.
    """
    found = [
        folder
        for folder in map(str, _wheels())
        if not _SEPARATORS.search(folder) and any(Path(folder, name).exists() for name in _FROM_WHEELS)
    ]
    own = base.get("LD_LIBRARY_PATH", "")
    return ":".join([*filter(None, [own]), *(folder for folder in found if folder not in _SEPARATORS.split(own))])


def with_libraries(base: Mapping[str, str]) -> dict[str, str]:
    """Return the environment `base` for workers: as it is, but for `library_path` where that is not empty."""
    path = library_path(base)
    return {**base, "LD_LIBRARY_PATH": path} if path else dict(base)


def absent(names: Iterable[str], environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return those of `names` (such as `libcuda.so.1`) that no folder of the loader in `environment`, nor a wheel, has."""
    folders = list(_folders(environment))
    return [name for name in names if not any((folder / name).exists() for folder in folders)]


def _folders(environment: Mapping[str, str]) -> Iterator[Path]:
    for text in _SEPARATORS.split(environment.get("LD_LIBRARY_PATH", "")):
        if text:
            yield Path(text)
    for text in _SYSTEM:
        yield Path(text)
        yield from Path(text).glob("*-linux-gnu")  # Debian's and Ubuntu's folders for an architecture
    yield from _wheels()


def _wheels() -> Iterator[Path]:
    """Yield the library folders of NVIDIA's wheels, wherever pip puts packages."""
    packages = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    for folder in packages:
        yield from sorted(Path(folder).glob("nvidia/*/lib"))
