"""What UCX left in shared memory is told, and nothing else: no file that is in use, older than the run, or not UCX's."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from perf.leftovers import what_ucx_left
from suite.run.folder import RunFolder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    folder.manifest.write_text(json.dumps({"started_at": "2026-11-24T05:00:00.000+00:00"}))
    return folder


def test_only_what_nobody_has_open_is_told_and_nothing_is_removed(run: RunFolder, tmp_path: Path) -> None:
    where = tmp_path / "shm"
    where.mkdir()
    assert list(what_ucx_left(run, where)) == []
    left, old, used, other = (
        where / name for name in ("ucx_shm_posix_a", "ucx_shm_posix_b", "ucx_shm_posix_c", "mine")
    )
    for path in (left, old, used, other):
        path.write_bytes(b"x" * 4096)
    os.utime(old, (0, 0))
    with used.open("rb"):
        [note] = what_ucx_left(run, where)
    assert note.startswith("UCX left a file of 4 KiB in ")
    assert note.endswith(f": rm {left}")
    assert {path.name for path in where.iterdir()} == {"ucx_shm_posix_a", "ucx_shm_posix_b", "ucx_shm_posix_c", "mine"}


@pytest.mark.parametrize("started", [None, "yesterday", 7])
def test_a_run_that_does_not_say_when_it_was_started_tells_nothing(
    run: RunFolder, tmp_path: Path, started: object
) -> None:
    run.manifest.write_text(json.dumps({"started_at": started}))
    (tmp_path / "ucx_shm_posix_a").touch()
    assert list(what_ucx_left(run, tmp_path)) == []
