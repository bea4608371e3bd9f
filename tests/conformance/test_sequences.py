"""The machine is itself tested: each transport that is wrong in a sequence only is found, in few calls, and the script shows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conformance.machine.minimise import minimise
from conformance.machine.replay import Theatre
from conformance.machine.script import script
from conformance.machine.steps import Step

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).parent
sys.path.append(str(HERE))
from sequence_mutants import BREAKS  # noqa: E402  a plain module, as a user's would be

REFERENCE = "reference:memory"
FEW = 12  # calls that are enough for each of these faults


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}


def search(examples: int, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return name -> sentence -> what was found."""
    command = [sys.executable, str(HERE / "sequence_check.py"), str(examples), *names]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def run(text: str, folder: Path) -> tuple[int, str]:
    (folder / "again.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "again.py"], cwd=folder, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


UP = (
    ("open", "initiator", True),
    ("open", "target", True),
    ("open", "other", True),
    ("connect", "target"),
    ("connect", "other"),
)
ROWS = ((16, 4000, 64), (900, 0, 250))
LONG = (
    *UP, ("post", 7, "other", "in", ROWS), ("wait", 7), ("post", 9, "target", "out", ROWS), ("fill", "other", 12), ("wait", 9),
    ("again", 7), ("cancel", 7), ("fill", "target", 200), ("kill", "other"), ("connect", "target"), ("open", "other", True),
)  # fmt: skip


@pytest.mark.deep
def test_a_long_sequence_is_made_short_and_its_script_shows_it_again(tmp_path: Path) -> None:
    """What it was last given is sent once more when it connects again: eight steps, of one row of eight bytes."""
    name = "sequence_mutants:SendsTheLastAgainWhenItConnectsAgain"
    steps = tuple(Step(verb, arguments) for verb, *rest in LONG for arguments in [tuple(rest)])
    with Theatre(name) as theatre:
        taken, broken = theatre.attempt(steps)
        assert broken is not None
        assert broken.requirement == "XFER-801"
        found = minimise(taken, broken, theatre.attempt, time.monotonic() + 60)
    assert found.again
    assert len(found.steps) <= FEW
    assert [step for step in found.steps if step.verb == "post"] == [Step("post", (1, "target", "out", ((0, 0, 8),)))]
    text = script(name, "XFER-801", found.broken.what, found.steps)
    status, told = run(text, tmp_path)
    assert status == 1
    assert told.startswith(f"{name} breaks XFER-801: ")
    status, told = run(text.replace(name, REFERENCE), tmp_path)
    assert (status, told) == (0, f"{REFERENCE}: all as it must be\n")


def test_there_are_faults_of_every_sentence() -> None:
    assert set().union(*BREAKS.values()) == {f"XFER-80{number}" for number in range(1, 6)}


@pytest.mark.deep
def test_every_fault_is_found_in_few_calls() -> None:
    names = list(BREAKS)
    with ThreadPoolExecutor(2) as two:
        halves = two.map(lambda some: search(400, some), (names[::2], names[1::2]))
        found = {name: each for half in halves for name, each in half.items()}
    assert {name: wanted - set(found[name]) for name, wanted in BREAKS.items()} == {name: set() for name in BREAKS}
    lengths = {name: len(found[name][one]["steps"]) for name, wanted in BREAKS.items() for one in wanted}
    assert max(lengths.values()) <= FEW, lengths


@pytest.mark.deep
def test_the_reference_breaks_nothing() -> None:
    assert search(150, [REFERENCE]) == {REFERENCE: {}}


@pytest.mark.deep
def test_the_matrix_prints_the_script_and_takes_the_sequence(tmp_path: Path) -> None:
    """Through pytest, as a user runs it; the printed line, and what is printed under it, break it again."""
    from shlex import split

    def conform(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-c", "from conformance.commands import conform; conform()", *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=300, check=False
        )
        return done.returncode, done.stdout + done.stderr

    name = "sequence_mutants:ReadsTheOldMemoryOfARestartedName"
    steps = [["open", "initiator", True], ["open", "target", True], ["close", "target"], ["open", "target", False]]
    steps += [["connect", "target"], ["fill", "target", 3], ["post", 1, "target", "in", [[0, 0, 8]]], ["wait", 1]]
    status, told = conform(name, "--requirement", "XFER-801", "--case", json.dumps({"steps": steps}))
    assert status == 1
    lines = told.splitlines()
    start = lines.index("python - <<'EOF'")
    status, again = run("\n".join(lines[start + 1 : lines.index("EOF")]), tmp_path)
    assert (status, "XFER-801" in again) == (1, True), again
    line = split(lines[start - 1])
    assert line[:4] == ["kvgauge", "conform", name, "--requirement"]
    status, told = conform(*line[2:])
    assert (status, "XFER-801 fail" in told) == (1, True)
    status, told = conform(REFERENCE, *line[3:])
    assert (status, "1 pass" in told) == (0, True), told
