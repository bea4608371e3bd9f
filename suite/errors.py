"""The one base error: what went wrong, where, and how to mend it.

Commands print `message` and `hint` and leave with `exit_code`; a traceback is
only ever seen for a fault of kvgauge itself.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every kvgauge command."""

    GOOD = 0
    VERDICT_FAILED = 1
    USAGE = 2
    MISSING = 3
    INTERRUPTED = 130


class KvgaugeError(Exception):
    """Something the user can act on.

    `code` is a stable name for scripts and tests, `message` says what and
    where, `hint` how to mend it.
    """

    exit_code = Exit.VERDICT_FAILED

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class BadInput(KvgaugeError, ValueError):
    """A variable, file, key or option has a value that cannot be accepted."""

    exit_code = Exit.USAGE


class Missing(KvgaugeError):
    """This machine lacks something that was asked for."""

    exit_code = Exit.MISSING


class TransferFailed(KvgaugeError):
    """A transfer ended without moving its bytes."""


class PeerLost(TransferFailed):
    """The worker at the other side is gone."""


class Unsupported(KvgaugeError):
    """A transport was asked for something outside its traits."""
