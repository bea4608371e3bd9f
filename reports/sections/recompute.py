"""Moving the KV cache of a prompt against computing it again: measured rates beside assumed prefill speeds. Nothing is drawn here.

A prompt of N tokens has N x bytes-per-token of KV cache. Moving it pays if that, by
the bandwidth, takes less than N tokens by the prefill speed; N falls out, so the
bandwidth that breaks even is bytes-per-token x speed. Mooncake (FAST '25, eq. 2) puts the
GPU's FLOP/s where the speed stands here. The speed is nobody's measurement of ours,
so three are assumed and said to be. A constant speed flatters computing: attention
makes long prompts slower per token.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.choice import choices
from perf.fit import fits
from perf.spec import ELEMENT_BYTES
from perf.words import between, between_hosts, piece, rate
from suite.kv.geometry import MODELS
from suite.units import format_bytes, format_ns, format_rate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from perf.choice import Choice
    from perf.fit import Fit
    from perf.summary import PointSummary

SPEEDS = (2_000, 10_000, 50_000)  # tokens per second; assumptions
PROMPTS = (1_024, 8_192, 32_768, 131_072)  # tokens
_SECOND_NS = 1e9


@dataclass(frozen=True)
class Prompt:
    """One length."""

    tokens: int
    size: str
    moving: str
    computing: tuple[str, ...]  # at each of `SPEEDS`


@dataclass(frozen=True)
class Speed:
    """One assumed prefill speed: the bandwidth at which moving and computing take the same time."""

    tokens_per_s: int
    break_even: str
    told: str  # "moving is 38 times as fast"


@dataclass(frozen=True)
class Recompute:
    """One model, by the transport that moved it fastest."""

    model: str
    basis: str
    prompts: tuple[Prompt, ...]
    speeds: tuple[Speed, ...]


def recompute(summaries: Sequence[PointSummary], spec: str) -> tuple[Recompute, ...]:
    """Return the comparison for each model whose shape is known; `spec` is the run's, as JSON, and tells the element type."""
    dtypes = _dtypes(spec)
    found: dict[str, Recompute] = {}
    fitted: list[Fit] | None = None
    for choice in choices(summaries):
        dtype = dtypes.get(choice.workload)
        if choice.workload in MODELS and dtype and choice.workload not in found:
            fitted = fits(summaries) if fitted is None else fitted
            per_token = MODELS[choice.workload].bytes_per_token(ELEMENT_BYTES[dtype])
            found[choice.workload] = _of(choice, per_token, dtype, fitted)
    return tuple(found.values())


def _of(choice: Choice, per_token: int, dtype: str, fitted: Iterable[Fit]) -> Recompute:
    one = choice.contenders[0].slowest
    measured = one.throughput.median if one.throughput else math.nan
    line = next((fit for fit in fitted if fit.holds and one in fit.points), None)
    tokens = one.logical_bytes / per_token

    def moving(prompt: int) -> float:
        if line is None:
            return prompt * per_token / measured
        return line.predict(round(prompt * one.posted_descriptors / tokens), round(prompt * one.wire_bytes / tokens))

    where = "" if between(one.point) == between_hosts() else f", {between(one.point)}"
    by = "by its fitted line" if line else "at this rate, without a fixed cost: no line was fitted"
    return Recompute(
        model=choice.workload,
        basis=f"{choice.workload} in {dtype} has {format_bytes(per_token)} of KV cache a token. {choice.contenders[0].name} moved it"
        f" at {rate(one.throughput).value} GB/s ({choice.op}, {piece(one.point)}{where}); moving is told {by}.",
        prompts=tuple(
            Prompt(
                prompt,
                format_bytes(prompt * per_token),
                format_ns(moving(prompt)),
                tuple(format_ns(prompt / speed * _SECOND_NS) for speed in SPEEDS),
            )
            for prompt in PROMPTS
        ),
        speeds=tuple(_speed(speed, per_token, measured) for speed in SPEEDS),
    )


def _speed(tokens_per_s: int, per_token: int, measured: float) -> Speed:
    needed = tokens_per_s * per_token / _SECOND_NS  # bytes per ns are GB/s
    times = measured / needed
    told = f"moving is {times:.2g} times as fast" if times >= 1 else f"computing is {1 / times:.2g} times as fast"
    return Speed(tokens_per_s, format_rate(needed), told)


def _dtypes(spec: str) -> dict[str, str]:
    """Return model -> element type; a model that was swept in two types has none, as its points do not say which they are."""
    try:
        document = json.loads(spec)
    except ValueError:
        return {}
    tables = document.get("kv") if isinstance(document, dict) else None
    found: dict[str, set[str]] = {}
    for table in tables if isinstance(tables, list) else []:
        if (
            isinstance(table, dict)
            and isinstance(table.get("model"), str)
            and isinstance(table.get("dtype", "bf16"), str)
        ):
            found.setdefault(table["model"], set()).add(table.get("dtype", "bf16"))
    return {
        model: next(iter(types)) for model, types in found.items() if len(types) == 1 and types <= ELEMENT_BYTES.keys()
    }
