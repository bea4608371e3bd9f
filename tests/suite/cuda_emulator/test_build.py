"""The driver is built once, by whoever is first, in a folder that nobody else writes to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from suite.cuda_emulator import build
from suite.errors import Missing

NAMES = {"libcuda.so.1", "libcudart.so.12", "libnvidia-ml.so.1", "libkvgauge_redirect.so"}


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)  # read anew from TMPDIR
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("CC", raising=False)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Build the smallest library only: these tests are about where, not what."""
    whole = build.libraries()
    monkeypatch.setattr(build, "libraries", lambda: whole[2:3])


@pytest.mark.deep
def test_all_libraries_and_once_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a cache with blanks"))
    folder = build.library_folder()
    assert folder.parent == tmp_path / "a cache with blanks" / "kvgauge"
    assert {path.name for path in folder.iterdir()} == NAMES
    times = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert build.library_folder() == folder
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == times
    assert list(folder.parent.iterdir()) == [folder], "no draft is left"


@pytest.mark.deep
def test_two_at_once(tmp_path: Path) -> None:
    code = "from suite.cuda_emulator.build import library_folder; print(library_folder())"
    settings = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])}
    both = [
        subprocess.Popen([sys.executable, "-c", code], env=settings, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    folders = {process.communicate(timeout=120)[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    (folder,) = (Path(text) for text in folders)
    assert {path.name for path in folder.iterdir()} == NAMES
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("home", ["file/home", "/proc/home"])
def test_home_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / home))
    folder = build.library_folder()
    assert folder.parent == tmp_path / "temporary" / f"kvgauge-{os.getuid()}"
    assert folder.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("quick")
def test_cache_whose_name_the_loader_would_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a:b"))
    assert build.library_folder().is_relative_to(tmp_path / "temporary")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("trap", ["others may write", "a link"])
def test_folder_that_others_could_fill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trap: str) -> None:
    monkeypatch.setenv("HOME", "/proc/home")
    planted = tmp_path / "temporary" / f"kvgauge-{os.getuid()}"
    if trap == "a link":
        (tmp_path / "elsewhere").mkdir()
        planted.symlink_to(tmp_path / "elsewhere")
    else:
        planted.mkdir()
        planted.chmod(0o777)
    with pytest.raises(Missing, match=r"no folder for the emulated driver") as raised:
        build.library_folder()
    assert raised.value.code == "no-cache"


@pytest.mark.usefixtures("quick")
def test_folder_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(build, "_refuse_strangers", build._refuse_strangers)
    build.library_folder()
    monkeypatch.setattr("os.getuid", lambda: 4242)
    with pytest.raises(Missing, match="no folder"):
        build.library_folder()


def test_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Missing, match=r"no C compiler .*: cc gcc clang not found") as raised:
        build.library_folder()
    assert raised.value.code == "no-compiler"
    assert raised.value.exit_code == 3
    assert "apt-get install gcc" in raised.value.hint


def test_compiler_that_is_named_and_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -m64")
    with pytest.raises(Missing, match=r"no-such-compiler .*CC is set"):
        build.library_folder()


def test_compiler_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken cc"
    broken.write_text("#!/bin/sh\necho stdio.h: no such file >&2\nexit 1\n")
    broken.chmod(0o700)
    monkeypatch.setenv("CC", f"'{broken}'")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(Missing, match=r"stdio.h: no such file") as raised:
        build.library_folder()
    assert raised.value.code == "compiler-failed"
    assert list((tmp_path / "cache" / "kvgauge").iterdir()) == [], "no draft is left"
