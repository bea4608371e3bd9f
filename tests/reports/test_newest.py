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


def test_it_is_the_newest_whatever_it_did(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made("a", 2, "samples.jsonl")
    made("b", 1, "requests.jsonl")
    assert newest().name == "a"
    made("c", 3, "requests.jsonl")
    assert newest().name == "c"


def test_without_a_run_it_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="no run in runs/"):
        newest()
