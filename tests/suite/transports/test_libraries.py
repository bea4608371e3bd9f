"""Where shared libraries are found, with the loader itself as judge."""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from suite.transports.libraries import absent, library_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Library = Callable[[Path, str], Path]

LOAD = """
import ctypes, json, sys
loaded = {}
for name in sys.argv[1:]:
    try:
        ctypes.CDLL(name)
        loaded[name] = next(line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if line.rstrip().endswith(name))
    except OSError:
        loaded[name] = None
print(json.dumps(loaded))
"""


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that stands for site-packages, and has nothing of NVIDIA's yet."""
    folder = tmp_path / "site packages"
    monkeypatch.setattr(site, "getsitepackages", lambda: [str(folder)])
    monkeypatch.setattr(site, "ENABLE_USER_SITE", False)
    return folder


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """Return a builder of real shared libraries."""
    source = tmp_path / "nothing.c"
    source.write_text("int nothing;\n")

    def build(folder: Path, name: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([str(shutil.which("cc")), "-shared", "-fPIC", str(source), "-o", str(folder / name)], check=True)
        return folder

    return build


def loaded(path: str, *names: str) -> dict[str, str | None]:
    """Return the file that the loader of a new process takes for each name."""
    environment = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    if path:
        environment["LD_LIBRARY_PATH"] = path
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *names], env=environment, capture_output=True, check=True, text=True
    )
    found: dict[str, str | None] = json.loads(done.stdout)
    return found


def test_the_loader_finds_the_wheels_libraries(packages: Path, library: Library) -> None:
    """A worker with this path loads the runtime and cuFile by the names that NIXL's plug-ins ask for."""
    runtime = library(packages / "nvidia/cuda_runtime/lib", "libcudart.so.12")
    cufile = library(packages / "nvidia/cufile/lib", "libcufile.so.0")
    found = loaded(library_path({}), "libcudart.so.12", "libcufile.so.0")
    assert found == {
        "libcudart.so.12": str(runtime / "libcudart.so.12"),
        "libcufile.so.0": str(cufile / "libcufile.so.0"),
    }


def test_the_callers_own_folders_come_first(packages: Path, library: Library, tmp_path: Path) -> None:
    """A library that the caller, or the emulator, puts in the path is not overtaken by a wheel's."""
    library(packages / "nvidia/cuda_runtime/lib", "libcudart.so.12")
    own = library(tmp_path / "own", "libcudart.so.12")
    path = library_path({"LD_LIBRARY_PATH": str(own)})
    assert path.startswith(f"{own}:")
    assert loaded(path, "libcudart.so.12")["libcudart.so.12"] == str(own / "libcudart.so.12")


def test_without_wheels_there_is_nothing_to_add(packages: Path) -> None:
    """An empty path stays empty, and the caller's own is kept to the letter."""
    assert not packages.exists()
    assert library_path({}) == library_path({"LD_LIBRARY_PATH": ""}) == ""
    assert library_path({"LD_LIBRARY_PATH": "/a::/b"}) == "/a::/b"


def test_the_working_folder_never_gets_into_the_path(packages: Path, library: Library) -> None:
    """An empty piece of the path would make the loader take libraries from wherever kvgauge is started."""
    folder = library(packages / "nvidia/cufile/lib", "libcufile.so.0")
    assert library_path({"LD_LIBRARY_PATH": ""}) == str(folder)


def test_other_wheels_stay_out(packages: Path, library: Library) -> None:
    """Only folders with what GDS needs are added: torch brings its own cuBLAS and NCCL, found without any path."""
    library(packages / "nvidia/cublas/lib", "libcublas.so.12")
    assert library_path({}) == ""


def test_a_folder_is_named_once(packages: Path, library: Library) -> None:
    """A path that was made by this function is not made longer by it."""
    library(packages / "nvidia/cufile/lib", "libcufile.so.0")
    library(packages / "nvidia/cuda_runtime/lib", "libcudart.so.12")
    once = library_path({"LD_LIBRARY_PATH": "/own"})
    assert library_path({"LD_LIBRARY_PATH": once}) == once


@pytest.mark.parametrize("separator", [":", ";"])
def test_a_folder_that_no_path_can_name_is_left_out(
    packages: Path, library: Library, monkeypatch: pytest.MonkeyPatch, separator: str
) -> None:
    """The loader splits at these, so such a folder would be two others."""
    odd = packages.with_name(f"a{separator}b")
    library(odd / "nvidia/cufile/lib", "libcufile.so.0")
    monkeypatch.setattr(site, "getsitepackages", lambda: [str(odd)])
    assert library_path({}) == ""


def test_what_the_loader_has_not_is_absent(
    packages: Path, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wheels, the path of the environment that is asked about, and the system's folders are looked through."""
    library(packages / "nvidia/cufile/lib", "libcufile.so.0")
    own = library(tmp_path / "own", "libown.so.3")
    names = ["libcufile.so.0", "libown.so.3", "libnowhere.so.9", "libc.so.6"]
    assert absent(names, {}) == ["libown.so.3", "libnowhere.so.9"]
    assert absent(names, {"LD_LIBRARY_PATH": str(own)}) == ["libnowhere.so.9"]
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/nothing:{own}")
    assert absent(names) == ["libnowhere.so.9"]
