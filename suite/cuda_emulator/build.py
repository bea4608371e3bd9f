"""Compile the emulated driver on first use, into a cache that every later process shares.

The folder's name is a hash of the sources, the flags and the compiler. It is
built under another name and renamed, so two processes may build at once and
nobody sees half of it.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from suite.errors import Missing

SOURCES = Path(__file__).parent / "c"
DRIVER, RUNTIME, NVML, REDIRECT = "libcuda.so.1", "libcudart.so.12", "libnvidia-ml.so.1", "libkvgauge_redirect.so"
FLAGS = ("-std=gnu11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-pthread", "-Wall", "-Wextra", "-Wl,-z,defs")

_COMPILERS = ("cc", "gcc", "clang")
_NOT_DRIVER = frozenset({"runtime.c", "nvml.c", "redirect.c"})
_DEADLINE_S = 300
_LAST_LINES = 15
_UNUSABLE = ":;$\n"  # what LD_LIBRARY_PATH would take for a separator or a variable


@dataclass(frozen=True)
class Library:
    """One shared library: its file name, its sources, and what else its link needs."""

    name: str
    sources: tuple[str, ...]
    extra: tuple[str, ...] = ()


def libraries() -> tuple[Library, ...]:
    """Return the libraries in the order they must be built: the runtime links the driver."""
    driver = tuple(sorted(path.name for path in SOURCES.glob("*.c") if path.name not in _NOT_DRIVER))
    version_script = f"-Wl,--version-script={SOURCES / 'runtime.map'}"
    return (
        Library(DRIVER, driver),
        Library(RUNTIME, ("runtime.c",), (version_script, DRIVER)),
        Library(NVML, ("nvml.c", "settings.c")),
        Library(REDIRECT, ("redirect.c",), ("-ldl",)),
    )


def library_folder() -> Path:
    """Return the folder with the libraries, built if it is not there yet.

    Raises `Missing` where there is no C compiler, where it fails, or where no
    folder can be trusted to hold what a process will load.
    """
    compiler = _compiler()
    name = f"cuda-emulator-{_hash(compiler)}"
    for cache in (_home_cache(), _temporary_cache()):
        if cache is None or set(str(cache)) & set(_UNUSABLE):
            continue
        try:
            cache.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refuse_strangers(cache)
            return _built(cache / name, compiler)
        except OSError:  # read-only, full, not a folder, another user's: the next one
            continue
    raise Missing(
        "no-cache",
        f"no folder for the emulated driver: neither {_home_cache()} nor {_temporary_cache()} is writable and our own",
        "set XDG_CACHE_HOME or TMPDIR to a folder of yours, without colons in its name",
    )


def _compiler() -> list[str]:
    """Return the compiler's command line: `CC` if set, else the first of the usual names."""
    wanted = os.environ.get("CC", "").strip()
    commands = [shlex.split(wanted)] if wanted else [[name] for name in _COMPILERS]
    for command in commands:
        if shutil.which(command[0]):
            return command
    raise Missing(
        "no-compiler",
        f"no C compiler for the emulated driver: {' '.join(name for name, *_ in commands)} not found in PATH"
        + (" (CC is set)" if wanted else ""),
        "install one (Debian, Ubuntu: apt-get install gcc libc6-dev) or set CC",
    )


def _hash(compiler: list[str]) -> str:
    digest = hashlib.sha256()
    version = _run([*compiler, "--version"]).stdout
    for part in (*compiler, version, *FLAGS, repr(libraries())):
        digest.update(part.encode() + b"\0")
    for path in sorted(SOURCES.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _home_cache() -> Path | None:
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given).absolute() / "kvgauge"
    try:
        return Path.home() / ".cache" / "kvgauge"
    except RuntimeError:  # no HOME, and the user is in no data base
        return None


def _temporary_cache() -> Path:
    return Path(tempfile.gettempdir()).absolute() / f"kvgauge-{os.getuid()}"


def _refuse_strangers(folder: Path) -> None:
    """Raise `PermissionError` if anybody else could put libraries into `folder`."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise PermissionError(f"{folder} is not a folder that only this user writes to")


def _built(folder: Path, compiler: list[str]) -> Path:
    if folder.is_dir():
        _refuse_strangers(folder)
        return folder
    draft = Path(tempfile.mkdtemp(prefix="building-", dir=folder.parent))
    try:
        for library in libraries():
            _compile(library, draft, compiler)
        try:
            draft.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was first, with the same sources
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _compile(library: Library, folder: Path, compiler: list[str]) -> None:
    sources = [str(SOURCES / name) for name in library.sources]
    command = [*compiler, *FLAGS, f"-Wl,-soname,{library.name}", "-o", library.name, *sources, *library.extra]
    done = _run(command, cwd=folder)
    if done.returncode != 0:
        said = "\n".join((done.stderr or done.stdout).splitlines()[-_LAST_LINES:])
        raise Missing(
            "compiler-failed",
            f"{compiler[0]} could not build {library.name} of the emulated driver:\n{said}",
            "a C compiler with the C library's headers is needed (Debian, Ubuntu: gcc libc6-dev), or set CC",
        )


def _run(command: list[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, errors="replace", timeout=_DEADLINE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing("compiler-failed", f"{command[0]} cannot be run: {error}", "set CC to a C compiler") from error
