"""A scratch folder that is gone when its process is, also after SIGKILL."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from suite.errors import BadInput
from suite.run.janitor import janitor

if TYPE_CHECKING:
    from collections.abc import Iterator

_REMOVE = 'exec rm -rf -- "$1"'


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
    with janitor(_REMOVE, folder):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
