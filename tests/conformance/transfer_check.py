"""Run properties of transfers over faulty transports, without pytest around them: `python transfer_check.py NAME...`.

Prints a JSON object: name -> the requirements that are broken. Few examples and no
shrinking, as nobody looks at them. An argument `NAME=XFER-001,XFER-002` tries those only, `NAME=!XFER-012` all but that one.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

SUBJECTS = ("bytes", "notifications", "memory", "metadata", "life", "leaks", "files")


def main(arguments: list[str]) -> None:
    settings.register_profile("few", max_examples=48, phases=[Phase.generate], derandomize=True)
    settings.load_profile("few")
    modules = [import_module(f"conformance.properties.test_transfer_{subject}") for subject in SUBJECTS]
    tests = [test for module in modules for name, test in vars(module).items() if name.startswith("test_")]
    print(
        json.dumps(
            {name: sorted(broken(name, only, tests)) for name, _, only in (one.partition("=") for one in arguments)}
        )
    )


def broken(name: str, only: str, tests: list[Any]) -> set[str]:
    """Return the requirements that a faulty transport breaks."""
    from conformance.implementations.loading import load
    from conformance.requirement import registry

    implementation: Any = load(name if ":" in name else f"transfer_mutants:{name}")
    found = set()
    for test in tests:
        marks = {mark.name: mark for mark in test.pytestmark}
        identity = marks["requirement"].args[0]
        named = identity in only.lstrip("!").split(",")
        if (only and named == only.startswith("!")) or implementation.unable(registry()[identity]):
            continue
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
