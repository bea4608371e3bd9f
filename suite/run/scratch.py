"""A scratch folder that is gone when its process is, also after SIGKILL."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

# Its stdin ends when we do, however we end. Its own session keeps it out of reach of Ctrl-C and of kills of our group.
_JANITOR = ("/bin/sh", "-c", 'trap "" INT TERM HUP; cat > /dev/null; exec rm -rf -- "$1"', "kvgauge-janitor")


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """Make a folder of our own inside `parent`, and leave nothing of it behind."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="kvgauge-", dir=parent)).absolute()
    except OSError as error:
        raise BadInput(
            "no-scratch", f"{parent}: {error.strerror}", "--scratch DIR: a folder that can be written to"
        ) from error
    with subprocess.Popen(
        [*_JANITOR, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    ):  # leaving closes its stdin and waits
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
