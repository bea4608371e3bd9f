"""What a new user gets: from the README's first line, and from a wheel."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PYTHON = "/usr/bin/python3"  # the system's: an unprivileged user may not reach the one that runs these tests
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "runs", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info")
LIMIT_MB = 700
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
    """Return a folder with a blank in its name, which an unprivileged user can reach."""
    parent = Path(tempfile.mkdtemp())
    parent.chmod(0o755)
    path = parent / "new user"
    path.mkdir()
    yield path
    shutil.rmtree(parent)


def as_nobody() -> dict[str, object]:
    """Return what makes a subprocess an unprivileged one; nothing if this one already is."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def hand_over(path: Path) -> None:
    """Give a tree to the unprivileged user."""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        for found in [path, *path.rglob("*")]:
            os.chown(found, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)


def environment() -> dict[str, str]:
    """Return a poor user's environment: no home to write to; how pip finds packages is this machine's business."""
    pip = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "HTTPS_", "https_"))}
    return {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PIP_NO_CACHE_DIR": "1", **pip}


def run(command: list[str], cwd: Path, **more: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=900, check=False, **more)  # type: ignore[call-overload]  # user and group by name
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


def test_the_first_line_of_the_readme_as_an_unprivileged_user(place):
    """A report with every byte verified and every wire named, in under 700 MB, without ../shared and without a home."""
    clone = place / "a clone"
    shutil.copytree(ROOT, clone, ignore=NOT_COPIED)
    hand_over(place)
    [line] = re.findall(r"<!-- install-and-run -->\n+```bash\n([^\n]+)\n```", (clone / "README.md").read_text("utf-8"))
    line = line.replace("python3 -m venv", f"{PYTHON} -m venv")
    done = run(["/bin/bash", "-euc", line], clone, env=environment(), **as_nobody())
    report = clone / re.search(r"report: (\S+)", done.stdout)[1]
    assert report.stat().st_size > 50_000
    lines = [json.loads(text) for text in report.with_name("samples.jsonl").read_text().splitlines()]
    records = [line for line in lines if line["kind"] == "point"]
    assert len(records) == 240
    assert {line["kind"] for line in lines} == {"point", "ceiling"}
    assert all(record["status"] == "measured" and record["verified"] for record in records)
    assert {record["evidence"]["wire"] for record in records} == {"cma"}
    used = sum(found.lstat().st_blocks * 512 for found in (clone / ".venv").rglob("*")) / 1e6
    assert used < LIMIT_MB
    assert not list((clone / ".venv").rglob("torch/__init__.py"))


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
