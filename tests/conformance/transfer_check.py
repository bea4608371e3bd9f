"""Run properties of transfers over faulty transports, without pytest around them: `python transfer_check.py NAME...`.

Prints a JSON object: name -> the requirements that are broken. Few examples, fewer still of
the sentences that a fault is not said to break, and no shrinking, as nobody looks at them.
An argument `NAME=XFER-001,XFER-002` tries those only, `NAME=!XFER-012` all but that one.

`python transfer_check.py --seeds 3 4` tries the reference with these seeds, drawing as often as a user's
run does: seed -> what is broken. Fixed cases, which no seed changes, are left out.
"""

from __future__ import annotations

import gc
import json
import sys
from importlib import import_module
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, seed, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

SUBJECTS = (
    "bytes", "notifications", "memory", "metadata", "peers", "life", "threads", "leaks", "files", "disks",
)  # fmt: skip
OWN, OTHERS, USUAL = 6, 2, 12  # examples
A_SHARE = 8  # `conformance.properties.given` draws so many times fewer


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--seeds"]:
        print(json.dumps(with_seeds([int(number) for number in arguments[1:]])))
        return
    own, others = tests(OWN), tests(OTHERS)
    gc.freeze()  # properties collect garbage before they look at memory: what is imported stays anyway
    asked = [(name, only) for name, _, only in (one.partition("=") for one in arguments)]
    print(json.dumps({name: sorted(broken(name, only, own, others)) for name, only in asked}))


def tests(examples: int) -> list[Any]:
    """Return all properties of transfers, which draw so often."""
    settings.register_profile("few", max_examples=examples * A_SHARE, phases=[Phase.generate])
    settings.load_profile("few")
    found = []
    for subject in SUBJECTS:
        name = f"conformance.properties.test_transfer_{subject}"
        sys.modules.pop(name, None)  # a property takes the profile that is loaded when it is imported
        found += [test for name, test in vars(import_module(name)).items() if name.startswith("test_")]
    sow(found, 0)  # `derandomize` would take a digest of its source each time
    return found


def sow(found: list[Any], number: int) -> list[Any]:
    """Return the properties that draw, which begin with this seed from now on."""
    return [seed(number)(test) for test in found if hasattr(test, "hypothesis")]


def with_seeds(numbers: list[int]) -> dict[int, list[str]]:
    """Return what the reference breaks with each seed."""
    from conformance.implementations.loading import load

    drawing = tests(USUAL)
    implementation: Any = load("reference:memory")
    told: dict[int, list[str]] = {}
    for number in numbers:
        told[number] = [test.__name__ for test in sow(drawing, number) if goes_wrong(test, implementation, {})]
    implementation.close()
    return told


def broken(name: str, only: str, own: list[Any], others: list[Any]) -> set[str]:
    """Return the requirements that a faulty transport breaks."""
    from transfer_mutants import BREAKS

    from conformance.implementations.loading import load
    from conformance.requirement import registry

    implementation: Any = load(name if ":" in name else f"transfer_mutants:{name}")
    found = set()
    for often, seldom in zip(own, others, strict=True):
        marks = {mark.name: mark for mark in often.pytestmark}
        identity = marks["requirement"].args[0]
        named = identity in only.lstrip("!").split(",")
        if (only and named == only.startswith("!")) or implementation.unable(registry()[identity]):
            continue
        test = often if identity in BREAKS.get(name, ()) else seldom
        if any(goes_wrong(test, implementation, inputs) for inputs in inputs_of(test)):
            found.add(identity)
    implementation.close()
    return found


def inputs_of(test: Any) -> Iterator[dict[str, Any]]:
    tables = [mark for mark in test.pytestmark if mark.name == "parametrize"]
    for values in product(*(mark.args[1] for mark in tables)):
        yield {mark.args[0]: value for mark, value in zip(tables, values, strict=True)}


def goes_wrong(test: Any, implementation: Any, inputs: dict[str, Any]) -> bool:
    from conformance.verdict import Violation

    plain = getattr(getattr(test, "hypothesis", None), "inner_test", test)
    if "observe" in plain.__code__.co_varnames[: plain.__code__.co_argcount]:
        inputs = {**inputs, "observe": lambda _: None}
    try:
        test(implementation=implementation, **inputs)
    except pytest.skip.Exception:
        return False
    except Violation:
        return True
    return False


if __name__ == "__main__":
    main(sys.argv[1:])
