"""A TOML file -> a document, or a `BadInput` that says which file and where in it."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from suite.errors import BadInput
from suite.units import format_bytes

if TYPE_CHECKING:
    from pathlib import Path

MAX_FILE_BYTES = 1 << 20
MAX_LINE_BYTES = 1_000  # tomllib takes quadratic time for a dotted key: hours for a file of one


def read_toml(path: Path, *, missing: str = "") -> dict[str, object]:
    """Return the document in the file at `path`; `missing` is the hint when there is no such file."""
    return parse_toml(_read(path, missing), source=str(path))


def parse_toml(data: bytes, *, source: str) -> dict[str, object]:
    """Return the TOML document in `data`."""
    if len(data) > MAX_FILE_BYTES:
        raise BadInput("file-too-large", f"{source} is too large for a spec", f"at most {format_bytes(MAX_FILE_BYTES)}")
    for number, text in enumerate(data.splitlines(), start=1):
        if len(text) > MAX_LINE_BYTES:
            message = f"{source}:{number}: a line of {len(text)} bytes is too long for a spec"
            raise BadInput("line-too-long", message, f"at most {MAX_LINE_BYTES}: a list may go over several lines")
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(
            "not-utf-8", f"{source}:{line}: not UTF-8 text (byte {error.start})", "save it as UTF-8"
        ) from None
    except RecursionError:
        raise BadInput("bad-toml", f"{source}: nested too deeply", "a spec nests two levels") from None
    except ValueError as error:  # tomllib names line and column
        raise BadInput("bad-toml", f"{source}: not TOML: {error}", "TOML is described at https://toml.io") from None


def _read(path: Path, missing: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise BadInput("no-such-file", f"{path}: no such file", missing) from None
    except IsADirectoryError:
        raise BadInput("not-a-file", f"{path} is a directory", "name the TOML file in it") from None
    except OSError as error:
        raise BadInput("unreadable-file", f"{path}: {error.strerror}", missing) from None
    except ValueError:  # a NUL byte
        raise BadInput("no-such-file", f"{str(path)!r} cannot be a path", missing) from None
