"""What `docs/own-transport.md` shows is run: a stranger's project with a planted fault, tested by its own pytest."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent.parent / "docs" / "own-transport.md"
SENTENCE = "XFER-008 (MUST): Descriptors of any length from one byte up"
FAULT, MENDED = "len(data) // 2 * 2", "len(data)"


def block(language, holds=""):
    [text] = [
        text for text in re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL) if holds in text
    ]
    return text


@pytest.fixture
def project(tmp_path):
    """Return the folder of the page's two files, as they stand there; its name has a blank."""
    folder = tmp_path / "a project"
    folder.mkdir()
    (folder / "my_transport.py").write_text(block("python"), encoding="utf-8")
    (folder / "pyproject.toml").write_text(block("ini"), encoding="utf-8")
    return folder


def ran(project, sentences):
    """Run pytest of the project on some sentences; return its exit code and what it printed."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:benchmark"]
    done = subprocess.run(
        [*command, "--pyargs", "conformance", "-k", sentences],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_it_is_short_uses_the_protocol_alone_and_has_one_fault():
    text = block("python")
    assert len([line for line in text.splitlines() if line.strip()]) <= 80
    assert re.findall(r"^from (\S+)", text, re.MULTILINE) == ["suite.transports.base"]
    [line] = [line for line in text.splitlines() if "PLANTED FAULT" in line]
    assert line.count(FAULT) == text.count(FAULT) == 1
    assert f"`{MENDED}` in the place of `{FAULT}`" in PAGE.read_text("utf-8")


@pytest.mark.deep
def test_the_fault_is_named_with_the_smallest_case_and_mended_it_is_not(project):
    """The page's own words, but for the bytes that stood there before."""
    status, printed = ran(project, "XFER-008")
    assert status == 1, printed
    shown = block("text", SENTENCE).splitlines()
    assert shown[0].startswith(SENTENCE)
    for line in (shown[0], *shown[2:]):
        assert line in printed
    assert "1 of 1 bytes are wrong, the first at offset 16" in shown[1]
    assert "1 of 1 bytes are wrong, the first at offset 16" in printed
    path = project / "my_transport.py"
    path.write_text(path.read_text("utf-8").replace(FAULT, MENDED), encoding="utf-8")
    status, printed = ran(project, "XFER-008 or XFER-001 or XFER-106 or XFER-203 or XFER-301 or XFER-405")
    assert status == 0, printed
