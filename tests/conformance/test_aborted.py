"""An implementation that ends its own process: broken where a sentence speaks of that, an error everywhere else."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from conformance.implementations.harness import Harness
from conformance.properties.asking import backends_alive
from conformance.verdict import Aborted, ImplementationBroke, Violation
from suite.errors import Missing

KVGAUGE = Path(sys.executable).parent / "kvgauge"
PARSERS = """
def panics_of_everything_but_nothing(environment):
    if environment:
        raise Panic("panicked")
    return ["UCX"]

class Panic(BaseException): "As PyO3's PanicException, which is no Exception."
"""
START = '{"kvgauge": 1, "name": "x", "version": "1", "answers": ["backends"], "environment": "question"}'
ABORTS = 'aborted": "killed by SIGABRT'


def shell(*answers):
    """Return a harness that says `answers`, one to each question."""
    told = "; ".join(f"read line; echo '{answer}'" for answer in (START, *answers))
    return Harness(f'/bin/sh -c "{told.replace(chr(34), chr(92) + chr(34))}"')


class Dies:
    def __init__(self, error):
        self.error = error

    def backends(self, environment):
        raise self.error from ValueError(environment)


def test_that_the_process_ended_is_a_violation_where_it_is_asked_for():
    with pytest.raises(Violation, match="the process ended instead of an answer: SIGABRT") as broken:
        backends_alive(Dies(Aborted("SIGABRT")), {b"A": b"\xff"})
    assert broken.value.environment == {b"A": b"\xff"}


def test_a_harness_that_died_for_unknown_reasons_is_none():
    with pytest.raises(ImplementationBroke, match="late"):
        backends_alive(Dies(ImplementationBroke("late")), {})


def test_a_harness_may_say_that_its_parser_ended_and_goes_on():
    with closing(shell('{"backends": []}', f'{{"{ABORTS}"}}', '{"backends": ["GDS"]}')) as harness:
        with pytest.raises(Aborted, match=r"^exec:.*: killed by SIGABRT$"):
            harness.backends({b"A": b"\xff"})
        assert harness.backends({}) == ("GDS",)  # the same process: it has counted


def test_a_parser_that_ends_at_once_is_no_broken_harness():
    with closing(shell(f'{{"{ABORTS}"}}', '{"backends": ["UCX"]}')) as harness:
        assert harness.backends({}) == ("UCX",)


@pytest.mark.parametrize("answer", ['{"aborted": 3}', '{"aborted": "x", "backends": []}'])
def test_what_is_not_quite_that_answer_broke(answer):
    with pytest.raises(Missing, match=r"aborted|Extra"):
        shell(answer)


def verdicts(folder, *arguments):
    done = subprocess.run(
        [KVGAUGE, "conform", *arguments, "--json"], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    found = {(one["implementation"], one["requirement"]): one["verdict"] for one in json.loads(done.stdout)["verdicts"]}
    return done.returncode, found


@pytest.mark.deep
def test_known_panics_break_two_sentences_and_a_raised_panic_is_an_error(tmp_path):
    (tmp_path / "mine.py").write_text(PARSERS, encoding="utf-8")
    raising = "mine:panics_of_everything_but_nothing"
    code, found = verdicts(tmp_path, "kvbm-A", raising, "-r", "ENV-014", "-r", "ENV-020", "-r", "ENV-013")
    assert code == 1
    assert found == {
        ("kvbm-A", "ENV-013"): "pass",
        ("kvbm-A", "ENV-014"): "warn",
        ("kvbm-A", "ENV-020"): "warn",
        (raising, "ENV-013"): "error",
        (raising, "ENV-014"): "error",
        (raising, "ENV-020"): "error",
    }


@pytest.mark.deep
def test_an_end_of_the_process_is_an_error_in_every_other_sentence(tmp_path):
    """A harness whose parser ends for each environment but the empty one."""
    (tmp_path / "harness.py").write_text(
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    asked = json.loads(line)\n"
        f"    start = {START!r}\n"
        "    ended = {'aborted': 'SIGABRT'} if asked.get('environment') else {'backends': ['UCX']}\n"
        "    print(start if asked['do'] == 'start' else json.dumps(ended), flush=True)\n",
        encoding="utf-8",
    )
    name = f"exec:{shlex.quote(sys.executable)} harness.py"
    code, found = verdicts(tmp_path, name, "-r", "ENV-001", "-r", "ENV-002", "-r", "ENV-013", "-r", "ENV-020")
    assert code == 1
    assert {identity: verdict for (_, identity), verdict in found.items()} == {
        "ENV-001": "pass",
        "ENV-002": "error",
        "ENV-013": "error",
        "ENV-020": "warn",
    }
