"""Cleaning up after us, however we end: a shell that waits for the end of its input, which is ours, also after SIGKILL."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def janitor(script: str, path: Path) -> Iterator[None]:
    """Have `script` run with `path` as its `$1` when we leave or die.

    Its own session keeps it out of reach of Ctrl-C and of kills of our group.
    """
    with subprocess.Popen(
        ["/bin/sh", "-c", f'trap "" INT TERM HUP; cat > /dev/null; {script}', "kvgauge-janitor", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    ):  # leaving closes its stdin and waits
        yield
