"""A stranger's process: started, asked, limited, killed.

Whatever it does (silence, a gigabyte, garbage, a crash) becomes an
`ImplementationBroke` in bounded time and memory. It leads a process group of
its own, which is killed with it, and dies with us.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import shlex
import shutil
import signal
import subprocess
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from conformance.gpus import underneath
from conformance.implementations.answers import plain, shown, shown_lines
from conformance.verdict import ImplementationBroke
from suite.errors import BadInput, Missing
from suite.settings.faults import show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import IO

LINE_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 16
_TAIL_BYTES = 4_000
_GRACE_S = 0.5
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def resolved(command: str, syntax: str) -> tuple[str, ...]:
    """Return the words of a command line, the first as an absolute path, because the process may get no PATH."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise BadInput("bad-command", f"{show(command)}: {error}", f"write {syntax}") from None
    if not words:
        raise BadInput("bad-command", "there is no command", f"write {syntax}")
    found = shutil.which(words[0])
    if found is None:
        raise Missing("no-command", f"the command {plain(words[0])} is not found, or cannot be executed", "see PATH")
    return (str(Path(found).absolute()), *words[1:])


class Child:
    """One process; a context manager that leaves nothing of it behind.

    `talks`: it has a stdin, and its stderr is kept apart as the tail of
    messages; else it has none, and both streams are one.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[bytes, bytes], *, talks: bool) -> None:
        self._heard, self._heard_bytes = bytearray(), 0
        self._tail = bytearray()
        self._unsent, self._last = b"", False
        self._process = _started(command, environment, talks=talks)
        self._selector = selectors.DefaultSelector()
        for stream, react in ((self._process.stdout, self._hear), (self._process.stderr, self._keep_tail)):
            if stream:
                os.set_blocking(stream.fileno(), False)
                self._selector.register(stream, selectors.EVENT_READ, react)
        if self._process.stdin:
            os.set_blocking(self._process.stdin.fileno(), False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ask(self, question: bytes, limit_s: float, *, last: bool = False) -> bytes:
        """Write a line and return the one line that answers it; after the `last` question stdin is closed."""
        deadline = time.monotonic() + limit_s
        self._step(0)
        if self._heard:
            raise self._broke(f"wrote what no question asked for: {_shown(self._heard)}")
        self.tell(question, last=last)
        while (end := self._heard.find(b"\n")) < 0:
            if len(self._heard) > LINE_BYTES:
                raise self._broke(f"wrote a line of more than {LINE_BYTES} bytes")
            if self._deaf:
                raise self._broke(self._fate())
            if not self._step(deadline - time.monotonic()):
                raise self._broke(f"did not answer in {limit_s:.3g} s")
        line, rest = bytes(self._heard[:end]), self._heard[end + 1 :]
        if rest:
            raise self._broke(f"wrote more than the one line that answers a question: {_shown(rest)}")
        self._heard.clear()
        return line

    def tell(self, line: bytes, *, last: bool = False) -> None:
        """Write a line as far as the pipe takes it; the rest goes while we wait for an answer."""
        self._unsent, self._last = line + b"\n", last
        stdin = self._process.stdin
        if stdin and not stdin.closed:
            with suppress(KeyError):  # what was not taken of an earlier line is given up
                self._selector.unregister(stdin)
            self._selector.register(stdin, selectors.EVENT_WRITE, self._send)
            self._send()

    def lines(self, limit_s: float, limit_bytes: int) -> Iterator[bytes]:
        """Yield what it writes, line by line, until it has closed its output; a torn last line counts."""
        deadline = time.monotonic() + limit_s
        while True:
            if (end := self._heard.find(b"\n")) >= 0:
                line = bytes(self._heard[:end])
                del self._heard[: end + 1]
                yield line
            elif self._deaf:
                if self._heard:
                    yield bytes(self._heard)
                return
            elif self._heard_bytes > limit_bytes:
                raise self._broke(f"wrote more than {limit_bytes} bytes")
            elif not self._step(deadline - time.monotonic()):
                raise self._broke(f"did not end in {limit_s:.3g} s")

    def close(self, grace_s: float = 0.0) -> None:
        """Kill it and what it started, in at most `grace_s` if it does not leave by itself."""
        if self._process.returncode is None:  # once reaped, its number may be another's
            self._end(grace_s)
            with suppress(ProcessLookupError, PermissionError):  # PermissionError: all of them are somebody else's now
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._selector.close()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream:
                with suppress(OSError):
                    stream.close()

    @property
    def _deaf(self) -> bool:
        """Whether its output has ended."""
        return self._process.stdout not in {key.fileobj for key in self._selector.get_map().values()}

    def _step(self, seconds: float) -> bool:
        """Wait for what the process does next, and react; False if it did nothing."""
        ready = self._selector.select(seconds) if seconds >= 0 else []
        for key, _ in ready:
            key.data()
        return bool(ready)

    def _hear(self) -> None:
        heard = self._read(self._process.stdout)
        self._heard += heard
        self._heard_bytes += len(heard)

    def _keep_tail(self) -> None:
        self._tail += self._read(self._process.stderr)
        del self._tail[:-_TAIL_BYTES]

    def _read(self, stream: IO[bytes] | None) -> bytes:
        """Return what is there; a stream that has ended is not listened to any more."""
        if stream is None:
            return b""
        try:
            found = os.read(stream.fileno(), _CHUNK_BYTES)
        except BlockingIOError:
            return b""
        if not found:
            self._selector.unregister(stream)
        return found

    def _send(self) -> None:
        stdin = self._process.stdin
        if stdin is None:
            return
        try:
            self._unsent = self._unsent[os.write(stdin.fileno(), self._unsent) :]
        except BlockingIOError:
            return
        except OSError:  # it does not listen any more: what it did instead is found by reading
            self._unsent, self._last = b"", False
        if not self._unsent:
            self._selector.unregister(stdin)
            if self._last:
                stdin.close()

    def _broke(self, what: str) -> ImplementationBroke:
        for _ in range(4):  # its last words
            self._step(0)
        tail = shown_lines(bytes(self._tail).decode(errors="replace"))
        return ImplementationBroke(f"{what}{f', and on stderr:{tail}' if tail else ''}")

    def _fate(self) -> str:
        """Return how it ended, in words."""
        ended = self._end(_GRACE_S)
        if ended is None:
            return "closed its output and did not answer"
        if ended.si_code == os.CLD_EXITED:
            return f"left with status {ended.si_status} and did not answer"
        return f"was killed by {_signal_name(ended.si_status)} and did not answer"

    def _end(self, seconds: float) -> os.waitid_result | None:
        """Return how it ends by itself in `seconds`; it stays unreaped, so that its number stays its own."""
        deadline = time.monotonic() + seconds
        while (ended := os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is None:
            if time.monotonic() >= deadline:
                break
            time.sleep(0.005)
        return ended


def _started(command: Sequence[str], environment: Mapping[bytes, bytes], *, talks: bool) -> subprocess.Popen[bytes]:
    ours = os.getpid()

    def die_with_us() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != ours:  # we died before the request
            os._exit(0)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of a fork where there are threads
        try:
            return subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if talks else subprocess.STDOUT,
                env=underneath() | dict(environment),
                start_new_session=True,
                preexec_fn=die_with_us,  # noqa: PLW1509  one system call and no lock, so threads do not matter
            )
        except OSError as error:
            raise ImplementationBroke(f"cannot be started: {error.strerror}") from None
        except ValueError as error:  # a NUL, or a name that is empty or has a "="
            raise BadInput("bad-environment", f"no process can have this environment: {error}") from None


def _shown(output: bytearray) -> str:
    return shown(bytes(output[:200]))


def _signal_name(number: int) -> str:
    """Return `SIGKILL`; most real-time signals have no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
