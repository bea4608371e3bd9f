"""Hazards: what the table names is there, and each try runs and gives an answer."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

from conformance.hazards import HAZARDS, Hazard, trying
from conformance.requirement import registry
from suite.errors import BadInput

PAGE = Path(__file__).parent.parent.parent.parent / "docs" / "hazards.md"
SENTENCE = "nixl-deregistered"  # one stands for all that are tried by `kvgauge conform`, whose sentences have tests


@pytest.mark.parametrize("hazard", HAZARDS, ids=lambda one: one.name)
def test_a_hazard_is_a_sentence_or_a_script_and_is_on_the_page(hazard):
    assert bool(hazard.script) != bool(hazard.requirement) == bool(hazard.implementation)
    if hazard.script:
        module, _, function = hazard.script.partition(":")
        source = Path(find_spec(f"conformance.hazards.{module}").origin).read_text("utf-8")
        assert re.search(rf"^def {function}\(\) -> Seen:", source, re.MULTILINE)
    else:
        assert registry()[hazard.requirement].answers == "transfer"
    assert f"`{hazard.name}`" in PAGE.read_text("utf-8")


def test_names_are_chosen_in_order_and_all_are_meant_by_none():
    assert [one.name for one in trying.chosen(["ucxx-view", "nixl-released"])] == ["ucxx-view", "nixl-released"]
    assert trying.chosen([]) == HAZARDS
    with pytest.raises(BadInput, match="no hazard 'x'"):
        trying.chosen(["x"])


def test_what_is_told_counts_what_was_seen_and_hides_nothing():
    told = [{"seen": True, "evidence": "a"}] * 2 + [{"seen": False, "evidence": "b"}, {"error": "c"}]
    assert list(trying._about(told, 4)) == ["  seen in 2 of 4", "  seen 2: a", "  not seen 1: b", "  no answer 1: c"]
    many = [{"seen": True, "evidence": str(number)} for number in range(5)]
    assert list(trying._about(many, 5))[-1] == "  seen, and 2 other lines"
    assert list(trying._about([{"missing": "no library\nhint"}], 20)) == ["  not tried: no library"]


@pytest.mark.parametrize("printed", ["", "no JSON\n", '{"seen": true}\nSegmentation fault', "[1]"])
def test_what_is_no_answer_is_told_as_such(printed):
    assert trying._last(printed, -11) == {"error": "it told nothing and left with -11"}


def test_a_try_that_dies_is_no_answer():
    """The process finds no hazard of this name, which is a bug, and must not look like a hazard that is not there."""
    [first, second, third] = trying.tried([Hazard("nobody", "nothing", script="none:none")], 1)
    assert first == "nobody: nothing"
    assert second == "  seen in 0 of 1"
    assert third.startswith("  no answer 1: it told nothing and left with ")


@pytest.mark.deep
def test_each_runs_and_says_seen_or_not():
    """Not which of the two: that is a library's matter, and the page has what was seen of which version."""
    wanted = [one for one in HAZARDS if one.script or one.name == SENTENCE]
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda one: list(trying.tried([one], 1)), wanted))
    for lines in told:
        assert re.match(r"  (seen in [01] of 1|not tried: )", lines[1]), lines
        assert not [line for line in lines if line.startswith("  no answer")], lines
