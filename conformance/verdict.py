"""What comes out of a requirement, and how a test says so."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Verdict(StrEnum):
    """One requirement, one implementation. Later members win when several cases are put together."""

    SKIP = "skip"  # not tried, with a reason
    INFO = "info"  # unspecified: what was seen
    PASS = "pass"  # noqa: S105  a verdict, not a password
    WARN = "warn"  # breaks a SHOULD
    FAIL = "fail"  # breaks a MUST
    ERROR = "error"  # the test, the harness or the implementation broke: nothing can be said


ORDER = tuple(Verdict)
GLYPHS = MappingProxyType(dict(zip(ORDER, "-i✓!✗E", strict=True)))  # beside the word, never instead of it


def worst(verdicts: list[Verdict]) -> Verdict:
    """Return the verdict that stands for several cases of one requirement."""
    return max(verdicts, key=ORDER.index)


class Violation(AssertionError):
    """A documented sentence is broken; the only exception that means so.

    `environment` (and `config`, the engine configuration, where there is one)
    is the input that breaks it, or `case` of a transfer; hypothesis shrinks it before anyone sees it.
    `script` is a Python file that breaks it again, where there is one.
    """

    def __init__(
        self,
        what: str,
        environment: Mapping[bytes, bytes],
        config: Mapping[str, object] | None = None,
        case: Mapping[str, object] | None = None,
        script: str = "",
    ) -> None:
        super().__init__(what)
        self.script = script
        self.what, self.environment, self.config, self.case = what, dict(environment), config, case


class Refused(ValueError):
    """The implementation refused an input, as it may: an answer, not a fault."""


class ImplementationBroke(Exception):
    """The implementation crashed, hung or answered nonsense: an error, never a verdict."""


class Aborted(ImplementationBroke):
    """The implementation ended the process instead of answering, and whoever asked it saw that.

    An error, too, but for the sentences that speak of exactly this: there it is broken.
    """
