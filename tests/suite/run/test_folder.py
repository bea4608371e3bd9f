"""A run on disk survives kills, full disks and second runs."""

from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.errors import BadInput
from suite.run import folder as folders
from suite.run.folder import RUNS, RunFolder, create, reopen, write_whole

if TYPE_CHECKING:
    from pathlib import Path

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
RECORDS = st.lists(st.dictionaries(st.text(), st.recursive(SCALARS, st.lists, max_leaves=5)), max_size=5)


def lines(folder: RunFolder) -> list[object]:
    return [json.loads(line) for line in folder.samples.read_bytes().split(b"\n")[:-1]]


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return create(tmp_path_factory.mktemp("run") / "shared")


def test_a_new_folder_has_room_for_everything(tmp_path: Path) -> None:
    """A new run has an empty file of samples and a folder for logs, also in a path that is new and has blanks."""
    folder = create(tmp_path / "a b" / "c")
    assert folder.path == tmp_path / "a b" / "c"
    assert folder.samples == folder.path / "samples.jsonl"
    assert folder.manifest == folder.path / "manifest.json"
    assert folder.report == folder.path / "report.html"
    assert folder.samples.read_bytes() == b""
    assert folder.logs.is_dir()
    assert not folder.manifest.exists()


@settings(max_examples=20)  # each record waits for the disk
@given(RECORDS)
def test_records_are_read_back_line_by_line(shared_folder: RunFolder, records: list[dict[str, object]]) -> None:
    """Every record is one line of ASCII, whatever it holds, and comes back as it was, in order."""
    shared_folder.samples.write_bytes(b"")
    for record in records:
        shared_folder.append(record)
    assert lines(shared_folder) == records
    assert shared_folder.samples.read_bytes().isascii()


def test_records_survive_odd_names(tmp_path: Path) -> None:
    """Names that are no UTF-8, as an environment may have them, can be written."""
    folder = create(tmp_path / "run")
    folder.append({"path": os.fsdecode(b"/\xff")})
    folder.write_manifest({"path": os.fsdecode(b"/\xff")})
    assert lines(folder) == [json.loads(folder.manifest.read_text(encoding="utf-8"))]


def test_a_record_is_on_disk_before_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is synced after the whole line is in it."""
    folder = create(tmp_path / "run")
    seen = []
    monkeypatch.setattr(os, "fsync", lambda number: seen.append((number, folder.samples.read_bytes())))
    folder.append({"a": 1})
    assert [text for _, text in seen] == [b'{"a":1}\n']


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_what_is_not_json_leaves_no_trace(tmp_path: Path, value: object) -> None:
    """A value that JSON has no word for is refused before a byte is written, in samples and manifest."""
    folder = create(tmp_path / "run")
    folder.append({"good": 1})
    folder.write_manifest({"good": 1})
    for write in (folder.append, folder.write_manifest):
        with pytest.raises((ValueError, TypeError)):
            write({"bad": value})
    assert lines(folder) == [{"good": 1}]
    assert json.loads(folder.manifest.read_text(encoding="utf-8")) == {"good": 1}


@pytest.mark.parametrize("left", ["samples.jsonl", "manifest.json"])
def test_a_folder_that_holds_a_run_is_refused(tmp_path: Path, left: str) -> None:
    """Samples or a manifest of an earlier run are never written over."""
    (tmp_path / left).write_text("old", encoding="utf-8")
    with pytest.raises(BadInput, match="already holds a run") as caught:
        create(tmp_path)
    assert caught.value.code == "run-exists"
    assert "--out" in caught.value.hint
    assert (tmp_path / left).read_text(encoding="utf-8") == "old"


def test_a_folder_with_other_things_is_taken(tmp_path: Path) -> None:
    """What is in a folder besides a run is nobody's business."""
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "logs").mkdir()
    assert create(tmp_path).samples.exists()


@pytest.mark.parametrize("below", ["", "run", "runs/deep"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, below: str) -> None:
    """A path that is a file, or lies under one, is refused with its name and the option to change."""
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(BadInput, match=r"cannot write to .*file") as caught:
        create(file / below)
    assert caught.value.code == "no-run-folder"
    assert "--out" in caught.value.hint


def test_runs_that_cannot_be_a_folder_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --out, a file called runs is in the way and said to be."""
    monkeypatch.chdir(tmp_path)
    RUNS.touch()
    with pytest.raises(BadInput, match="cannot write to runs: "):
        create(None)


def test_fresh_names_do_not_collide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that start in one second have names of their own, in the order of their start."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(folders, "datetime", FrozenClock)
    names = [create(None).path.name for _ in range(3)]
    assert names == ["2026-01-02T03-04-05Z", "2026-01-02T03-04-05Z-1", "2026-01-02T03-04-05Z-2"]
    assert sorted(names) == names


class FrozenClock:
    """A second that does not end."""

    @classmethod
    def now(cls, _zone: object) -> FrozenClock:
        return cls()

    def strftime(self, _shape: str) -> str:
        return "2026-01-02T03-04-05Z"


def at_once(count: int, work: object) -> list[object]:
    """Run `work` in `count` threads that start together; return results and errors."""
    gate = Barrier(count)

    def one(number: int) -> object:
        gate.wait()
        try:
            return work(number)  # type: ignore[operator]
        except BadInput as error:
            return error

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(one, range(count)))


def test_runs_that_start_at_once_share_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many runs without --out in the same instant each get a folder; none is refused, none is shared."""
    monkeypatch.chdir(tmp_path)
    for _ in range(10):
        made = at_once(8, lambda _: create(None))
        assert len({run.path for run in made}) == 8  # type: ignore[attr-defined]


def test_of_runs_into_one_folder_one_wins(tmp_path: Path) -> None:
    """Many runs with the same --out in the same instant: exactly one has it, the others are refused."""
    for round_ in range(10):
        made = at_once(8, lambda _, out=tmp_path / str(round_): create(out))
        assert sum(isinstance(result, RunFolder) for result in made) == 1
        assert sum(isinstance(result, BadInput) for result in made) == 7


@pytest.mark.parametrize("torn", [b"", b'{"schema":1,"poi', b'{"x": "' + b"y" * 3_000_000])
@pytest.mark.parametrize("whole", [b"", b'{"a":1}\n{"b":2}\n'])
def test_a_torn_last_line_is_cut_off_before_a_run_goes_on(tmp_path: Path, whole: bytes, torn: bytes) -> None:
    """What a kill left of a line goes, whole lines stay, and the next record is a line of its own."""
    folder = create(tmp_path / "run")
    folder.samples.write_bytes(whole + torn)
    again = reopen(folder.path)
    assert again.samples.read_bytes() == whole
    again.append({"c": 3})
    assert again.samples.read_bytes() == whole + b'{"c":3}\n'


def test_a_folder_without_samples_cannot_go_on(tmp_path: Path) -> None:
    """Only what a sweep wrote can be resumed."""
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(BadInput, match="cannot resume") as caught:
            reopen(path)
        assert caught.value.code == "no-run-folder"


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """After writing there is the new text and nothing else."""
    path = tmp_path / "report.html"
    write_whole(path, "old" * 1000)
    write_whole(path, "n\u00e9w")
    assert path.read_text(encoding="utf-8") == "n\u00e9w"
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~current_umask()
    assert list(tmp_path.iterdir()) == [path]


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("before", [None, "old"])
def test_a_failed_write_leaves_no_half_file(tmp_path: Path, before: str | None) -> None:
    """When writing fails, the old file is as it was and no piece of the new one is left."""
    path = tmp_path / "report.html"
    if before is not None:
        path.write_text(before, encoding="utf-8")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "x" * 100_000 + "\udcff")
    assert [(found.name, found.read_text(encoding="utf-8")) for found in tmp_path.iterdir()] == (
        [] if before is None else [("report.html", before)]
    )


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the text cannot be brought to disk, the error is passed on and the old file stays."""
    path = tmp_path / "manifest.json"
    write_whole(path, "old")

    def full(_number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]
