"""The released wheel ignores the documented variables: its bytes do not hold them, and it selects the same whatever they say."""

from __future__ import annotations

import os
import subprocess
import sys
import venv

import pytest

from conformance.implementations import kvbm_wheel_driver as driver
from conformance.implementations.kvbm_wheel import NOTE, PYTHON, WHEELS, kvbm_wheel
from conformance.properties.strategies import GDS, PREFIX, UCX
from conformance.record import FILE, by_requirement, read_cases
from suite.errors import Missing

NO_DRIVER = 'PanicException: Unable to dynamically load the "cuda" shared library'
PROFILE = 'import hypothesis\nhypothesis.settings.register_profile("few", max_examples=3)\n'  # half a second each
ENVIRONMENTS = [
    {},
    *({UCX: value} for value in (b"true", b"false", b"maybe", b"", b"\xff")),
    {GDS: b"true"},
    {PREFIX + b"GDS_MT": b"true"},
    {PREFIX + b"UCX_PARAM1": b"x"},
    {PREFIX + b"POSIX": b"true", UCX: b"false"},
    {PREFIX + b"LIBFABRIC": b"true", UCX: b"false"},
    {PREFIX + b"NOSUCH": b"true"},
    {PREFIX: b"true"},
]
ALWAYS_UCX = {
    "ENV-001": "pass",
    "ENV-002": "pass",
    "ENV-003": "fail",
    "ENV-006": "fail",
    "ENV-007": "fail",
    "ENV-009": "info",
    "ENV-010": "info",
    "ENV-012": "pass",
    "ENV-014": "pass",
    "ENV-019": "fail",
    "ENV-020": "warn",
    "ENV-025": "pass",
    "ENV-029": "warn",
}
LONG_TABLE = "test_other_values_are_refused"  # of ENV-019, which has a shorter test


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Return an interpreter that has the wheel."""
    folder = tmp_path_factory.mktemp("kvbm")
    venv.create(folder, with_pip=True)
    command = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-deps", *WHEELS]
    got = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    if got.returncode:
        pytest.skip(f"pip cannot get {' '.join(WHEELS)}: {got.stderr.strip().splitlines()[-1:]}")
    return folder / "bin" / "python"


@pytest.mark.deep
def test_no_byte_of_the_wheel_names_the_variables(python):
    [package] = python.parent.parent.glob("lib/python*/site-packages/kvbm")
    held = {path.name: path.read_bytes() for path in package.rglob("*") if path.is_file()}
    assert [name for name, content in held.items() if b"DYN_KVBM_NIXL" in content] == []
    assert b"DYN_KVBM_CPU_CACHE_GB" in held["_core.abi3.so"]  # so does the search find what is there


@pytest.mark.deep
def test_whatever_the_variables_say_it_creates_ucx(python, monkeypatch):
    monkeypatch.setenv(PYTHON, str(python))
    wheel = kvbm_wheel()
    assert (wheel.name, wheel.note) == ("kvbm-wheel", NOTE)
    assert [wheel.backends(environment) for environment in ENVIRONMENTS] == [("UCX",)] * 13


@pytest.mark.deep
def test_which_sentences_that_breaks(python, tmp_path):
    (tmp_path / "few.py").write_text(PROFILE, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", "--pyargs", "conformance"]
    command += ["-p", "few", "--hypothesis-profile", "few", "--kv-implementation", "kvbm-wheel", "--kv-out", "out"]
    command += ["-k", f"({' or '.join(ALWAYS_UCX)}) and not {LONG_TABLE}"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), PYTHON: str(python)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    cases = read_cases(tmp_path / "out" / FILE)
    assert [case.what for case in cases if case.verdict == "error"] == []
    found = by_requirement(cases)
    assert {identity: verdict.value for (identity, _), (verdict, _) in found.items()} == ALWAYS_UCX


def test_without_an_interpreter_it_is_missing_and_says_how_to_get_it(monkeypatch):
    monkeypatch.delenv(PYTHON, raising=False)
    with pytest.raises(Missing, match=PYTHON) as missing:
        kvbm_wheel()
    assert missing.value.exit_code == 3
    assert "-m venv" in missing.value.hint
    assert all(wheel in missing.value.hint for wheel in WHEELS)


@pytest.mark.parametrize(
    ("python", "told"), [(sys.executable, "nixl_cu13"), ("/bin/true", "printed nothing"), ("/nowhere", "not found")]
)
def test_an_interpreter_without_the_wheel_is_missing(monkeypatch, python, told):
    monkeypatch.setenv(PYTHON, python)
    with pytest.raises(Missing, match=told):
        kvbm_wheel()


def test_all_that_was_created_is_the_answer(monkeypatch):
    monkeypatch.setattr(driver, "version", lambda _: "1.6.1")
    log = b"I1 nixl_agent.cpp:388] Created backend: POSIX\nI1 Discovered backend plugin: GDS\nI1 Created backend: UCX\n"
    assert driver.answer(NO_DRIVER, log) == "created by kvbm 1.6.1: POSIX, UCX"
    assert driver.answer("", b"") == "created by kvbm 1.6.1: "


def test_what_stopped_earlier_than_the_missing_gpu_is_no_answer():
    told = driver.answer("PanicException: called `Result::unwrap()`\n", b"Created backend: UCX\n")
    assert told == "stopped before an answer: 'PanicException: called `Result::unwrap()`\\n'"
