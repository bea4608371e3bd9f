"""The first host of a Slurm node list: `gpu-a[003-007,9],b1` begins with `gpu-a003`."""

from __future__ import annotations

import re

from suite.cluster import values
from suite.errors import BadInput

MAX_CHARACTERS = 1 << 16
_FIRST = re.compile(r"([^\[\],\s]*)(?:\[([0-9]+)(?:-[0-9]+)?(?:,[0-9]+(?:-[0-9]+)?)*\])?([^\[\],\s]*)(?=,|$)")


def first_host(text: str, by: str) -> str:
    """Return the first host; `BadInput` names the variable `by` for anything that is no node list."""
    found = _FIRST.match(text) if len(text) <= MAX_CHARACTERS else None
    if not found:
        hint = "names of hosts with commas between them; several as gpu[01-08,11]"
        raise BadInput("bad-host", f"{by}={values.shown(text)} is no list of nodes", hint)
    return values.host(f"{found[1]}{found[2] or ''}{found[3]}", by)
