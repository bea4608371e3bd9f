"""What the README shows is run: options exist, files parse, and (deep) every command works."""

from __future__ import annotations

import functools
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from perf.planning import points
from perf.spec import load_spec

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BY_CI = {"install-and-run", "install-and-test"}  # `.ci/run` runs these two as they stand


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a page, without those that `.ci/run` runs."""
    found = re.findall(r"(?:<!-- ([\w-]+) -->\n+)?```(\w+)\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    return [text for mark, tongue, text in found if tongue == language and mark not in BY_CI]


def commands(page: Path) -> list[str]:
    return [line for block in blocks(page, "bash") for line in block.splitlines() if line and not line.startswith("#")]


@functools.cache
def help_of(command: str) -> str:
    return subprocess.run(
        [BIN / "kvgauge", command, "--help"], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_the_readme_has_both_lines_that_ci_runs():
    text = (ROOT / "README.md").read_text("utf-8")
    for mark in BY_CI:
        [line] = re.findall(rf"<!-- {mark} -->\n+```bash\n([^\n]+)\n```", text)
        assert ".venv/bin/" in line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_shown_exists(page):
    """A command line of kvgauge names a command and options that its help lists."""
    for line in commands(page):
        words = shlex.split(line, comments=True)
        while words and "=" in words[0]:
            words.pop(0)
        if words[0] != "kvgauge":
            continue
        shown = help_of(words[1])
        assert not [word for word in words[2:] if word.startswith("--") and word.split("=")[0] not in shown], line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_spec_shown_can_be_planned(page, tmp_path):
    for number, text in enumerate(blocks(page, "toml")):
        path = tmp_path / f"{number}.toml"
        path.write_text(text, encoding="utf-8")
        assert points(load_spec(str(path)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_picture_shown_is_there_small_and_described(page):
    for words, target in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page.read_text("utf-8")):
        assert len(words) > 20, target
        assert 0 < (page.parent / target).stat().st_size < 200 << 10, target


@pytest.mark.deep
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_shown_runs(page, tmp_path):
    """In an empty folder with the page's own files, one after the other."""
    for name, text in re.findall(
        r"`([\w.-]+\.(?:toml|yaml|py|awk))`:\n+```\w+\n(.*?)```", page.read_text("utf-8"), re.DOTALL
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    for line in commands(page):
        done = subprocess.run(
            ["/bin/bash", "-c", line],
            cwd=tmp_path,
            env={"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        expected = re.search(r"# exit code (\d+)$", line)
        assert done.returncode == int(expected[1] if expected else 0), f"{line}\n{done.stdout}\n{done.stderr}"
