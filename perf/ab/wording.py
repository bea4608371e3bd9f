"""A row of an A/B as text: the same words on the terminal, in Markdown, in JUnit and in the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf.words import NONE
from suite.units import format_rate

if TYPE_CHECKING:
    from perf.ab.against import Against, Row, Side


def rate(gb_per_s: float | None) -> str:
    """Return a rate without its unit, which the heading gives: GB/s."""
    return NONE if gb_per_s is None else format_rate(gb_per_s).removesuffix(" GB/s")


def ratio(row: Row) -> str:
    """Return B by A with its interval; three decimals, since small differences are what this is for."""
    judged = row.judgement
    if judged is None:
        return NONE
    if judged.low is None or judged.high is None:
        return f"{judged.ratio:.3f}"
    return f"{judged.ratio:.3f} [{judged.low:.3f}, {judged.high:.3f}]"


def side(one: Side) -> str:
    """Return what a side is: `A: UCX_TLS=tcp (nixl-cu12 1.5.0)`."""
    return f"{one.name}: {one.label}" + (f" ({', '.join(one.facts)})" if one.facts else "")


def title(found: Against) -> str:
    """Return the heading of a comparison."""
    return f"{found.run}: B against A"
