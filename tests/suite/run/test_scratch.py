"""A scratch folder does not outlive its process, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from suite.errors import BadInput
from suite.run.scratch import scratch

PATIENCE_S = 10.0
HOLDS = """
import sys, time
from pathlib import Path
from suite.run.scratch import scratch
with scratch(Path(sys.argv[1])) as folder:
    (folder / "file").write_bytes(b"x" * 4096)
    print(folder, flush=True)
    time.sleep(60)
"""


def test_it_is_ours_inside_the_parent_and_gone_afterwards(tmp_path):
    with scratch(tmp_path / "a b") as folder:
        assert folder.parent == tmp_path / "a b"
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "deep").mkdir()
        (folder / "deep" / "file").touch()
    assert list((tmp_path / "a b").iterdir()) == []


def test_it_is_gone_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), scratch(tmp_path):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_is_gone_when_its_process_was_killed(tmp_path, how):
    parent = tmp_path / 'it\'s; a "scratch" $HOME'
    with subprocess.Popen([sys.executable, "-c", HOLDS, parent], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        folder = holder.stdout.readline().strip()
        assert os.listdir(folder) == ["file"]  # noqa: PTH208  what a user would see
        holder.send_signal(how)
    deadline = time.monotonic() + PATIENCE_S
    while list(parent.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="file") as caught, scratch(tmp_path / "file"):
        pass
    assert "--scratch" in caught.value.hint
