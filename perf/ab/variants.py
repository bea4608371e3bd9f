"""What `--ab A B` may say: variables and settings, a virtual environment, or a command.

`UCX_TLS=cma,sm,self`, `UCX_RNDV_THRESH=64k,UCX_MAX_RNDV_RAILS=1`, `default` (nothing is
changed), `venv:PATH`, `command:LINE`. A comma is part of a value unless another NAME= follows it.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from suite.errors import BadInput
from suite.run.machine import STEERING, redact, redacted_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

Name = Literal["A", "B"]
NAMES: tuple[Name, Name] = ("A", "B")
DEFAULT = "default"
_FORMS = (
    "accepted: NAME=VALUE[,NAME=VALUE...], default (nothing changed), venv:PATH, command:LINE;"
    " for example --ab UCX_TLS=cma,self UCX_TLS=tcp,self"
)
_MOST = 20_000  # characters
_NEXT = re.compile(r"[,\s]\s*(?=[A-Za-z_][A-Za-z0-9_]*=)")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_SETTING = re.compile(r"[a-z][a-z0-9_]*")
_OURS = ("PYTHONPATH", "PYTHONHOME", "UCX_LOG_FILE", "UCX_PROTO_INFO")  # by which workers run, and evidence is taken


@dataclass(frozen=True)
class Variant:
    """One side of an A/B, as it was asked for."""

    name: Name
    text: str
    variables: Mapping[str, str] = field(default_factory=dict)  # upper case: workers find them in their environment
    settings: Mapping[str, str] = field(default_factory=dict)  # lower case: of a point, as in a spec's [kv.settings]
    venv: str = ""
    command: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What it is, for a reader: without secrets, `as the spec says` where nothing is changed."""
        if given := {**self.variables, **self.settings}:
            return ", ".join(f"{name}={value}" for name, value in redacted_environment(given).items())
        return redact(self.text) if self.venv or self.command else "as the spec says"

    @property
    def harmless(self) -> bool:
        """Whether a run folder from anywhere may say it: it sets nothing that a spec could not set, and starts nothing."""
        return not self.venv and not self.command and all(name.startswith(STEERING) for name in self.variables)


def parse(name: Name, text: str) -> Variant:
    """Return the variant that `text` stands for; raises `BadInput`."""
    if len(text) > _MOST or "\0" in text:
        raise BadInput("bad-variant", f"--ab, {name}: too long, or with a NUL byte", _FORMS)
    kind, colon, rest = text.partition(":")
    if colon and kind == "venv":
        if not rest:
            raise BadInput(
                "bad-variant", f"--ab, {name}: venv: names no folder", "write venv:PATH of a virtual environment"
            )
        return Variant(name, text, venv=rest)
    if colon and kind == "command":
        return Variant(name, text, command=_words(name, rest))
    if text.strip() in {"", DEFAULT}:
        return Variant(name, DEFAULT)
    given = _assignments(name, text.strip())
    variables = {key: value for key, value in given.items() if _VARIABLE.fullmatch(key)}
    return Variant(name, text, variables, {key: value for key, value in given.items() if key not in variables})


def parse_both(texts: tuple[str, str]) -> tuple[Variant, Variant]:
    """Return A and B; two commands, or none: what a command measures and our points have nothing in common."""
    first, second = (parse(name, text) for name, text in zip(NAMES, texts, strict=True))
    if bool(first.command) != bool(second.command):
        hint = "give two commands, or two of: variables, default, venv:PATH"
        raise BadInput("unlike-variants", "--ab: a command can only be compared with a command", hint)
    return first, second


def _words(name: Name, line: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(line))
    except ValueError as error:
        raise BadInput("bad-variant", f"--ab, {name}: {error} in the command", "quote it as for a shell") from None
    if not words:
        raise BadInput("bad-variant", f"--ab, {name}: command: names no program", "write command:PROGRAM ARGUMENTS")
    return words


def _assignments(name: Name, text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in _NEXT.split(text):
        variable, equals, value = part.partition("=")
        if not equals:
            raise BadInput("bad-variant", f"--ab, {name}: {part[:60]!r} is no NAME=VALUE", _FORMS)
        if not _VARIABLE.fullmatch(variable) and not _SETTING.fullmatch(variable):
            hint = "variables of the environment are upper case, settings of a back end lower case"
            raise BadInput("bad-variant", f"--ab, {name}: {variable[:60]!r} is neither variable nor setting", hint)
        if variable in _OURS or variable.startswith("DYN_KVBM_"):
            hint = "venv:PATH for other libraries; the transports of a sweep are named in its spec"
            raise BadInput("bad-variant", f"--ab, {name}: {variable} cannot differ between A and B", hint)
        if variable in found:
            raise BadInput("named-twice", f"--ab, {name}: {variable} is set twice", "set each variable once")
        found[variable] = value
    return found
