"""A shell line that fails again when pasted; for a sequence of calls also a script, which does without pytest."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from conformance.machine.script import pasted

if TYPE_CHECKING:
    from conformance.verdict import Violation


def shell_line(implementation: str, requirement: str, violation: Violation) -> str:
    """Return the command that checks one requirement with one input."""
    if violation.case is not None:
        told = shlex.quote(json.dumps(violation.case, separators=(",", ":")))
        line = f"kvgauge conform {shlex.quote(implementation)} --requirement {requirement} --case {told}"
        return f"{line}\n{pasted(violation.script)}" if violation.script else line
    variables = [quoted(name + b"=" + value) for name, value in violation.environment.items()]
    config = ["--engine", shlex.quote(json.dumps(violation.config))] if violation.config is not None else []
    command = ["kvgauge", "conform", shlex.quote(implementation), "--requirement", requirement, "--from-environment"]
    return " ".join([*(["env", *variables] if variables else []), *command, *config])


def quoted(text: bytes) -> str:
    """Return `text` for bash: quoted as usual, or as `$'...'` if it holds what a terminal cannot show."""
    try:
        shown = text.decode("utf-8")
    except UnicodeDecodeError:
        shown = ""
    if shown.isprintable() and shown:
        return shlex.quote(shown)
    return "$'" + "".join(_escaped(byte) for byte in text) + "'"


def _escaped(byte: int) -> str:
    character = chr(byte)
    return character if character.isascii() and character.isprintable() and character not in "'\\" else f"\\x{byte:02x}"
