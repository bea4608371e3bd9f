"""A sequence that breaks something, made shorter and simpler while it still does.

Not by hypothesis, whose shrinking wants the same outcome each time: a real
transport breaks now and then, and its workers are started anew after each break.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from conformance.machine.steps import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance.machine.play import Broken

    Steps = tuple[Step, ...]
    Attempt = Callable[[Steps], tuple[Steps, Broken | None]]

TRIES = 3  # of a sequence that has broken something once
_ROW = ((0, 0, 8),)


class Smallest(NamedTuple):
    """The shortest sequence that is known to break a sentence."""

    steps: Steps
    broken: Broken
    again: bool  # it did so again


def minimise(steps: Steps, broken: Broken, attempt: Attempt, until: float) -> Smallest:
    """Return the smallest sequence found before `until` (time.monotonic) that breaks the same sentence."""
    best = Smallest(steps, broken, again=False)
    for _ in range(TRIES):
        best = _tried(best, best.steps, attempt)
        if best.again:
            break
    else:
        return best
    smaller = True
    while smaller:
        smaller = False
        for candidate in (*_shorter(best.steps), *_simpler(best.steps)):
            if time.monotonic() > until:
                return best
            found = _tried(best, candidate, attempt)
            if found is not best and found.steps != best.steps:
                best, smaller = found, True
                break
    return _tried(best, _renumbered(best.steps), attempt)


def _tried(best: Smallest, candidate: Steps, attempt: Attempt) -> Smallest:
    """Return what came of a candidate if it breaks the same sentence and is no longer, else `best`."""
    taken, broken = attempt(candidate)
    if broken is None or broken.requirement != best.broken.requirement or len(taken) > len(best.steps):
        return best
    return Smallest(taken, broken, again=True)


def _shorter(steps: Steps) -> Iterator[Steps]:
    """Yield the sequence without a run of steps, long runs first and late ones first."""
    size = len(steps) // 2
    while size:
        for start in range(len(steps) - size, -1, -max(1, size // 2)):
            yield steps[:start] + steps[start + size :]
        size //= 2


def _simpler(steps: Steps) -> Iterator[Steps]:
    """Yield the sequence with one step made simpler."""
    for index, step in enumerate(steps):
        for simpler in _variants(step):
            yield (*steps[:index], simpler, *steps[index + 1 :])


def _variants(step: Step) -> Iterator[Step]:
    if step.verb == "post" and step.arguments[3] != _ROW:
        number, peer, way, rows = step.arguments
        yield Step("post", (number, peer, way, _ROW))
        if len(rows) > 1:
            yield from (Step("post", (number, peer, way, rows[:at] + rows[at + 1 :])) for at in range(len(rows)))
    if step.verb == "fill" and step.arguments[1] > 1:
        yield Step("fill", (step.arguments[0], 1))


def _renumbered(steps: Steps) -> Steps:
    """Return the sequence with its transfers counted from 1."""
    numbers: dict[int, int] = {}
    for step in steps:
        if step.verb == "post":
            numbers.setdefault(step.arguments[0], len(numbers) + 1)
    with_number = {"post", "again", "wait", "cancel", "release"}
    return tuple(
        Step(step.verb, (numbers.get(step.arguments[0], step.arguments[0]), *step.arguments[1:]))
        if step.verb in with_number
        else step
        for step in steps
    )
