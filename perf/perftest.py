"""`ucx_perftest`, UCX's own benchmark, as a witness beside our figures: the same machine, another program.

It moves one buffer that stays in the caches and that UCX allocated itself, so
its rates are those of hot memory, and shared memory can carry what it could not
carry of a user's. With `error_handling` its endpoints are made as NIXL and UCXX
make theirs, which decides the transport on one host (facts of UCX, not of ours).
Its server listens on all interfaces for the moment that a pair runs.

Versions tried: 1.21.0 and 1.22.0 (wheel libucx-cu12) and 1.13.1 (Debian 12). Option
`-f -v` prints one line of figures; its "MB/s" are MiB/s.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from suite.errors import BadInput, KvgaugeError, Missing
from suite.run.machine import STEERING
from suite.run.scratch import scratch
from suite.transports import evidence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from suite.transports.evidence import Operation

NAME = "ucx_perftest"
TESTS: Mapping[str, Operation] = MappingProxyType(
    {
        "tag_lat": "tag_send",
        "tag_bw": "tag_send",
        "ucp_put_lat": "put",
        "ucp_put_bw": "put",
        "ucp_get": "get",
        "ucp_am_lat": "am_send",
        "ucp_am_bw": "am_send",
        "stream_lat": "stream_send",
        "stream_bw": "stream_send",
    }
)
_COLUMNS = re.compile(r"iterations,\d{1,3}\.\d_percentile_lat,avg_lat,overall_lat,avg_bw,overall_bw,avg_mr,overall_mr")
_NUMBER = re.compile(r"\d{1,15}(\.\d{1,9})?", re.ASCII)
_VERSION = re.compile(r"^# (?:Library version:|Version) (\d{1,4}\.\d{1,4}(?:\.\d{1,4})?)$", re.MULTILINE | re.ASCII)
_MIB = 1 << 20
_MOST_TEXT = 64 << 10  # characters of an output that are looked at: it is two lines
_CONTEXT = "perftest"  # what UCX's tables call it
_PRINTS_TABLES = (1, 21)  # the oldest that was seen to
_LISTENING = "0A"  # proc_pid_net_tcp(5): the state of a socket that listens
_START_S, _INFO_S = 10.0, 10.0
_C, _PR_SET_PDEATHSIG = ctypes.CDLL(None), 1
_MOST_BYTES, _MOST_ITERATIONS = 1 << 32, 10_000_000


class PerftestFailed(KvgaugeError):
    """The witness did not testify: it failed, was too slow, or printed what is not understood."""


@dataclass(frozen=True)
class Tool:
    """An executable, the folder of its libraries (empty where the loader knows it), and its version."""

    path: Path
    libraries: str
    version: str

    def tables(self) -> dict[str, str]:
        """Return what makes it print the wire; older ones, 1.13 among them, refuse the value and do not start."""
        numbers = tuple(int(part) for part in self.version.split(".") if part.isdigit())
        return {"UCX_PROTO_INFO": "used"} if numbers >= _PRINTS_TABLES else {}


@dataclass(frozen=True)
class Figures:
    """The line that it prints: over the whole run, not its last interval."""

    iterations: int
    latency_us: float
    gb_per_s: float


@dataclass(frozen=True)
class Witness:
    """What one run said. `wire` is UCX's own word, "unknown" where this version prints no tables."""

    test: str
    nbytes: int
    gb_per_s: float
    latency_us: float
    version: str
    command: str
    detail: str
    wire: str


def find(environment: Mapping[str, str] = os.environ) -> Tool:
    """Return the tool: the libucx wheel's, else the one on `PATH`. Raises `Missing`."""
    package = find_spec("libucx")
    for folder in (package.submodule_search_locations or ()) if package else ():
        path = Path(folder, "bin", NAME)
        if os.access(path, os.X_OK):
            libraries = str(Path(folder, "lib"))
            return Tool(path, libraries, _version(path, _with_libraries(environment, libraries)))
    found = shutil.which(NAME, path=environment.get("PATH", os.defpath))
    if found is None:
        raise Missing("no-perftest", f"no {NAME}", "pip install libucx-cu12, or apt-get install ucx-utils")
    return Tool(Path(found), "", _version(Path(found), environment))


def run_pair(
    test: str,
    nbytes: int,
    iterations: int,
    *,
    error_handling: bool,
    environment: Mapping[str, str],
    cores: Sequence[int],
    port: int,
    deadline_s: float = 60.0,
    tool: Tool | None = None,
) -> Witness:
    """Run a server and a client of `test`, pinned to the first and the second of `cores`; return what the client said.

    A tenth of `iterations`, but ten at least, warm up. Raises `BadInput` for a
    test or size that is not ours to ask, `Missing` and `PerftestFailed`; no
    process is left behind.
    """
    _check(test, nbytes, iterations, cores=cores, port=port)
    tool = tool or find(environment)
    options = ["-t", test, "-s", str(nbytes), "-n", str(iterations), "-w", str(max(10, iterations // 10)), "-f", "-v"]
    shared = ["-p", str(port), *(["-e"] if error_handling else [])]
    with scratch(Path(tempfile.gettempdir())) as folder:
        told = _with_libraries(environment, tool.libraries) | {"LC_ALL": "C"} | tool.tables()
        with _started([str(tool.path), *shared, "-c", str(cores[0])], told, folder / "server") as server:
            _await_listening(server, port, folder / "server")
            arguments = ["127.0.0.1", *shared, "-c", str(cores[1]), *options]
            with _started([str(tool.path), *arguments], told, folder / "client") as client:
                _await_end(client, deadline_s, folder / "client")
        figures = parse(_text(folder / "client.out"))
        wire = _wire(_text(folder / "client.log"), test, nbytes)
    steering = [f"{key}={value}" for key, value in sorted(environment.items()) if key.startswith(STEERING)]
    return Witness(
        test=test,
        nbytes=nbytes,
        gb_per_s=figures.gb_per_s,
        latency_us=figures.latency_us,
        version=tool.version,
        command=" ".join([*steering, NAME, *arguments]),
        detail=f"{figures.iterations} times one buffer of UCX's own, so from the caches",
        wire=wire,
    )


def parse(text: str) -> Figures:
    """Return the figures in the output of `-f -v`; anything else raises `PerftestFailed`, and nothing but that."""
    lines = [line.strip() for line in text[:_MOST_TEXT].splitlines()]
    headers = [index for index, line in enumerate(lines) if _COLUMNS.fullmatch(line)]
    if len(text) > _MOST_TEXT or len(headers) != 1:
        raise _not_understood("no line that names its columns", text)
    cells = [cell.strip() for cell in "".join(lines[headers[0] + 1 : headers[0] + 2]).split(",")]
    if len(cells) != lines[headers[0]].count(",") + 1 or not all(_NUMBER.fullmatch(cell) for cell in cells):
        raise _not_understood("no line of as many numbers", text)
    if "." in cells[0]:
        raise _not_understood("iterations are a whole number", text)
    figures = Figures(int(cells[0]), float(cells[3]), float(cells[5]) * _MIB / 1e9)
    if not figures.iterations or not figures.latency_us:
        raise _not_understood("nothing was done", text)
    return figures


def _not_understood(why: str, text: str) -> PerftestFailed:
    # !a: an output must not steer a terminal
    return PerftestFailed("perftest-output", f"{NAME} printed what is not understood, {why}: {text[:300]!a}")


def _check(test: str, nbytes: int, iterations: int, *, cores: Sequence[int], port: int) -> None:
    if test not in TESTS:
        raise BadInput("bad-test", f"{test[:60]!r} is no test of {NAME} that we run", f"known: {', '.join(TESTS)}")
    for name, value, most in (("size", nbytes, _MOST_BYTES), ("iterations", iterations, _MOST_ITERATIONS)):
        if not 0 < value <= most:
            raise BadInput(f"bad-{name}", f"{NAME}: {name} {value} is not from 1 to {most}")
    if len(cores) < 2 or not 0 < port < 1 << 16:  # noqa: PLR2004  one for each process
        raise BadInput("bad-pair", f"{NAME}: two cores and a port are needed, not {list(cores)} and {port}")


def _with_libraries(environment: Mapping[str, str], folder: str) -> dict[str, str]:
    path = ":".join(filter(None, [folder, environment.get("LD_LIBRARY_PATH", "")]))
    return {**environment, **({"LD_LIBRARY_PATH": path} if path else {})}


def _version(path: Path, environment: Mapping[str, str]) -> str:
    """Ask the `ucx_info` beside it; `unknown` where there is none."""
    with suppress(OSError, subprocess.SubprocessError):
        told = subprocess.run(
            [path.with_name("ucx_info"), "-v"],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_INFO_S,
            check=False,
        )
        if found := _VERSION.search(told.stdout[:_MOST_TEXT].decode("utf-8", errors="replace")):
            return found[1]
    return "unknown"


@contextmanager
def _started(command: list[str], environment: Mapping[str, str], stem: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command`, its output into `stem`.out and UCX's log into `stem`.log; it is gone afterwards."""
    with stem.with_suffix(".out").open("wb") as output:
        try:
            process = subprocess.Popen(
                command,
                env={**environment, "UCX_LOG_FILE": str(stem.with_suffix(".log"))},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_us,  # noqa: PLW1509  one system call; a server would wait for its client for ever
            )
        except OSError as error:
            raise PerftestFailed("perftest-start", f"{command[0]} cannot be run: {error.strerror}") from error
    try:
        yield process
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _die_with_us() -> None:
    """Ask the kernel for SIGKILL when we die, also by SIGKILL."""
    _C.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _await_listening(server: subprocess.Popen[bytes], port: int, stem: Path) -> None:
    """Wait until the server itself listens at `port`, without connecting: it takes one connection only."""
    deadline = time.monotonic() + _START_S
    while not _listens(server.pid, port):
        if server.poll() is not None or time.monotonic() > deadline:
            raise _failed(f"the server did not listen at port {port}", stem)
        time.sleep(0.01)


def _listens(process: int, port: int) -> bool:
    """Tell whether a socket that listens at `port` is one of the process's."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path("/proc/net", table).read_text("ascii", errors="replace").splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    with suppress(OSError):  # it ends meanwhile
        return any(str(one.readlink()) in inodes for one in Path(f"/proc/{process}/fd").iterdir())
    return False


def _await_end(client: subprocess.Popen[bytes], deadline_s: float, stem: Path) -> None:
    try:
        status = client.wait(deadline_s)
    except subprocess.TimeoutExpired as error:
        raise PerftestFailed(
            "perftest-late", f"{NAME} was not done after {deadline_s:g} s", "use fewer iterations, or less at once"
        ) from error
    if status != 0:
        raise _failed(f"status {status}", stem)


def _failed(why: str, stem: Path) -> PerftestFailed:
    said = " ".join(filter(None, (_text(stem.with_suffix(suffix)).strip() for suffix in (".log", ".out"))))
    return PerftestFailed("perftest-failed", f"{NAME} failed, {why}: {said[-600:]!a}")


def _text(path: Path) -> str:
    """Return the beginning of a file; nothing if there is none."""
    with suppress(OSError), path.open("rb") as file:
        return file.read(_MOST_TEXT + 1).decode("utf-8", errors="replace")
    return ""


def _wire(log: str, test: str, nbytes: int) -> str:
    with suppress(evidence.EvidenceError):  # a newer UCX's tables: the figures stand without them
        tables = evidence.parse_tables(log)
        return evidence.wire_used(tables, context=_CONTEXT, operation=TESTS[test], sizes=(nbytes, nbytes)).wire
    return evidence.UNKNOWN
