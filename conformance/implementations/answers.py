"""What a stranger answered, checked before anybody relies on it: its shape, its size, and that it can be shown."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from itertools import islice

from conformance.verdict import ImplementationBroke
from suite.settings.faults import show

MAX_NAMES = 1_000
MAX_CHARACTERS = 10_000
_SHOWN_CHARACTERS = 200
_SHOWN_LINES = 5


def checked_backends(answer: object) -> tuple[str, ...]:
    """Return an answer to the question for backends; anything but a sequence of short texts broke."""
    if isinstance(answer, str | bytes) or not isinstance(answer, Sequence):
        raise ImplementationBroke(f"answered {shown(answer)}, not a list of names")
    names = tuple(islice(answer, MAX_NAMES + 1))  # its length may be a lie
    if len(names) > MAX_NAMES:
        raise ImplementationBroke(f"answered more than {MAX_NAMES} names")
    return tuple(_text(name, "a name") for name in names)


def checked_method(answer: object) -> str:
    """Return an answer to the question for the method; anything but a short text broke."""
    return _text(answer, "a method")


def shown(answer: object) -> str:
    """Return one short printable line for any object, also one whose own words are endless or fail."""
    if type(answer) is str or type(answer) is bytes:  # a subclass may have its own ideas of a slice
        return show(answer[:_SHOWN_CHARACTERS])
    return plain(reprlib.repr(answer))


def plain(text: str) -> str:
    """Return somebody else's words as one short line of printable ASCII; unlike in `show`, a backslash stays one."""
    cut = text[: _SHOWN_CHARACTERS + 1]
    line = "".join(c if c.isascii() and c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
    return line if len(line) <= _SHOWN_CHARACTERS else f"{line[:_SHOWN_CHARACTERS]}..."


def shown_lines(text: str) -> str:
    """Return the last lines of somebody else's text, each made printable and indented; empty if there is none."""
    lines = [line for line in text.splitlines() if line.strip()]
    return "".join(f"\n  {plain(line)}" for line in lines[-_SHOWN_LINES:])


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise ImplementationBroke(f"answered {shown(value)}, not a text, for {what}")
    if len(value) > MAX_CHARACTERS:
        raise ImplementationBroke(f"answered {len(value)} characters for {what}; at most {MAX_CHARACTERS} are read")
    return str.__str__(value)  # a subclass may say other things later
