"""The token of a run: given or made, never shown, and the same for all ranks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from suite.cluster.meeting.proof import digest, nonce, token_of
from suite.cluster.world import World
from suite.errors import BadInput

WORLD = World(rank=0, size=2, run="a" * 32)


def test_a_given_token_is_taken_by_all_ranks() -> None:
    tokens = [token_of({"KVGAUGE_TOKEN": "s" * 32}, replace(WORLD, rank=rank)) for rank in (0, 1)]
    assert tokens[0] == tokens[1]
    assert tokens[0].given
    assert tokens[0] != token_of({"KVGAUGE_TOKEN": "t" * 32}, WORLD)


def test_a_made_one_is_of_the_run_and_says_that_it_is_no_secret() -> None:
    tokens = [token_of({}, replace(WORLD, rank=rank)) for rank in (0, 1)]
    assert tokens[0] == tokens[1]
    assert not tokens[0].given
    assert tokens[0] != token_of({}, replace(WORLD, run="b" * 32))


@pytest.mark.parametrize(
    "token", ["", "short", "x" * 129, "secret with blanks", "secret\nsecret-secret", "größer-als-sechzehn"]
)
def test_a_token_that_is_none_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(BadInput, match="KVGAUGE_TOKEN") as caught:
        token_of({"KVGAUGE_TOKEN": token}, WORLD)
    assert not token or token not in str(caught.value)


def test_no_token_shows_itself() -> None:
    assert "s" * 8 not in repr(token_of({"KVGAUGE_TOKEN": "s" * 32}, WORLD))


def test_a_proof_is_of_one_side_and_of_all_its_words() -> None:
    token = token_of({}, WORLD)
    proof = token.prove("rank", "a", "bc")
    assert token.holds(proof, "rank", "a", "bc")
    for who, *words in (("rank 0", "a", "bc"), ("rank", "ab", "c"), ("rank", "a"), ("rank", "a", "bc", "")):
        assert not token.holds(proof, who, *words)
    assert nonce() != nonce()


def test_a_spec_has_one_digest_however_it_is_ordered() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})
