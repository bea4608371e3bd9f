"""From a name to an implementation."""

from __future__ import annotations

import sys

import pytest

from conformance.implementations import built_in
from conformance.implementations.loading import load
from suite.errors import BadInput, KvgaugeError, Missing


@pytest.mark.parametrize("name", list(built_in()))
def test_every_built_in_one_is_found_under_its_name(name):
    assert load(name).name == name


def test_a_function_is_found():
    name = "suite.settings.nixl_backends:parse"
    found = load(name)
    assert (found.name, found.answers) == (name, {"backends"})


def test_a_log_is_found():
    assert load("exec-log:/bin/echo a --- (a)").backends({}) == ("a",)


def test_a_harness_is_found(tmp_path):
    harness = tmp_path / "harness.py"
    harness.write_text(
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    start = {'kvgauge': 1, 'name': 'x', 'version': '1', 'answers': ['method'], 'environment': 'question'}\n"
        "    print(json.dumps(start if 'start' in line else {'method': 'ucx'}), flush=True)\n",
        encoding="utf-8",
    )
    name = f"exec:'{sys.executable}' '{harness}'"
    found = load(name)
    try:
        assert (found.name, found.answers, found.method({}, {})) == (name, {"method"}, "ucx")
    finally:
        found.close()


def test_an_unknown_name_lists_those_that_there_are():
    with pytest.raises(BadInput) as bad:
        load("referense")
    assert "did you mean reference?" in bad.value.hint
    assert all(name in bad.value.hint for name in built_in())
    assert "exec:" in bad.value.hint


@pytest.mark.parametrize(
    "spec",
    ["", ":", "exec", "exec:", "exec: ", "exec:'", "exec-log:", "exec-log:x", "no_such:f", "\x1b[31m", "a" * 100_000,
     "\x1b:\x1b", "os:nothing", "../x:y", "exec:no-such-command", "exec-log:no-such-command --- (x)"],
)  # fmt: skip
def test_what_names_nothing_is_said_without_disturbing_the_terminal(spec):
    with pytest.raises(KvgaugeError) as refused:
        load(spec)
    assert isinstance(refused.value, BadInput | Missing)
    assert str(refused.value).replace("\n", "").isprintable()
    assert len(str(refused.value)) < 2000
