"""`kvgauge report` on what is no run: a message and exit code 2, and an old report stays as it was."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from conformance.record import FILE
from reports.formats.choice import FORMATS
from suite import cli
from suite.run import folder, lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OLD = "an old report"


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return the command in this process: its exit code."""

    def call(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["kvgauge", "report", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0)

    return call


@pytest.fixture
def run(line: Callable[..., dict[str, Any]], run_folder: Callable[..., Path]) -> Path:
    """Return a good run of three lines, with an old report."""
    path = run_folder(line(launch) for launch in range(3))
    (path / "report.html").write_text(OLD, encoding="utf-8")
    return path


def lines_of(run: Path) -> list[str]:
    return (run / "samples.jsonl").read_text("utf-8").splitlines(keepends=True)


def second_line(**changes: Any) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        first, second, third = lines_of(run)
        changed = json.dumps(json.loads(second) | changes) + "\n"
        (run / "samples.jsonl").write_text(first + changed + third, encoding="utf-8")

    return change


def written(name: str, data: bytes) -> Callable[[Path], None]:
    return lambda run: (run / name).write_bytes(data) and None


def directory(name: str) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        (run / name).unlink()
        (run / name).mkdir()

    return change


BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut in the middle": (
        lambda run: (run / "samples.jsonl").write_text("".join(lines_of(run))[10:], "utf-8") and None,
        "samples.jsonl:1: not a JSON object",
    ),
    "newer schema": (second_line(schema=2), "samples.jsonl:2: schema 2 is newer than this kvgauge, which reads 1"),
    "another program's": (second_line(tool="x"), "samples.jsonl:2: unknown key tool"),
    "miscounted": (second_line(window_samples=3), "samples.jsonl:2: 4 durations_ns"),
    "binary": (written("samples.jsonl", bytes(range(256)) * 9 + b"\n"), "samples.jsonl:1: not a JSON object"),
    "compressed": (written("samples.jsonl", b"\x1f\x8b\x08\x00\n\n"), "samples.jsonl:1: not a JSON object"),
    "UTF-16": (written("samples.jsonl", '{"kind": "point"}\n'.encode("utf-16")), "samples.jsonl:1: "),
    "deeply nested": (written("samples.jsonl", b"[" * 100_000 + b"\n"), "samples.jsonl:1: not a JSON object"),
    "huge number": (written("samples.jsonl", b'{"launch": ' + b"9" * 5_000 + b"}\n"), "not a JSON object"),
    "directory": (directory("samples.jsonl"), "samples.jsonl: Is a directory"),
    "no manifest": (lambda run: (run / "manifest.json").unlink(), "manifest.json: No such file or directory"),
    "empty manifest": (written("manifest.json", b""), "manifest.json is not a manifest"),
    "list as manifest": (written("manifest.json", b"[]"), "manifest.json is not a manifest"),
    "manifest cut": (written("manifest.json", b'{"kvgauge": "0.1'), "manifest.json is not a manifest"),
    "manifest of a newer schema": (written("manifest.json", b'{"schema": 9}'), "manifest.json: schema 9 is newer"),
    "deeply nested manifest": (written("manifest.json", b'{"a":' * 100_000), "manifest.json is not a manifest"),
    "conformance cut": (written(FILE, b'{"kind": "header", "schema": 1}\n'), "has no footer: the run did not end"),
    "conformance of a newer schema": (written(FILE, b'{"kind": "header", "schema": 2}\n'), "not a line of schema 1"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("what", "form"), [*((what, "html") for what in BAD), *(("newer schema", form) for form in FORMATS)]
)
def test_what_is_no_run_is_a_message_and_never_half_a_report(
    what: str, form: str, run: Path, report: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    change, said = BAD[what]
    change(run)
    assert report(run, "--format", form) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.startswith("kvgauge: ")
    assert "Traceback" not in err
    assert (run / "report.html").read_text("utf-8") == OLD
    assert not list(run.glob("*.partial"))


def test_files_over_the_limits_are_not_read(
    run: Path, report: Callable[..., int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MAX_FILE_BYTES", 1_000)
    assert report(run) == 2
    assert "is larger than 1000 B" in capsys.readouterr().err
    (run / "manifest.json").write_text(json.dumps({"a": "b" * (17 << 20)}), encoding="utf-8")
    assert report(run) == 2
    assert "a JSON object of at most 16 MiB" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file_is_named(run: Path, report: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    (run / "samples.jsonl").chmod(0)
    assert report(run) == 2
    assert "samples.jsonl: Permission denied" in capsys.readouterr().err


def test_a_file_or_nothing_is_no_run_folder(
    run: Path, report: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(run / "samples.jsonl") == 2
    assert "Not a directory" in capsys.readouterr().err
    assert report(run / "nothing") == 2
    assert "No such file" in capsys.readouterr().err


def test_cut_at_any_byte_of_its_last_line_the_rest_is_reported_and_said_to_be_a_rest(
    run: Path, report: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """A writer that was killed: the last line is left out; one of a line that is whole without its end is kept."""
    *whole, last = lines_of(run)
    for cut in (1, len(last) // 2, len(last) - 2):
        (run / "samples.jsonl").write_text("".join(whole) + last[:cut], encoding="utf-8")
        assert report(run, "--format", "md") == 0
        out, err = capsys.readouterr()
        assert "samples.jsonl:3: the last line was torn" in out
        assert "2 launches" in out
        assert not err


def test_a_report_that_cannot_be_written_leaves_the_old_one(
    run: Path, report: Callable[..., int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder.os, "fsync", full)
    assert report(run) == 3
    assert "report.html: No space left on device" in capsys.readouterr().err
    assert (run / "report.html").read_text("utf-8") == OLD
    assert not list(run.glob("*.partial"))


@pytest.mark.parametrize("form", FORMATS)
def test_each_form_goes_where_it_is_sent(
    form: str, run: Path, report: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(run, "--format", form) == 0
    told = capsys.readouterr().out
    out = run.parent / "sent" / "there"
    out.parent.mkdir()
    assert report(run, "--format", form, "--out", out) == 0
    assert capsys.readouterr().out == f"{out}\n"
    whole = out.read_text("utf-8")
    if form == "html":
        assert told == f"{run / 'report.html'}\n"
        assert (run / "report.html").read_text("utf-8") == whole
    else:
        assert told == whole
        assert (run / "report.html").read_text("utf-8") == OLD
    assert report(run, "--format", form, "--out", run.parent / "no" / "such" / "folder") == 3


@pytest.mark.parametrize("form", FORMATS)
def test_an_older_report_is_written_over_and_nothing_else(
    form: str, run: Path, report: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    out = run.parent / "out"
    for _ in range(2):
        assert report(run, "--format", form, "--out", out) == 0
    samples = (run / "samples.jsonl").read_bytes()
    capsys.readouterr()
    for other in (run / "samples.jsonl", run / "manifest.json", run):
        assert report(run, "--format", form, "--out", other) == 2
        assert f"{other} is there and is no" in capsys.readouterr().err
    assert (run / "samples.jsonl").read_bytes() == samples


def test_several_runs_are_a_page_or_nothing(
    run: Path, report: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(run, run.parent, "--format", "md") == 2
    assert "--format md is of one run, not of 2" in capsys.readouterr().err
