"""Why a row has its verdict, in words: alike for runs apart and for A against B."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class Judged(Protocol):
    """What both kinds of judgement say for a reader."""

    @property
    def why(self) -> str:
        """What the verdict rests on."""

    @property
    def decide(self) -> str:
        """What would decide; empty where nothing is left open."""


class Row(Protocol):
    """One point with its judgement, or `refused` says why there is none."""

    @property
    def judgement(self) -> Judged | None:
        """The judgement."""

    @property
    def refused(self) -> str:
        """Why there is none."""

    @property
    def remarks(self) -> Sequence[str]:
        """What else a reader should know."""


def short(row: Row) -> str:
    """Return why a row has its verdict, and what would decide."""
    if row.judgement is None:
        return row.refused
    return row.judgement.why + (f"; to decide: {row.judgement.decide}" if row.judgement.decide else "")


def reason(row: Row) -> str:
    """Return the same, and the row's remarks; a refusal has none."""
    return "; ".join([short(row), *(row.remarks if row.judgement else ())])
