"""JSON lines of a run folder -> objects. The file may come from anywhere, and its writer may have been killed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from suite.errors import BadInput
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_LINE_BYTES = 64 << 20
MAX_FILE_BYTES = 2 << 30


def read_lines(path: Path, notes: list[str]) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield each line of a JSONL file as (`file:line`, object); append to `notes` if the last one was torn.

    A writer ends each line with a newline, so only a last line without one can be torn.
    """
    try:
        with path.open("rb") as file:
            read = number = 0
            while data := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                read += len(data)
                source = f"{path}:{number}"
                if len(data) > MAX_LINE_BYTES:
                    raise BadInput("line-too-long", f"{source}: longer than {format_bytes(MAX_LINE_BYTES)}")
                if read > MAX_FILE_BYTES:
                    raise BadInput("file-too-large", f"{path} is larger than {format_bytes(MAX_FILE_BYTES)}")
                value = _parse(data)
                if isinstance(value, dict):
                    yield source, value
                elif not data.endswith(b"\n"):
                    notes.append(f"{source}: the last line was torn when its writer stopped, and is left out")
                else:
                    raise BadInput("broken-line", f"{source}: not a JSON object", "the file was changed or damaged")
    except FileNotFoundError:
        raise BadInput("no-such-file", f"{path}: no such file", "name a run folder that kvgauge wrote") from None
    except OSError as error:
        raise BadInput("unreadable-file", f"{path}: {error.strerror}") from None


def _parse(data: bytes) -> object:
    """Return the JSON value of a line, or None for whatever is not JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):  # ValueError: not JSON, not UTF-8, or an integer of more than 4300 digits
        return None
