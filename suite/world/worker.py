"""A worker process: answers its supervisor's questions until the channel closes.

What a worker can do is an object named on its command line as
`module:factory`; `factory(role)` returns it, and every question is a call of
one of its public methods with keyword arguments. This file knows nothing of
transports or measuring.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import traceback
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from suite.errors import KvgaugeError
from suite.world.channel import Channel, ChannelClosed

if TYPE_CHECKING:
    from suite.world.channel import Json

_PR_SET_PDEATHSIG = 1


def main() -> NoReturn:
    """Serve on the descriptor given on the command line."""
    options = json.loads(sys.argv[1])
    _die_with(options["parent"])
    os.sched_setaffinity(0, options["cores"])
    channel = Channel(socket.socket(fileno=options["fd"]))
    try:
        module, _, factory = options["server"].partition(":")
        server = getattr(import_module(module), factory)(options["role"])
        while True:
            question = channel.receive()
            channel.send(_answer(server, question))
    except ChannelClosed:
        leave(0)


def _answer(server: object, question: dict[str, Json]) -> dict[str, Json]:
    verb, arguments = str(question["do"]), question["with"]
    try:
        if verb.startswith("_") or not isinstance(arguments, dict):
            raise ValueError(f"no question {verb!r}")  # noqa: TRY301  answered like any other fault
        method: Any = getattr(server, verb)
        return {"ok": method(**arguments)}
    except KvgaugeError as error:
        return {"error": {"code": error.code, "message": error.message, "hint": error.hint}}
    except Exception as error:  # noqa: BLE001  a worker's fault is data for the supervisor, with its traceback
        traceback.print_exc()
        return {
            "error": {"code": "fault", "message": f"{type(error).__name__}: {error}", "hint": traceback.format_exc()}
        }


def leave(status: int) -> NoReturn:
    """Leave at once, without destructors, but with everything flushed.

    A process that has made a NIXL UCX back end can die by SIGSEGV in its
    normal exit (facts: two libnl in one process); `os._exit` cannot. UCX's log
    sits in C's stdio buffer, which `os._exit` would drop.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL(None).fflush(None)
    os._exit(status)


def _die_with(parent: int) -> None:
    """Ask the kernel for SIGKILL when the supervisor dies, even by SIGKILL and in mid-window."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the request
        os._exit(0)


if __name__ == "__main__":
    main()
