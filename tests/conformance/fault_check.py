"""Bring faults about at faulty transports, without pytest around them: `python fault_check.py JSON`.

The argument is name -> cells, each [fault, role, phase, way]. Prints name -> the requirements that are
broken in those cells, and why a cell was not tried: ["XFER-701", ...], {"gap": "..."}.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import settings

from conformance.faults.cells import Cell
from conformance.properties.given import DEEP

settings.load_profile(DEEP)  # it is what properties look at to know whether all cells are wanted
from conformance.properties import test_transfer_faults as properties  # noqa: E402  as said


def main(told: dict[str, list[list[str]]]) -> None:
    if any("memory=cuda" in name for name in told):
        from conformance.gpus import emulate

        emulate(1, None)
    print(json.dumps({name: broken(name, [Cell(*cell) for cell in cells]) for name, cells in told.items()}))  # type: ignore[arg-type]  # a way


def broken(name: str, cells: list[Cell]) -> tuple[list[str], dict[str, str]]:
    """Return what a faulty transport breaks in some cells, and what could not be tried."""
    from conformance.implementations.loading import load

    implementation: Any = load(name)
    found, skipped = set(), {}
    for cell in cells:
        case = properties._case(cell)
        if why := implementation.outcome(case).skipped:
            skipped[cell.fault] = why
        for test in vars(properties).values():
            if getattr(test, "__name__", "").startswith("test_") and looks_at(test, cell):
                found |= violated(test, implementation, case)
    implementation.close()
    return sorted(found), skipped


def looks_at(test: Any, cell: Cell) -> bool:
    """Tell whether a property is about that cell."""
    [ids] = [mark.kwargs["ids"] for mark in test.pytestmark if mark.name == "parametrize"]
    return str(cell) in ids


def violated(test: Any, implementation: Any, case: Any) -> set[str]:
    from conformance.verdict import Violation

    extra = {"observe": lambda _: None} if "observe" in test.__code__.co_varnames else {}
    try:
        test(implementation=implementation, case=case, **extra)
    except pytest.skip.Exception:
        return set()
    except Violation:
        return {mark.args[0] for mark in test.pytestmark if mark.name == "requirement"}
    return set()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
