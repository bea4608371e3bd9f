"""Threads at one endpoint, and at one each: XFER-412 and XFER-413."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from conformance.properties.moving import in_place, scene
from conformance.requirement import requirement
from conformance.transfer.case import Case, apart

if TYPE_CHECKING:
    from conformance.implementation import MovesBytes

_ROUNDS = 10
_WAYS = [apart([1024] * 80, way=way, tag=b"") for way in ("out", "in")]


@requirement("XFER-412")
@pytest.mark.parametrize("case", _WAYS, ids=["out", "in"])
def test_at_one_endpoint(implementation: MovesBytes, case: Case) -> None:
    """Each has half of the rows, four in each of ten transfers; both have posted before either asks."""
    with scene(implementation, case) as one:
        one.in_threads(
            *(
                {"at": "", "rounds": [one.arguments(rows=rows) for rows in np.split(half, _ROUNDS)]}
                for half in np.split(case.rows, 2)
            )
        )
        in_place(case, one.damage(), "of two threads, ")


@requirement("XFER-413")
@pytest.mark.parametrize("case", _WAYS[:1], ids=["out"])
def test_at_one_endpoint_each(implementation: MovesBytes, case: Case) -> None:
    """As before, but from two endpoints of the initiator, each with memory of its own."""
    with scene(implementation, case, ready=False) as one:
        if one.op != "WRITE":
            pytest.skip("it does not write")
        one.lay()
        one.lay_one("initiator", "second", case.nbytes[0], case.starts[0])
        second = one.agent("second")
        for role in one.roles:
            one.open(role, places=("main",))
        one.open("initiator", agent=second, at="second", places=("second",))
        one.connect("target", "initiator")
        one.connect("target", "second", agent=second)
        for at in ("", "second"):
            one.connect("initiator", "target", at=at)
        one.stage_bytes()
        one.ask("initiator", "paint", place="second", seed=case.seed)
        jobs = []
        for at, place, half in zip(("", "second"), ("main", "second"), np.split(case.rows, 2), strict=True):
            addressed = [one.between("initiator", "target", rows, of=place) for rows in np.split(half, _ROUNDS)]
            jobs.append({"at": at, "rounds": [{**one.arguments(), "rows": rows} for rows in addressed]})
        one.in_threads(*jobs)
        in_place(case, one.damage(), "of two threads with an endpoint each, ")
