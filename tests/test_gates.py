"""Style, types and layers: what the code must keep is part of the tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["lint-imports", "--no-cache"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_gate(command):
    done = subprocess.run(
        [BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_committed_names_a_package_registry_or_a_machine():
    """`constraints.txt` has names and versions; where they come from is the user's business."""
    listed = [path for path in ROOT.rglob("*") if path.suffix in {".py", ".md", ".toml", ".txt", ".j2", ".css"}]
    ours = [path for path in listed if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)]
    words = ("pyp" + "i.org", "python" + "hosted", "npm" + "js", "/wor" + "k/", "/far" + "m/")
    for path in ours:
        text = path.read_text("utf-8")
        assert not [word for word in words if word in text], path
