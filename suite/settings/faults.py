"""What is wrong with a setting, said so that it can be mended: all faults at once, one line each.

Names and values come from strangers, so they are shown as printable ASCII: an
escape sequence does nothing to the terminal, and a Cyrillic `U` does not pass
for a Latin one.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SHOWN_CHARACTERS = 80
_SHOWN_MESSAGE = 200
_SHOWN_FAULTS = 20
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")


@dataclass(frozen=True)
class Fault:
    """One thing that cannot be accepted; `variable` (or the dotted key of a file) and `value` are ready to print."""

    variable: str
    value: str
    problem: str
    accepted: str

    def __str__(self) -> str:
        return f"{self.variable}={self.value} {self.problem}. Accepted: {self.accepted}"


class SettingsError(BadInput):
    """Settings that cannot be accepted; `faults` holds every one, in a stable order."""

    def __init__(self, faults: Sequence[Fault], source: str = "") -> None:
        self.faults = tuple(faults)
        super().__init__("bad-setting", _message([f"{source}: {f}" if source else str(f) for f in self.faults]))


def show(value: object) -> str:
    """Return `value` as one short line of printable ASCII, text in quotes, YAML's words for null and booleans."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case bytes():
            return _cut(_ascii_of_bytes(value))
    try:
        return _cut(ascii(value))
    except ValueError:  # an int with more digits than Python prints (sys.set_int_max_str_digits)
        return "a huge number"


def show_name(name: bytes | str) -> str:
    """Return the name of a variable, key or file as it was typed if that is plain, else like a value."""
    text = name.decode("ascii", "replace") if isinstance(name, bytes) else name
    return text if _PLAIN_NAME.fullmatch(text) else show(name)


def escaped(text: str) -> str:
    """Return somebody else's text (a message, not a value) as one short printable line without quotes."""
    return _cut(ascii(text)[1:-1], _SHOWN_MESSAGE)


def suggestion(word: str, names: Iterable[str], *, likeness: float = 0.6) -> str:
    """Return the one of `names` that `word` was probably meant to be, whatever its letter case, or an empty string."""
    by_lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word[:_SHOWN_CHARACTERS].strip().lower(), by_lower, n=1, cutoff=likeness)
    return by_lower[near[0]] if near else ""


def _message(lines: Sequence[str]) -> str:
    if len(lines) == 1:
        return lines[0]
    shown = [f"  - {line}" for line in lines[:_SHOWN_FAULTS]]
    rest = len(lines) - len(shown)
    return "\n".join([f"{len(lines)} settings cannot be accepted:", *shown, *([f"  and {rest} more"] if rest else [])])


def _ascii_of_bytes(value: bytes) -> str:
    try:
        return ascii(value.decode())
    except UnicodeDecodeError:
        return ascii(value)[1:]  # b'\xff' without its b


def _cut(text: str, limit: int = _SHOWN_CHARACTERS) -> str:
    if len(text) <= limit:
        return text
    return f"{text[:limit]}... ({len(text)} characters)"
