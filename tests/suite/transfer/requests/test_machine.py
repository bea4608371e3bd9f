"""Several requests, two pools, crashes, late words: the real thing holds, and each faulty variant is found out."""

from __future__ import annotations

import pytest

from tests.suite.transfer.requests.machine import run, scripts
from tests.suite.transfer.requests.variants import VARIANTS

STEPS = 15
PLENTY = 3000  # examples; a variant ends the search when it is found out
QUICK = (
    "completes_at_the_first_rank",
    "forgets_to_give_back_on_failure",
    "frees_at_cancel",
    "hears_an_old_incarnation",
    "ignores_that_a_rank_failed",
    "reuses_a_block_in_quarantine",
    "serves_whoever_fits",
)


def test_nothing_is_wrong() -> None:
    run(60, STEPS)


@pytest.mark.deep
@pytest.mark.parametrize("number", range(3))
def test_nothing_is_wrong_in_long_lives(number: int) -> None:
    run(200, 40, number)


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.deep) for name in VARIANTS]
)
def test_a_faulty_variant_is_found_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    patch, fault = VARIANTS[name]
    patch(monkeypatch)
    with pytest.raises(Exception, match=fault):
        run(PLENTY, STEPS)


@pytest.mark.deep
def test_what_came_from_outside_is_recorded_for_real_workers() -> None:
    seen = {stimulus[0] for script in scripts(150, STEPS, 1) for stimulus in script}
    assert seen == {"submit", "break", "cancel", "finish", "tick", "crash", "restart"}
    assert scripts(5, STEPS, 7) == scripts(5, STEPS, 7)
