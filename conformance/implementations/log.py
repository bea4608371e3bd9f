r"""`exec-log:COMMAND --- REGEX`: a program that says at start-up what it selected, and knows nothing of kvgauge.

    exec-log:/opt/server --dry-run --- nixl backends: (?P<backends>.*)|(?P<refused>invalid value.*)

The command gets exactly the environment in question and no stdin. The regular
expression is searched for in each line of its stdout and stderr; the first
line that holds it is the answer, and the command is killed then.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from conformance.implementations.answers import checked_backends, plain
from conformance.implementations.child import Child, resolved
from conformance.implementations.patience import Patience, TooLate, time_limit
from conformance.verdict import ImplementationBroke, Refused
from suite.errors import BadInput
from suite.settings.faults import show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.requirement import Answers

PREFIX = "exec-log:"
SYNTAX = "exec-log:COMMAND --- REGEX"
DEADLINE_S = 10.0
OUTPUT_BYTES = 1 << 20
_LINE_CHARACTERS = 4_000
_SEARCH_S = 1.0
_COLOUR = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]")
_BETWEEN = re.compile(r"[\s,;\[\](){}\"']+")


class Log:
    """A command and what to look for in what it prints."""

    answers: frozenset[Answers] = frozenset({"backends"})
    profile = "source-page"

    def __init__(
        self, text: str, *, name: str = "", note: str = "read from a log", deadline_s: float = DEADLINE_S
    ) -> None:
        self.name, self.note = name or PREFIX + text, note
        command, mark, pattern = text.partition(" --- ")
        if not mark:
            raise BadInput("bad-log", f"{show(self.name)} has no ' --- '", f"write {SYNTAX}")
        self._pattern = _compiled(pattern)
        self._command = resolved(command, SYNTAX)
        self._patience = Patience(deadline_s)

    def backends(self, environment: Mapping[bytes, bytes]) -> tuple[str, ...]:
        """Return what the first matching line lists."""
        try:
            with self._patience.waiting() as limit_s, Child(self._command, environment, talks=False) as child:
                return self._read(child, limit_s)
        except ImplementationBroke as broke:
            raise ImplementationBroke(f"{plain(self.name)} {broke}") from None

    def method(self, config: Mapping[str, object], environment: Mapping[bytes, bytes]) -> str:
        """Raise: a log is asked for backends only."""
        del config, environment
        raise BadInput("no-method", f"{self.name} does not answer for the method")

    def close(self) -> None:
        """Nothing is held between two questions."""

    def _read(self, child: Child, limit_s: float) -> tuple[str, ...]:
        last = ""
        for line in child.lines(limit_s, OUTPUT_BYTES):
            text = _COLOUR.sub(b"", line).decode(errors="replace")[:_LINE_CHARACTERS]
            if found := self._search(text):
                return _answer(found)
            last = text if text.strip() else last
        raise ImplementationBroke(f"printed nothing that matches; its last line: {show(last)}")

    def _search(self, text: str) -> re.Match[str] | None:
        try:
            with time_limit(_SEARCH_S):
                return self._pattern.search(text)
        except TooLate:
            raise ImplementationBroke(
                f"printed a line on which the regular expression takes for ever: {show(text)}"
            ) from None


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise BadInput("bad-log", f"{show(pattern)} is no regular expression: {error}", f"write {SYNTAX}") from None
    if not compiled.groups or (compiled.groups == 1 and "refused" in compiled.groupindex):
        raise BadInput(
            "bad-log", f"{show(pattern)} has no group for the backends", "put them into ( ) or (?P<backends> )"
        )
    return compiled


def _answer(found: re.Match[str]) -> tuple[str, ...]:
    groups = found.groupdict()
    if groups.get("refused") is not None:
        raise Refused(plain(groups["refused"]))
    text = groups["backends"] if "backends" in groups else found[1]
    return checked_backends([name for name in _BETWEEN.split(text or "") if name])
