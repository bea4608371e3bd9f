"""What `docs/implementations.md` shows is run: the parser, the harness, the expectations file."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from conformance.expectations import read_expectations
from conformance.implementations.harness import Harness
from conformance.implementations.kvbm_wheel import PYTHON, WHEELS
from conformance.implementations.log import Log
from conformance.implementations.python_callable import PythonCallable
from conformance.verdict import Refused

PAGE = Path(__file__).parent.parent.parent / "docs" / "implementations.md"
UCX, GDS = b"DYN_KVBM_NIXL_BACKEND_UCX", b"DYN_KVBM_NIXL_BACKEND_GDS"
AWKS = [awk for awk in ("awk", "mawk", "gawk", "original-awk") if shutil.which(awk)] or ["awk"]


def block(language, holds=""):
    found = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    [text] = [text for text in found if holds in text]
    return text


@pytest.fixture(params=AWKS)
def awk(request, tmp_path):
    """Return the command of the harness that the page shows."""
    if shutil.which(request.param) is None:
        pytest.skip("no awk on this machine")
    (tmp_path / "harness.awk").write_text(block("awk"), encoding="utf-8")
    return f"{request.param} -f {shlex.quote(str(tmp_path / 'harness.awk'))}"


def answer(implementation, environment):
    try:
        return set(implementation.backends(environment))
    except Refused:
        return "refused"


CASES = [
    ({}, {"UCX"}),
    ({b"UNRELATED": b"\xff", b"PATH": b"", b"IFS": b"e"}, {"UCX"}),
    ({UCX: b"true"}, {"UCX"}),
    ({GDS: b"1"}, {"GDS"}),
    ({UCX: b"on", GDS: b"yes"}, {"UCX", "GDS"}),
    ({UCX: b"false", GDS: b"1"}, {"GDS"}),
    ({UCX: b"off"}, set()),
    ({GDS: b"0"}, {"UCX"}),
    ({GDS: b" YeS\t\n"}, {"GDS"}),
    ({GDS.lower(): b"1"}, {"GDS"}),
    ({GDS: b"1", GDS.lower(): b"0"}, "refused"),
    ({UCX: b""}, "refused"),
    ({UCX: b"\xff"}, "refused"),
    ({UCX + b"X": b"1"}, "refused"),
]


def test_the_harness_answers_as_semantics_md_says_but_for_the_planted_fault(awk):
    with closing(Harness(awk)) as harness:
        assert harness.note == "awk parser 1.0"
        for environment, expected in CASES:
            assert answer(harness, environment) == expected, environment
        assert answer(harness, {GDS: b"y"}) == {"GDS"}  # planted
        assert answer(harness, {GDS: b"n"}) == "refused"


def test_the_fault_is_marked_and_can_be_mended(awk, tmp_path):
    text = block("awk")
    [line] = [line for line in text.splitlines() if "PLANTED FAULT" in line]
    (tmp_path / "harness.awk").write_text(text.replace(line, line.replace("yes y", "yes")), encoding="utf-8")
    with closing(Harness(awk)) as harness:
        assert answer(harness, {GDS: b"y"}) == "refused"


@pytest.mark.deep
def test_the_command_shown_finds_it(awk, tmp_path):
    """The sentence and the smallest environment are in what it prints."""
    [line] = [line for line in block("bash", holds="harness.awk").splitlines() if line]
    words = shlex.split(line, comments=True)
    assert "exec:awk -f harness.awk" in words
    words = [f"exec:{awk}" if word.startswith("exec:") else word for word in words]
    done = subprocess.run(
        [Path(sys.executable).parent / words[0], *words[1:], "-r", "ENV-019"],  # the page tests all of them
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"DYN_KVBM_NIXL_BACKEND_(UCX|GDS)=y ", done.stdout)


def test_the_log_of_the_page_is_read(tmp_path):
    listed = tomllib.loads(block("ini", holds="exec-log"))["kv_implementations"][0]
    pattern = listed.partition(" --- ")[2]
    server = tmp_path / "server"
    server.write_text('[ "$A" ] && echo "invalid value $A" || echo "selected: [UCX, GDS]"\n', encoding="utf-8")
    log = Log(f"/bin/sh {shlex.quote(str(server))} --- {pattern}")
    assert answer(log, {}) == {"UCX", "GDS"}
    assert answer(log, {b"A": b"x"}) == "refused"


def test_the_parser_of_the_page_parses():
    found = {}
    exec(compile(block("python"), str(PAGE), "exec"), found)  # noqa: S102  the page is ours
    parser = PythonCallable("my_settings:parse", found["parse"], "backends")
    assert answer(parser, {}) == {"UCX"}
    assert answer(parser, {UCX: b"1", GDS: b"on"}) == {"UCX", "GDS"}
    assert len(block("python").splitlines()) < 6


def test_three_lines_of_pyproject():
    text = block("ini", holds="my_settings:parse")
    assert len(text.splitlines()) == 3
    assert tomllib.loads(text)["tool"]["pytest"]["ini_options"]["kv_implementations"] == ["my_settings:parse"]


def test_the_expectations_file_is_one(tmp_path):
    path = tmp_path / "known.toml"
    path.write_text(block("ini", holds="[[expect]]"), encoding="utf-8")
    [entry] = read_expectations(path).entries
    assert (entry.id, str(entry.verdict)) == ("ENV-019", "fail")


def test_the_wheels_of_the_page_are_those_that_are_tested():
    text = block("sh")
    assert all(wheel in text for wheel in WHEELS)
    assert f"{PYTHON}=$PWD" in text
