"""A worker that can be asked to do what workers do when things go wrong; found through PYTHONPATH."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

from suite.errors import BadInput


class Misbehaving:
    def __init__(self, role: str) -> None:
        self._role = role
        self._children: list[subprocess.Popen[bytes]] = []

    def echo(self, value: object) -> object:
        return value

    def role(self) -> str:
        return self._role

    def environment(self) -> dict[str, str]:
        """Return what the process was started with, before Python added anything."""
        entries = Path("/proc/self/environ").read_bytes().rstrip(b"\0").split(b"\0")
        return dict(entry.decode().split("=", 1) for entry in entries)

    def cores(self) -> list[int]:
        return sorted(os.sched_getaffinity(0))

    def start_child(self) -> int:
        self._children.append(subprocess.Popen(["/bin/sleep", "600"]))
        return self._children[-1].pid

    def refuse(self) -> NoReturn:
        raise BadInput("bad-thing", "that is bad", "try another")

    def fail(self) -> NoReturn:
        raise RuntimeError("no such block")

    def leave(self, status: int) -> NoReturn:
        print("goodbye", file=sys.stderr)
        sys.exit(status)

    def kill_self(self, number: int = signal.SIGKILL, after_s: float = 0) -> None:
        time.sleep(after_s)
        os.kill(os.getpid(), number)

    def hang(self) -> None:
        signal.pause()

    def spin(self, pipe: str) -> NoReturn:
        """Loop for ever, once it has said so on the named pipe."""
        Path(pipe).write_bytes(b".")
        while True:
            pass

    def shout(self, text: str) -> None:
        """Write to the channel's descriptor, as a library that has the wrong number does; then hang."""
        os.write(self._channel(), text.encode("latin-1"))
        signal.pause()

    def close_channel(self) -> None:
        os.close(self._channel())
        signal.pause()

    def unspeakable(self) -> bytes:
        return b"not JSON"

    def _channel(self) -> int:
        return int(json.loads(sys.argv[1])["fd"])
