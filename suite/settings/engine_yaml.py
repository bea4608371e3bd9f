"""A YAML file from a stranger -> a mapping, or one line that says what is wrong with it.

The text is walked once as events before anything is built, because that costs
no more than its length: nesting, aliases that multiply ("billion laughs") and
keys given twice are found there. PyYAML itself takes the last of two equal
keys without a word.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from suite.errors import BadInput
from suite.settings.faults import escaped, show
from suite.units import format_bytes

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 1 << 20  # engine configurations have a few kilobytes
MAX_DEPTH = 64
MAX_NODES = 100_000  # once every alias is replaced by what it stands for
MAX_SCALAR = 1 << 16  # PyYAML's sexagesimal integers take quadratic time
MERGE = "<<"


def read_mapping(path: Path) -> dict[object, object]:
    """Return the top-level mapping of the file, empty for an empty file; every other content is a `BadInput`."""
    text = _read_text(path)
    _check_structure(text, path)
    document = _load(text, path)
    if document is None:
        return {}
    if not isinstance(document, dict):
        _refuse(path, f"holds {show(document)}, not a mapping", "write `key: value` lines")
    return document


def shown_path(path: Path) -> str:
    """Return the path as the user knows it, or escaped if it could disturb a terminal."""
    return str(path) if str(path).isprintable() else ascii(str(path))


def _refuse(path: Path, problem: str, hint: str = "") -> NoReturn:
    raise BadInput("bad-file", f"{shown_path(path)}: {problem}", hint)


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        _refuse(path, f"cannot be read: {getattr(error, 'strerror', None) or error}")
    if len(raw) > MAX_BYTES:
        _refuse(
            path,
            f"is larger than {format_bytes(MAX_BYTES)}",
            "an engine configuration is far smaller; which file is this?",
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _refuse(path, f"is not UTF-8: byte {error.start} is {raw[error.start]:#04x}", "save it as UTF-8")


@dataclass
class _Open:
    """A mapping or sequence whose end has not been seen; the document itself is the outermost."""

    anchor: str | None = None
    mapping: bool = False
    nodes: int = 1
    children: int = 0
    keys: set[str] = field(default_factory=set)

    def repeats(self, scalar: str | None) -> bool:
        """Take one child; return whether it is a key for the second time."""
        is_key = self.mapping and self.children % 2 == 0
        self.children += 1
        if not is_key or scalar is None or scalar == MERGE:
            return False
        repeated = scalar in self.keys
        self.keys.add(scalar)
        return repeated


def _check_structure(text: str, path: Path) -> None:
    """Refuse nesting, expansion and repeated keys before anything is built from `text`."""
    import yaml

    sizes: dict[str | None, int] = {}  # nodes behind each anchor that is complete
    stack = [_Open()]
    line = 1
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = event.start_mark.line + 1 if event.start_mark else line
            match event:
                case yaml.CollectionStartEvent():
                    stack.append(_Open(event.anchor, isinstance(event, yaml.MappingStartEvent)))
                    _within(len(stack) - 1, MAX_DEPTH, "levels of nesting")
                case yaml.CollectionEndEvent():
                    closed = stack.pop()
                    _count(stack[-1], closed.nodes, None)
                    sizes[closed.anchor] = closed.nodes
                case yaml.ScalarEvent():
                    _within(len(event.value), MAX_SCALAR, "characters in one value")
                    _count(stack[-1], 1, event.value)
                    sizes[event.anchor] = 1
                case yaml.AliasEvent():
                    _count(stack[-1], _size_of(event.anchor, sizes), None)
    except yaml.YAMLError as error:
        _refuse(path, f"is not YAML: {_reason(error)}")
    except _Structure as error:
        _refuse(path, f"line {line}: {error}")


class _Structure(Exception):
    """What is wrong with the structure, to be said with the file and the line."""


def _count(parent: _Open, nodes: int, scalar: str | None) -> None:
    parent.nodes += nodes
    _within(parent.nodes, MAX_NODES, "values, counting what aliases stand for")
    if parent.repeats(scalar):
        raise _Structure(f"the key {show(scalar)} is given twice")


def _size_of(anchor: str | None, sizes: dict[str | None, int]) -> int:
    if anchor not in sizes:
        raise _Structure(f"the alias {show(anchor)} stands for nothing, or for itself")
    return sizes[anchor]


def _within(number: int, limit: int, what: str) -> None:
    if number > limit:
        raise _Structure(f"more than {limit} {what}")


def _load(text: str, path: Path) -> object:
    """Build the document; `_check_structure` has bounded what that costs."""
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        _refuse(path, f"is not YAML: {_reason(error)}")
    # What fails inside PyYAML's constructors comes through as it is: `2024-99-99`, `!!int ""`, `!!bool x`, `!!timestamp x`.
    except (ValueError, LookupError, AttributeError, TypeError, OverflowError) as error:
        _refuse(path, f"holds a value that does not have the form of its type ({escaped(str(error))})")


def _reason(error: Exception) -> str:
    """Return the cause and line in one printable line, without the excerpt of the file that PyYAML adds."""
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return where + escaped(problem)
