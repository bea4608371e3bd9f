"""Which run `kvgauge report` takes when none is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reports.writing import newest
from suite.errors import BadInput


def made(name, age, *files):
    folder = Path("runs", name)
    folder.mkdir(parents=True)
    for file in ("manifest.json", *files):
        folder.joinpath(file).touch()
        os.utime(folder / file, (age, age))


def test_a_run_of_transfer_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made("a", 2, "samples.jsonl")
    made("b", 1, "samples.jsonl")
    made("c", 3, "requests.jsonl")
    assert newest().name == "a"


def test_only_runs_of_transfer_are_no_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made("c", 3, "requests.jsonl")
    with pytest.raises(BadInput, match="no run in runs/"):
        newest()
