"""What a new user gets from a wheel; what from the README's first line, `.ci/run` and `.ci/first_run.py` see."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PYTHON = "/usr/bin/python3"  # the system's, as a user has it
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "runs", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info")
SPEC = """
launches = 1
windows = 1
[[kv]]
model = "llama-3.1-8b"
tokens = 64
transports = ["nixl:UCX", "copy"]
ops = ["push", "pull"]
units = ["block"]
patterns = ["scattered"]
samples = 2
"""

pytestmark = pytest.mark.deep


@pytest.fixture
def place():
    """Return a folder with a blank in its name."""
    parent = Path(tempfile.mkdtemp())
    path = parent / "new user"
    path.mkdir()
    yield path
    shutil.rmtree(parent)


def environment() -> dict[str, str]:
    """Return a poor user's environment: no home to write to; how pip finds packages is this machine's business."""
    pip = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "HTTPS_", "https_"))}
    return {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PIP_NO_CACHE_DIR": "1", **pip}


def run(command: list[str], cwd: Path, **more: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=900, check=False, **more)  # type: ignore[call-overload]  # user and group by name
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


def test_a_wheel_runs_from_another_folder(place):
    """Presets, templates and style sheet are in it."""
    source, elsewhere, env = place / "source", place / "elsewhere", place / "env"
    shutil.copytree(ROOT, source, ignore=NOT_COPIED)
    elsewhere.mkdir()
    (elsewhere / "suite").mkdir()  # a folder of the user's with one of our names
    (elsewhere / "suite" / "__init__.py").touch()
    (elsewhere / "small.toml").write_text(SPEC, encoding="utf-8")
    run([PYTHON, "-m", "venv", str(env)], place, env=environment())
    pip = [str(env / "bin/pip"), "--no-cache-dir"]
    run([*pip, "wheel", "-q", "--no-deps", "-w", str(place), str(source)], place, env=environment())
    shutil.rmtree(source)
    [wheel] = place.glob("kvgauge-*.whl")
    constraints = ["-c", str(ROOT / "constraints.txt")]
    run([*pip, "install", "-q", *constraints, str(wheel)], place, env=environment())
    run([*pip, "install", "-q", *constraints, "--no-deps", "nixl-cu12"], place, env=environment())
    kvgauge = str(env / "bin/kvgauge")
    done = run([kvgauge, "run", "--spec", "small.toml", "--out", "first"], elsewhere, env=environment())
    assert done.stdout.splitlines()[-1] == "report: first/report.html"
    assert (elsewhere / "first/report.html").stat().st_size > 20_000
    assert run([kvgauge, "report", "first"], elsewhere, env=environment()).stdout == "first/report.html\n"
    matrix = run([kvgauge, "conform", "reference", "--out", "settings"], elsewhere, env=environment()).stdout
    assert "fail" not in matrix
    assert run([kvgauge, "report", "settings"], elsewhere, env=environment()).stdout == "settings/report.html\n"
