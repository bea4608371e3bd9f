"""The conformance tests are themselves tested: each wrong implementation breaks exactly what it is said to break."""

from __future__ import annotations

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
    from conformance.verdict import Verdict

HERE = Path(__file__).parent
sys.path.append(str(HERE))
from mutants import BREAKS, ERRORS  # noqa: E402  a plain module, as a user's would be

Verdicts = dict[tuple[str, str], str]
ALONE = "caches_the_first"  # what it caches must be the first question of a run


def conform(folder: Path, *names: str, seed: int = 0) -> Verdicts:
    """Run pytest as a user does; return (requirement, implementation) -> verdict."""
    out = folder / f"out-{seed}-{len(names)}-{names[0].rpartition(':')[2]}"
    command = [sys.executable, "-m", "pytest", "--pyargs", "conformance", "-q", "--tb=no", "-p", "no:cacheprovider"]
    command += ["-W", "error", f"--hypothesis-seed={seed}", "--kv-out", str(out)]
    command += [part for name in names for part in ("--kv-implementation", name)]
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    environment.pop("CI", None)
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert (out / FILE).exists(), ended.stdout + ended.stderr
    found: dict[tuple[str, str], tuple[Verdict, list[object]]] = by_requirement(read_cases(out / FILE))
    return {key: verdict.value for key, (verdict, _) in found.items()}


def named(mutant: str) -> str:
    return f"mutants:{mutant}"


def broken(verdicts: Verdicts, implementation: str) -> set[str]:
    """Return what an implementation breaks, with the verdict where it is an error."""
    return {
        identity if verdict in {"fail", "warn"} else f"{identity} {verdict}"
        for (identity, name), verdict in verdicts.items()
        if name == implementation and verdict not in {"pass", "info"}
    }


pytestmark = pytest.mark.deep  # two minutes: quick tests of the same sentences are in test_plugin.py


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Verdicts:
    folder = tmp_path_factory.mktemp("mutants")
    together = [named(mutant) for mutant in (*BREAKS, *ERRORS) if mutant != ALONE]
    runs = (["reference", *together[::2]], together[1::2], [named(ALONE)])
    with ThreadPoolExecutor(2) as two:
        found = two.map(lambda names: conform(folder, *names), runs)
        return {key: verdict for one in found for key, verdict in one.items()}


def test_the_reference_passes(verdicts: Verdicts) -> None:
    assert broken(verdicts, "reference") == set()
    asked = {identity for identity, name in verdicts if name == "reference"}
    settings = [r for r in registry().values() if r.answers != "transfer"]
    assert asked == {r.id for r in settings if not r.profiles or "source-page" in r.profiles}


@pytest.mark.parametrize("mutant", BREAKS)
def test_a_mutant_breaks_exactly_its_requirements(verdicts: Verdicts, mutant: str) -> None:
    assert broken(verdicts, named(mutant)) == BREAKS[mutant]


@pytest.mark.parametrize("mutant", ERRORS)
def test_no_answer_is_an_error(verdicts: Verdicts, mutant: str) -> None:
    found = broken(verdicts, named(mutant))
    assert f"{ERRORS[mutant]} error" in found
    assert all(one.endswith(" error") for one in found), "a crash or a hang is no broken sentence"


def test_every_sentence_of_the_source_page_is_broken_by_a_mutant() -> None:
    sentences = {
        one.id for one in registry().values() if one.level != "UNSPECIFIED" and one.answers != "transfer" and (not one.profiles or "source-page" in one.profiles)
    }  # fmt: skip
    assert sentences == set().union(*BREAKS.values())


@pytest.mark.parametrize("seed", range(1, 21))
def test_no_false_alarm(tmp_path: Path, seed: int) -> None:
    assert broken(conform(tmp_path, "reference", seed=seed), "reference") == set()
