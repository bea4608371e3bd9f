"""A sweep on a cluster, as asked for, and the command that each of its ranks runs.

What is printed is a shell script: every word of the user's is quoted, and what
cannot be quoted, the lines that Slurm itself reads, takes only what is listed here.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suite.cluster import values
from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from suite.cluster.world import Address

_TIME = re.compile(r"[0-9]{1,5}|[0-9]{1,4}:[0-9]{2}(:[0-9]{2})?|[0-9]{1,3}-[0-9]{1,2}(:[0-9]{2}){0,2}")
_NAMES = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}(,[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})*")
_LONGEST = 4096  # characters of a path
TOKEN = "KVGAUGE_TOKEN"  # noqa: S105  the name of the variable, not a secret
NEW_TOKEN = f"""{TOKEN}="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \\n')\""""


@dataclass(frozen=True)
class Job:
    """What is to run where; `gpus` and `ranks` are of one node, "" and None: not said."""

    spec: str
    nodes: int = 1
    ranks: int = 1
    gpus: int = 0
    time: str = ""
    partition: str = ""
    account: str = ""
    container: str = ""
    venv: str = ""
    hostfile: str = ""
    out: str = ""
    rendezvous: Address | None = None

    def __post_init__(self) -> None:
        for option, text in (
            ("SPEC", self.spec), ("--container", self.container), ("--venv", self.venv),
            ("--hostfile", self.hostfile), ("--out", self.out),
        ):  # fmt: skip
            _check_path(option, text)
        if self.time and not _TIME.fullmatch(self.time):
            hint = "as Slurm has it: MINUTES, HH:MM:SS or DAYS-HH:MM:SS"
            raise BadInput("bad-time", f"--time={values.shown(self.time)} is not accepted", hint)
        for option, text in (("--partition", self.partition), ("--account", self.account)):
            if text and not _NAMES.fullmatch(text):
                hint = "letters, digits, dots, - and _; several with commas between them"
                raise BadInput("bad-name", f"{option}={values.shown(text)} is not accepted", hint)
        if self.nodes * self.ranks > values.MAX_RANKS:
            what = f"{self.nodes} nodes with {self.ranks} ranks each are too many"
            raise BadInput("bad-world", what, f"at most {values.MAX_RANKS} ranks")

    def program(self, name: str) -> list[str]:
        """Return a program of the environment that kvgauge is installed in."""
        return [f"{self.venv.rstrip('/')}/bin/{name}" if self.venv else name]

    def contained(self) -> list[str]:
        """Return what starts a command in the container, if there is one."""
        if not self.container:
            return []
        return ["apptainer", "exec", *(["--nv"] if self.gpus else []), self.container]

    def sweep(self) -> list[str]:
        """Return what each rank runs."""
        return [*self.program("kvgauge"), "sweep", self.spec, *(["--out", self.out] if self.out else [])]


def _check_path(option: str, text: str) -> None:
    if len(text) > _LONGEST or (text and not text.isprintable()) or text.startswith("-"):
        hint = f"printable characters, at most {_LONGEST}; a name that begins with - as ./-"
        raise BadInput("bad-path", f"{option}={values.shown(text)} is not accepted", hint)


def line(words: Sequence[str]) -> str:
    """Return a command line that a shell splits into these words again."""
    return " ".join(map(shlex.quote, words))
