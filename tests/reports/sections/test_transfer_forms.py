"""A run of transfers in the other forms: Markdown, JSON of the schema, JUnit, CSV; and what it is not compared with."""

from __future__ import annotations

import base64
import csv
import io
import json
import sys
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from pydantic import ValidationError

from reports.formats.html import render as page
from reports.formats.json_report import render as as_json
from reports.formats.json_report import summary
from reports.formats.junit import render as junit
from reports.formats.markdown import render as markdown
from reports.formats.summary_schema import Summary
from reports.sections.downloads import downloads
from reports.sections.transfer_json import request_rows
from reports.writing import read_report
from suite import cli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reports.data import ReportData

    Handed = Callable[..., dict[str, Any]]
    Transfers = Callable[..., Path]

WRONG = "request 1, layer 0, K, head 2, token 3: untouched"


@pytest.fixture
def good(handed: Handed, transfers: Transfers) -> ReportData:
    return read_report(transfers(handed(number, op=op) for op in ("push", "pull") for number in range(4)))


@pytest.fixture
def bad(handed: Handed, transfers: Transfers) -> ReportData:
    lines = [handed(0), handed(1, status="wrong", findings=[WRONG]), handed(0, op="pull"), handed(1, op="pull")]
    return read_report(transfers(lines))


def test_the_json_is_of_its_schema_and_the_pages(good: ReportData, bad: ReportData) -> None:
    for data in (good, bad):
        text = as_json(data)
        assert Summary.model_validate_json(text, strict=True).transfer is not None
        assert json.loads(text) == json.loads(page(data).rpartition('id="summary">')[2].partition("</script>")[0])
    found = json.loads(as_json(bad))
    assert [op["good"] for op in found["transfer"]["ops"]] == [False, True]
    assert found["transfer"]["ops"][0]["of_one_request"]["wire_bytes"] == {"least": 8 << 20, "most": 8 << 20}
    found["transfer"]["ops"][0]["gb_per_s"] = 9.0
    with pytest.raises(ValidationError, match="gb_per_s"):
        Summary.model_validate(found)


def test_markdown_has_a_table_of_ops_and_what_went_wrong(good: ReportData, bad: ReportData) -> None:
    told = markdown(good)
    assert "**All 4 requests of push and of pull were moved" in told
    assert "| Wire bytes | 8 MiB | 8 MiB |" in told
    assert "What went wrong" not in told
    assert "points" not in told
    assert f"- **INVALID** {WRONG}; push: request 1" in markdown(bad)


def test_in_junit_an_op_fails_unless_all_of_its_requests_are_good(good: ReportData, bad: ReportData) -> None:
    root = ET.fromstring(junit(good))  # noqa: S314  our own
    assert (root.get("tests"), root.get("failures")) == ("2", "0")
    root = ET.fromstring(junit(bad))  # noqa: S314  our own
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    [failure] = root.iter("failure")
    assert failure.get("message") == "push: 1 good, 1 wrong"
    assert WRONG in (failure.text or "")


def test_a_run_without_a_request_is_no_passed_test(transfers: Transfers) -> None:
    root = ET.fromstring(junit(read_report(transfers([], [], complete=False))))  # noqa: S314  our own
    assert (root.get("tests"), root.get("failures")) == ("1", "1")


def test_the_page_has_each_request_as_a_row_of_csv(bad: ReportData) -> None:
    files = {one.name: one for one in downloads(bad, summary(bad))}
    assert set(files) == {"requests.csv", "summary.json"}
    text = base64.b64decode(str(files["requests.csv"].href).partition("base64,")[2]).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["op"], row["request"], row["status"], row["transmission_ns"]) for row in rows] == [
        ("push", "0", "good", "2000000"), ("push", "1", "wrong", "2001000"),
        ("pull", "0", "good", "2000000"), ("pull", "1", "good", "2001000"),
    ]  # fmt: skip
    assert rows[1]["remark"] == WRONG


def test_rows_of_a_large_run_are_cut_and_counted(good: ReportData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.sections.downloads.MOST_ROWS", 3)
    [file, _] = downloads(good, summary(good))
    assert file.about.endswith(": 3 rows")
    assert file.remark == "the first 3 of 8 rows: the run's folder has all of them"


def test_emulated_gpus_have_no_time_in_any_form(handed: Handed, transfers: Transfers) -> None:
    times = {"preparation_ns": 77_123_456, "transmission_ns": 88_123_456}
    data = read_report(transfers([handed(0, emulated=True, **times), handed(1, emulated=True, **times)]))
    assert data.transfer is not None
    assert all(row["preparation_ns"] is row["transmission_ns"] is None for row in request_rows(data.transfer))
    for text in (markdown(data), as_json(data), junit(data)):
        for number in ("77.1", "88.1", "77123456", "88123456", "18000000", "18 ms"):
            assert number not in text, number


@pytest.fixture
def report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[object, str]]:
    """Return the command in this process: its exit code, and what it says to the user."""

    def call(*arguments: object) -> tuple[object, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["kvgauge", "report", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, capsys.readouterr().err

    return call


def test_it_is_not_compared_with_others(
    handed: Handed, transfers: Transfers, report: Callable[..., tuple[object, str]], tmp_path: Path
) -> None:
    path = transfers([handed(0)])
    copy = tmp_path / "other"
    copy.mkdir()
    for file in path.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    code, err = report(copy, path)
    assert code == 2
    assert "other is a run of kvgauge transfer, which is not compared with others" in err
    assert not list(tmp_path.glob("*.html"))


def test_a_damaged_run_is_a_message_and_no_page(
    handed: Handed, transfers: Transfers, report: Callable[..., tuple[object, str]]
) -> None:
    path = transfers([handed(0)])
    (path / "requests.jsonl").write_text("{}{}\n{}\n", encoding="utf-8")
    code, err = report(path)
    assert code == 2
    assert "requests.jsonl:1: not a JSON object" in err
    assert not (path / "report.html").exists()
