from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from suite import rooms
from suite.errors import BadInput

KVGAUGE = Path(sys.executable).parent / "kvgauge"


def kvgauge(*arguments, **environment):
    """Run the command with only PATH and `environment`, as a shell would."""
    return subprocess.run(
        [KVGAUGE, *arguments],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_ends_with_examples_of_every_command():
    listed = kvgauge("--help")
    assert listed.returncode == 0
    for command in ("run", "sweep", "report"):
        assert f"  {command} " in listed.stdout
        assert "Examples:" in kvgauge(command, "--help").stdout


def test_help_is_quick_and_loads_nothing_heavy():
    """0.2 s by the design; asserted at five times that, and the cause beside it."""
    begun = time.monotonic()
    kvgauge("--help")
    assert time.monotonic() - begun < 1.0
    code = (
        "import sys; sys.argv = ['kvgauge', '--help']\n"
        "from suite.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([name for name in ('numpy', 'pandas', 'matplotlib', 'pydantic', 'rich', 'nixl_cu12') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bogus"], "No such command 'bogus'"),
        (["sweep", "--seed", "-1"], "--seed"),
        (["sweep", "nosuch"], "presets: quick, standard"),
        (["sweep", "--resume", "nosuch"], "nosuch"),
        (["sweep", "--resume", "nosuch", "--seed", "1"], "--resume takes the folder and the seed"),
        (["run", "--config", "nosuch.yaml"], "nosuch.yaml"),
        (["run", "--out", "/proc/nosuch"], "/proc/nosuch"),
        (["report", "nosuch"], "nosuch/manifest.json"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_exit_2_and_a_message(arguments, said, tmp_path, monkeypatch):
    """No traceback for anything a user did."""
    monkeypatch.chdir(tmp_path)
    done = kvgauge(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_folder_that_hides_a_room_is_named(tmp_path, monkeypatch):
    (tmp_path / "perf").mkdir()
    (tmp_path / "perf" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "perf", raising=False)
    with pytest.raises(BadInput, match="perf"):
        rooms.refuse_shadowed_rooms()


def test_rooms_of_our_own_are_fine():
    rooms.refuse_shadowed_rooms()
