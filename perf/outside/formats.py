"""The formats that are read, and `read_file`, which tries each. A new format is a module and a line in `FORMATS`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from perf.outside import nixlbench, ucx_perftest
from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from perf.outside.result import OutsideResult

MOST_BYTES = 1 << 20  # tables are some KiB; ucx_perftest prints a line each second, so this is hours of it


class Format(Protocol):
    """A module that reads the output of one tool."""

    def matches(self, text: str) -> bool:
        """Tell whether the text holds a table or a banner of this tool."""

    def read(self, text: str, source: str) -> list[OutsideResult]:
        """Return at least one result; raises `BadInput` with `source` and the line."""


FORMATS: Mapping[str, Format] = {
    nixlbench.TOOL: nixlbench,
    ucx_perftest.TOOL: ucx_perftest,
}


def read_file(path: Path) -> list[OutsideResult]:
    """Return what a tool measured, from a file of what it printed. Raises `BadInput`."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadInput("unreadable", f"{path}: {error.strerror or error}") from error
    if len(data) > MOST_BYTES:
        raise BadInput(
            "too-large", f"{path}: more than {MOST_BYTES >> 20} MiB", "keep the heading and the last lines of its table"
        )
    return read_text(data.decode("utf-8", errors="replace"), str(path))


def read_text(text: str, source: str) -> list[OutsideResult]:
    """Return the results in `text`; `source` is what errors and results call it. Raises `BadInput`."""
    found = [name for name, form in FORMATS.items() if form.matches(text)]
    if not found:
        raise BadInput(
            "unknown-format",
            f"{source}: not the output of a tool that is read here",
            f"accepted: {', '.join(FORMATS)}; keep the heading of the table. docs/outside.md says how to add one",
        )
    if len(found) > 1:
        raise BadInput("two-formats", f"{source}: output of {' and '.join(found)}", "give each a file of its own")
    return FORMATS[found[0]].read(text, source)
