"""How the files of a handoff are opened is decided once, from what is moved and from the file system."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.memory.file import filesystem_of
from suite.transfer.options import task_of
from suite.transfer.serving.files import files_for, unaligned

SHARED = Path("/dev/shm")  # noqa: S108  a tmpfs on most machines; the folder made in it has a random name


def task(**changes):
    asked = {"layers": 2, "prefill": "tp=2", "decode": "tp=4", "tokens": 100, "requests": 3, "element_bytes": 2}
    return task_of("llama-3.1-8b", **asked | changes)


def test_pages_of_whole_heads_suit_direct_io():
    assert unaligned(task()) == ""  # a head's page: 32 tokens of 256 bytes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"decode": "tp=4,block=8"}, "has 2048 bytes at offset"),
        ({"decode": "tp=2,order=NHD"}, "has 256 bytes at offset"),
    ],
)
def test_a_row_that_does_not_suit_is_named(changes, said):
    assert said in unaligned(task(**changes))


def test_a_block_that_does_not_suit_is_named_even_if_rows_of_the_first_do():
    assert "a block of" in unaligned(task(layers=1, prefill="tp=8,block=1", decode="tp=8,block=1"))


def test_nothing_is_left_of_the_folder(tmp_path):
    with files_for(task(), tmp_path, layers_each=0) as files:
        path = files.path("prefill-0")
        path.write_bytes(b"x")
        assert path.parent.parent == tmp_path
        assert files.nbytes % 4096 == 0
        assert [one.name for one in path.parent.iterdir()] == ["prefill-0.kv"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not SHARED.is_dir() or filesystem_of(SHARED) != "tmpfs", reason="no tmpfs")
def test_a_file_system_without_direct_io_is_named():
    with files_for(task(), SHARED, layers_each=0) as files:
        assert not files.direct
        assert "tmpfs" in files.why
        assert files.filesystem == "tmpfs"
