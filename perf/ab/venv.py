"""Workers of another virtual environment: its python and its libraries, and our code.

The instrument is the same on both sides; only what it measures differs. So
the other environment needs no kvgauge: it finds ours by PYTHONPATH, in a folder that holds
links to it and nothing else. Our own site-packages would hide the libraries that are to be compared.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

import suite
from suite.errors import BadInput, Missing
from suite.run.complaint import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ROOMS = ("suite", "perf")  # what a worker imports
_PROBE_S = 60.0
_MOST = 1 << 20  # bytes of an answer


@dataclass(frozen=True)
class Found:
    """What another virtual environment is."""

    python: str  # path of its interpreter
    version: str  # of python
    versions: Mapping[str, str] = field(default_factory=dict)  # of packages
    library_path: str = ""  # folders of CUDA's wheels in it
    missing: Mapping[str, str] = field(default_factory=dict)  # transport -> what it lacks


def interpreter(given: str, side: str) -> Path:
    """Return the python of the virtual environment at `given`."""
    try:
        folder = Path(given).expanduser()
        there = folder.is_dir()
    except (OSError, RuntimeError, ValueError) as error:  # a name too long, nobody's home, a NUL byte
        raise BadInput("no-venv", f"--ab, {side}: {shown(given)} cannot be a folder: {error}") from None
    if not there:
        raise BadInput("no-venv", f"--ab, {side}: {given}: no such folder", "python3 -m venv PATH makes one")
    python = (folder / "bin" / "python").absolute()  # not resolved: the link is what makes it a virtual environment
    if not os.access(python, os.X_OK):
        hint = "name the folder of a virtual environment"
        raise BadInput("no-venv", f"--ab, {side}: {given} has no bin/python", hint)
    return python


def linked(folder: Path) -> Path:
    """Make a folder with links to our code, and with our entry points, by which transports are found; return it."""
    home = Path(suite.__file__).resolve().parent.parent
    ours = distribution("kvgauge")
    try:
        about = folder / f"kvgauge-{ours.version}.dist-info"
        about.mkdir(parents=True, exist_ok=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: kvgauge\nVersion: {ours.version}\n", "utf-8")
        (about / "entry_points.txt").write_text(ours.read_text("entry_points.txt") or "", "utf-8")
        for room in _ROOMS:
            link = folder / room
            link.unlink(missing_ok=True)
            link.symlink_to(home / room)
    except OSError as error:
        raise Missing(
            "not-written", f"cannot write {folder}: {error.strerror}", "choose another folder with --out"
        ) from error
    return folder.absolute()


def ask(python: Path, environment: Mapping[str, str], transports: Sequence[str], side: str) -> Found:
    """Return what is found in a virtual environment; what it lacks for a worker of ours is a `Missing`."""
    where = f"--ab, {side}: {python.parent.parent}"
    command = [str(python), "-P", "-m", "perf.ab.probe", *transports]
    try:
        done = subprocess.run(command, env=dict(environment), capture_output=True, timeout=_PROBE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing("venv-broken", f"{where}: its python does not run: {error}", "make it anew") from error
    told = _told(done.stdout)
    if done.returncode or not isinstance(told, dict):
        last = done.stderr.decode("utf-8", errors="replace").strip().splitlines()[-1:] or ["it printed nothing of use"]
        raise Missing(
            "venv-broken",
            f"{where}: its python cannot run our worker: {shown(last[0])}",
            "python 3.11 or newer, and numpy",
        )
    if lacks := told.get("lacks"):
        raise Missing(
            "venv-lacks", f"{where} lacks {shown(lacks)}", f"{python} -m pip install numpy, and the library to measure"
        )
    return Found(
        python=str(python),
        version=str(told.get("python", "")),
        versions=_texts(told.get("versions")),
        library_path=str(told.get("library_path", "")),
        missing=_texts(told.get("missing")),
    )


def _told(output: bytes) -> object:
    try:
        return json.loads(output) if len(output) <= _MOST else None
    except ValueError:
        return None


def _texts(value: object) -> dict[str, str]:
    return {str(name): str(text) for name, text in value.items() if text} if isinstance(value, dict) else {}
