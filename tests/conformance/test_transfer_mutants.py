"""The properties of transfers are themselves tested: each faulty transport breaks exactly what it is said to break."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conformance.record import FILE, by_requirement, read_cases
from conformance.requirement import registry

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).parent
sys.path.append(str(HERE))
import sequence_mutants  # noqa: E402  a plain module, as a user's would be
from fault_mutants import BREAKS as FAULTY  # noqa: E402  as above
from transfer_mutants import BREAKS  # noqa: E402  as above

REFERENCE = "reference:memory"
WORST = (  # one for each subject, tried on what it breaks alone
    "NotifiesFirst", "SpillsIntoTheGuard", "SortsTheDestination", "NotifiesTwice", "ChecksNoRemoteMemory",
    "HasNoChecksum", "MovesOnce", "WritesAfterRelease", "LeaksDescriptors", "FetchesAllButTheLast",
)  # fmt: skip


def check(arguments: Iterable[str]) -> dict[str, set[str]]:
    """Return what each breaks; `NAME=XFER-001` tries that one only."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, str(HERE / "transfer_check.py"), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return {name: set(broken) for name, broken in json.loads(done.stdout).items()}


def by_two(names: list[str], *first: str) -> dict[str, set[str]]:
    """Check in two processes."""
    with ThreadPoolExecutor(2) as two:
        halves = two.map(check, ([*first, *names[::2]], [*first, *names[1::2]]))
        return {name: broken for half in halves for name, broken in half.items()}


def test_some_faults_are_found() -> None:
    """The deep test tries all of them, on everything."""
    found = check(f"{name}={','.join(sorted(BREAKS[name]))}" for name in WORST)
    assert found == {name: BREAKS[name] for name in WORST}


def test_every_sentence_about_transfers_is_broken_by_a_fault() -> None:
    sentences = {one.id for one in registry().values() if one.answers == "transfer" and one.level != "UNSPECIFIED"}
    assert sentences == set().union(*BREAKS.values(), *sequence_mutants.BREAKS.values(), *FAULTY.values())


SLOW = {"XFER-012", "XFER-406", "XFER-501", "XFER-502"}  # 100,000 rows, 20,000 rows, 1,000 transfers


@pytest.mark.deep
def test_every_fault_breaks_exactly_its_requirements() -> None:
    """The slow ones are tried on the faults that break them, and on one in twenty of the others."""
    names = [
        name if number % 20 == 0 or BREAKS[name] & SLOW else f"{name}=!{','.join(sorted(SLOW))}"
        for number, name in enumerate(BREAKS)
    ]
    assert by_two([REFERENCE, *names]) == {REFERENCE: set(), **BREAKS}


def test_the_reference_passes_a_seed() -> None:
    assert check(["--seeds", "1"]) == {"1": set()}


@pytest.mark.deep
def test_the_reference_passes_twenty_seeds() -> None:
    seeds = [str(number) for number in range(1, 21)]
    assert by_two(seeds, "--seeds") == {number: set() for number in seeds}


@pytest.mark.deep
def test_the_reference_passes_through_pytest(tmp_path: Path) -> None:
    """As a user runs it, fixed cases included."""
    command = [sys.executable, "-m", "pytest", "--pyargs", "conformance", "-q", "--tb=short", "-p", "no:cacheprovider"]
    command += ["-p", "no:benchmark", "--kv-implementation", REFERENCE, "--hypothesis-seed=0", "--kv-out", "out"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=600, check=False)
    found = by_requirement(read_cases(tmp_path / "out" / FILE))
    sentences = {one.id: one for one in registry().values() if one.answers == "transfer"}
    assert {identity for identity, _ in found} == set(sentences)
    apart = {one.id for one in sentences.values() if "processes" in one.needs}  # it lives in one process
    assert {identity for (identity, _), (verdict, _) in found.items() if verdict.value == "skip"} == apart
    assert {verdict.value for verdict, _ in found.values()} == {"pass", "info", "skip"}


@pytest.mark.deep
def test_a_printed_line_fails_again_and_what_cannot_be_done_is_skipped(tmp_path: Path) -> None:
    """The matrix of a faulty transport; the line that it prints; the reason of a skip in the record."""
    from shlex import split

    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}

    def conform(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-c", "from conformance.commands import conform; conform()", *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        return done.returncode, done.stdout + done.stderr

    name = "transfer_mutants:SortsTheDestination"
    status, told = conform(name, "--requirement", "XFER-006", "--requirement", "XFER-001")
    assert status == 1
    [line] = [line.strip() for line in told.splitlines() if line.startswith("  kvgauge conform")]
    status, again = conform(*split(line)[2:])
    assert (status, "XFER-006 fail" in again) == (1, True)
    assert json.loads(split(line)[-1])["rows"] in ([[0, 16, 8], [16, 0, 8]], [[16, 0, 8], [0, 16, 8]])
    status, _ = conform("transfer_mutants:without_cancel", "-r", "XFER-407", "-r", "XFER-402", "--out", "out")
    told_of = {case.requirement: (case.verdict, case.what) for case in read_cases(tmp_path / "out" / FILE)}
    assert told_of == {"XFER-407": ("skip", "it says that it cannot cancel"), "XFER-402": ("pass", "")}
