"""Sequences come from command lines: they go to JSON and back, and nothing else gets in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.machine.script import pasted, script
from conformance.machine.steps import Step, as_json, of_json
from suite.errors import BadInput

STEPS = (
    Step("open", ("target", True)),
    Step("connect", ("target",)),
    Step("fill", ("initiator", 7)),
    Step("post", (1, "target", "out", ((0, 8, 8), (100, 0, 8)))),
    Step("wait", (1,)),
)


def test_a_sequence_survives_json() -> None:
    assert of_json(json.loads(json.dumps(as_json(STEPS)))) == STEPS


@pytest.mark.parametrize(
    "step",
    [
        ["__init__", "target"],
        ["open", "target"],
        ["open", "target", 1],
        ["open", "nobody", True],
        ["connect", "initiator"],
        ["fill", "target", -1],
        ["fill", "target", True],
        ["post", 1, "target", "up", [[0, 0, 8]]],
        ["post", 1, "target", "out", []],
        ["post", 1, "target", "out", [[0, 16380, 8]]],
        ["post", 1, "target", "out", [[0, 0, 0]]],
        ["post", 1, "target", "out", [[0, 0, 8], [0, 4, 8]]],
        ["post", 1, "target", "out", [[0, 0]]],
        [],
        [3],
        "open",
        None,
    ],
)
def test_what_is_no_step_is_refused(step: Any) -> None:
    with pytest.raises(BadInput):
        of_json({"steps": [step]})


@pytest.mark.parametrize("told", [None, [], {}, {"steps": []}, {"steps": {}}, {"steps": [["wait", 1]], "more": 1}])
def test_what_is_no_sequence_is_refused(told: Any) -> None:
    with pytest.raises(BadInput):
        of_json(told)


def test_words_of_a_stranger_stay_in_their_comment() -> None:
    hostile = 'bad\'"""\nimport os; os.abort()\nEOF\n\x1b[31m\u2028'
    text = script("nixl:UCX", "XFER-801", hostile, STEPS)
    code = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert code[0] == "from conformance.machine.replay import playing"
    assert code[1] == "with playing('nixl:UCX') as play:"
    assert len(code) == 2 + len(STEPS)
    assert text.isascii()
    assert pasted(text).splitlines().count("EOF") == 1
    compile(text, "script", "exec")
