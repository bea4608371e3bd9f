"""The eight parsers of KVBM, row by row: what each makes of the same environment.

The outcomes were found by transcribing upstream's source and running the
transcripts; upstream itself was not run.
"""

from __future__ import annotations

import pytest

from conformance.implementations import FROM_READING
from conformance.implementations.kvbm import FACTORIES, PREFIX
from conformance.verdict import ImplementationBroke, Refused

NAMES = ("A", "BC", "D-llm", "D-mem", "E", "F", "G", "V")
REFUSED, PANIC = "refused", "panic"
UCX, GDS, BOTH, NONE, MT = ("UCX",), ("GDS",), ("UCX", "GDS"), (), ("GDS_MT",)
DEFAULTS = [UCX, NONE, UCX, NONE, NONE, UCX, NONE, NONE]  # what each makes of nothing enabled


def all_of(outcome):
    return [outcome] * 8


def strict(*others):
    """Refused by A to D, which refuse `_` before they look at the value."""
    return [REFUSED] * 4 + list(others)


ROWS = [
    ([], DEFAULTS),
    *(([("UCX", value)], all_of(UCX)) for value in ("true", "1", "on", "yes", "TrUe", "YES")),
    ([("ucx", "on")], all_of(UCX)),
    *(([("UCX", value)], DEFAULTS) for value in ("false", "0", "off", "no", "Off")),
    ([("GDS", "false")], DEFAULTS),
    ([("GDS", "0"), ("UCX", "off")], DEFAULTS),
    ([("GDS", "true")], all_of(GDS)),
    ([("UCX", "false"), ("GDS", "true")], all_of(GDS)),
    ([("UCX", "true"), ("GDS", "true")], all_of(BOTH)),
    ([("UCX", "true"), ("GDS", "0")], all_of(UCX)),
    *(
        ([("UCX", value)], [REFUSED, REFUSED, UCX, UCX, REFUSED, REFUSED, REFUSED, NONE])
        for value in (" true ", "true\t", "\x85true", "\xa0true")
    ),
    *(
        ([("UCX", value)], [REFUSED] * 7 + [NONE])
        for value in (
            "\x1ctrue",
            "\u200btrue",
            "\ufefftrue",
            "",
            "  ",
            "maybe",
            "y",
            "t",
            "2",
            "01",
            "1.0",
            "+1",
            "enabled",
        )
    ),
    ([("ucx", "false"), ("UCX", "true")], [UCX, UCX, UCX, UCX, NONE, UCX, NONE, UCX]),
    ([("UCX", "true"), ("ucx", "false")], [UCX, UCX, UCX, UCX, NONE, UCX, NONE, UCX]),
    ([("ucx", "true"), ("UCX", "maybe")], [REFUSED] * 7 + [UCX]),
    ([("GDS_MT", "true")], strict(MT, GDS, GDS, MT)),
    ([("GDS_MT", "false")], strict(NONE, GDS, GDS, NONE)),
    ([("gds_mt", "on")], strict(MT, GDS, GDS, MT)),
    ([("UCX_PARAM1", "x")], strict(REFUSED, UCX, UCX, NONE)),
    ([("UCX_PARAM1", "1")], strict(("UCX_PARAM1",), UCX, UCX, ("UCX_PARAM1",))),
    ([("GDS_MT__THREAD_COUNT", "8")], strict(MT, GDS, GDS, NONE)),
    ([("UCX", "true"), ("UCX__A", "x")], strict(UCX, UCX, UCX, UCX)),
    ([("UCX__A", "1"), ("ucx__a", "2")], strict(UCX, UCX, UCX, ("UCX__A",))),
    ([("UCX__A__B", "1")], strict(UCX, UCX, UCX, ("UCX__A__B",))),
    ([("GDS", "false"), ("GDS__T", "1")], strict(NONE, UCX, NONE, ("GDS__T",))),
    ([("GDS", "false"), ("GDS_MT", "1")], strict(MT, UCX, NONE, MT)),
    ([("UCX", "false"), ("GDS_MT", "true")], strict(MT, GDS, GDS, MT)),
    ([("UCX", "maybe"), ("GDS_MT", "true")], [REFUSED] * 7 + [MT]),
    ([("GDS_MT", "true"), ("UCX", "maybe")], [REFUSED] * 7 + [MT]),
    ([("UCX_", "true")], strict(("UCX_",), UCX, UCX, ("UCX_",))),
    ([("_UCX", "true")], strict(("_UCX",), ("",), ("",), ("_UCX",))),
    ([("__X", "1")], strict(REFUSED, ("",), ("",), ("__X",))),
    ([("UCX__", "1")], strict(REFUSED, UCX, UCX, ("UCX__",))),
    ([("", "true")], all_of(("",))),
    *(([(name, value)], all_of((name,))) for name, value in (("NOSUCH", "true"), ("UCX-1", "true"), (" GDS", "1"))),
    ([("straße", "true")], all_of(("STRASSE",))),
    ([("UCX", b"\xff")], all_of(PANIC)),
    ([("UCX", "maybe"), ("POSIX", b"\xff")], [REFUSED] * 5 + [PANIC] * 3),
    ([("POSIX", b"\xff"), ("UCX", "maybe")], all_of(PANIC)),
]


def outcome(name, environment):
    try:
        return FACTORIES[f"kvbm-{name}"]().backends(environment)
    except Refused:
        return REFUSED
    except ImplementationBroke:
        return PANIC


@pytest.mark.parametrize(
    ("variables", "outcomes"), ROWS, ids=lambda value: str(value) if isinstance(value[:1], list) else ""
)
def test_every_variant_does_what_its_source_says(variables, outcomes):
    environment = {
        (PREFIX + name).encode(): value if isinstance(value, bytes) else value.encode() for name, value in variables
    }
    assert [outcome(name, environment) for name in NAMES] == list(outcomes)


@pytest.mark.parametrize("environment", [{b"FOO": b"\xff"}, {b"\xff": b"1"}])
def test_bytes_that_are_not_utf_8_anywhere_end_all_of_them(environment):
    """Upstream iterates over the whole environment as text."""
    assert [outcome(name, environment) for name in NAMES] == all_of(PANIC)


def test_the_prefix_is_upper_case_for_all_of_them():
    assert [outcome(name, {b"dyn_kvbm_nixl_backend_GDS": b"true"}) for name in NAMES] == DEFAULTS


def test_they_say_that_nothing_of_upstream_was_run():
    assert {FACTORIES[f"kvbm-{name}"]().note for name in NAMES} == {FROM_READING}
    assert len(FACTORIES) == len(NAMES)
