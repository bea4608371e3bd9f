"""Two figures of a run of transfers as SVG: what a request puts on the wire, and where its time goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.figures.stacks import draw_bars
from suite.units import format_bytes, format_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from reports.sections.transfer import Took, Transfer, Weight

PARTS = (("logical", "the KV cache itself"), ("padding", "padding"), ("copies", "further copies"))
_UNITS = {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10}


def draw_weights(weights: Sequence[Weight]) -> Markup:
    """Return a bar for each op, or for those that put the same on the wire: logical bytes, padding, further copies."""
    lengths = [[one.logical for one in weights], [one.padding for one in weights], [one.copies for one in weights]]
    longest = max(map(sum, zip(*lengths, strict=True)))
    name, unit = next(((name, unit) for name, unit in _UNITS.items() if longest >= unit), ("B", 1))
    described = "; ".join(
        f"{one.label}: {', '.join(f'{name} {format_bytes(size)}' for (_, name), size in zip(PARTS, (one.logical, one.padding, one.copies), strict=True))}"
        for one in weights
    )
    return draw_bars(
        "transfer-bytes", "Wire against logical bytes", f"What one request puts on the wire. {described}.",
        [(number, [length / unit for length in layer]) for number, layer in enumerate(lengths, start=1)],
        lambda value: f"{value:g} {name}",
    )  # fmt: skip


def draw_took(data: Transfer) -> Markup:
    """Return a bar for each op and each of a rank, a request and a batch: phases, one after the other."""
    layers = [
        (number, [sum(phase.took_ns.median for phase in bar.phases if phase.name == name) for bar in data.took])
        for number, name in enumerate(data.phases, start=1)
    ]
    described = "; ".join(f"{bar.label}: {total(bar)}" for bar in data.took)
    return draw_bars("transfer-phases", "Where the time goes", f"Medians of phases. {described}.", layers, format_ns)


def total(bar: Took) -> str:
    """Return the length of a bar."""
    return format_ns(bar.total_ns)
