"""The schema of `--json` of an A/B, and of `ab` in a report's JSON: checked against real output in the tests.

Rates are GB/s (1e9 bytes per second) of the KV cache's own bytes, shares and ratios plain numbers.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from perf.record import Point

Verdict = Literal["faster", "slower", "same", "within noise", "inconclusive"]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Side(_Closed):
    """What A or B was."""

    name: Literal["A", "B"]
    label: str
    facts: list[str] = Field(description="versions that the other side has not, and its python")


class Judgement(_Closed):
    """What the launches say."""

    verdict: Verdict
    ratio: float = Field(description="B by A, the middle of the launches' ratios")
    low: float | None = Field(description="of the interval; null for too few launches")
    high: float | None
    confidence: float | None = Field(description="what the interval really has")
    p: float = Field(description="of the exact Wilcoxon signed-rank test, two-sided")
    q: float = Field(description="p after the false-discovery adjustment over all points")
    launches: int = Field(description="that have both")
    why: str
    decide: str = Field(description="what would decide; empty where nothing is left open")


class Compared(_Closed):
    """One point under A and B."""

    what: str
    by: str
    point: Point | None = Field(description="null for what a command printed")
    verdict: Verdict | Literal["not compared"]
    refused: str | None = Field(description="why it was not compared")
    remarks: list[str]
    judgement: Judgement | None
    a_gb_per_s: float | None = Field(description="median of the launches that have both")
    b_gb_per_s: float | None
    ratios: list[float] = Field(description="B by A, launch by launch")


class Against(_Closed):
    """A against B."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    run: str
    a: Side
    b: Side
    smallest: float = Field(description="the share within which differences are called the same")
    sentences: list[str]
    notes: list[str]
    points: list[Compared]
    failing: list[int] = Field(description="numbers of the points that --fail-on names, from 0")
