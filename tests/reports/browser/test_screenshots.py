"""The script that makes the documentation's pictures works on a run of today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[3]
MOST_BYTES = 200 << 10
SPEC = """
launches = 1
windows = 1
[[kv]]
model = "llama-3.1-8b"
tokens = 64
transports = ["nixl:UCX", "copy"]
ops = ["push"]
units = ["page", "block"]
patterns = ["scattered"]
samples = 2
"""

pytestmark = pytest.mark.deep


def run(*command, cwd):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_pictures_are_made_of_a_run(tmp_path):
    (tmp_path / "small.toml").write_text(SPEC, encoding="utf-8")
    run(Path(sys.executable).parent / "kvgauge", "run", "--spec", "small.toml", "--out", "run", cwd=tmp_path)
    run(sys.executable, ROOT / "docs/make_screenshots.py", "run", "--out", "images", cwd=tmp_path)
    made = {path.name for path in (tmp_path / "images").iterdir()}
    assert made == {path.name for path in (ROOT / "docs/images").iterdir()}
    for path in (tmp_path / "images").iterdir():
        assert path.stat().st_size < MOST_BYTES
        assert len(Image.open(path).convert("RGB").getcolors()) > 30
