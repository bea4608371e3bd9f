"""Text for a reader: foreign strings made harmless, numbers made short. Shared by the page and the terminal."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suite.units import format_bytes, format_ns, format_rate

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.record import Point
    from perf.summary import Interval, PointSummary

NONE = "\N{EN DASH}"  # a number that does not exist
LIMIT = 2_000  # characters of one foreign string; the rest is counted, not shown
PLAIN_MESSAGES = "bytes"  # the workload that is no model

# Controls could move the cursor or reorder what is read (bidi overrides), and lone surrogates cannot be encoded.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_THIN = 0.1  # below ten percent a whole number says too little


@dataclass(frozen=True)
class Estimate:
    """A median and its interval, each as text; `span` is empty where there is none."""

    value: str
    span: str = ""

    def __str__(self) -> str:
        return f"{self.value} {self.span}".rstrip()


def plain(value: object, limit: int = LIMIT) -> str:
    """Return `value` as text that can only be read: control, format and unassigned characters become escapes."""
    text = str(value)
    shown = "".join(_visible(character) for character in text[:limit])
    return f"{shown}… ({len(text) - limit} more characters)" if len(text) > limit else shown


def _visible(character: str) -> str:
    if character == "\n" or unicodedata.category(character) not in _UNSAFE:
        return character
    return character.encode("unicode_escape").decode()


def rate(interval: Interval | None) -> Estimate:
    """Return throughput without its unit, which the heading of the column gives: GB/s."""
    return _estimate(interval, lambda value: format_rate(value).removesuffix(" GB/s"))


def seconds(interval: Interval | None) -> Estimate:
    """Return seconds a GB without their unit, which the heading of the column gives: s/GB."""
    return _estimate(interval, lambda value: f"{value:.3g}")


def percent(interval: Interval | None) -> Estimate:
    """Return a share, whole percent."""
    return _estimate(interval, lambda value: f"{100 * value:.0f} %")


def latency(interval: Interval | None) -> Estimate:
    """Return a latency; the ends of its interval name their unit only where it is another one."""
    return _estimate(interval, format_ns)


def _estimate(interval: Interval | None, show: Callable[[float], str]) -> Estimate:
    if interval is None or not math.isfinite(interval.median):
        return Estimate(NONE)
    low, high = interval.low, interval.high
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return Estimate(show(interval.median))
    value, ends = show(interval.median), [show(low), show(high)]
    unit = value.partition(" ")[2]
    if unit and all(end.endswith(f" {unit}") for end in ends):
        ends = [end.removesuffix(f" {unit}") for end in ends]
    return Estimate(value, f"[{', '.join(ends)}]")


def share(fraction: float | None) -> str:
    """Return a share of the ceiling in percent."""
    if fraction is None or not math.isfinite(fraction):
        return NONE
    return f"{100 * fraction:.0f} %" if fraction >= _THIN or fraction <= 0 else f"{100 * fraction:.2g} %"


def workload(name: str) -> str:
    """Return what was moved: a model's KV cache, or messages that belong to none."""
    return "plain messages" if name == PLAIN_MESSAGES else name


def what(point: Point) -> str:
    """Return what one descriptor of a point is, and where it goes unless that is host memory: `page 64 KiB scattered`."""
    return piece(point) if between(point) == between_hosts() else f"{piece(point)}, {between(point)}"


def piece(point: Point) -> str:
    """Return what one descriptor of a point is: `page 64 KiB scattered`."""
    size = format_bytes(point.descriptor_bytes)
    return f"{size} {point.pattern}" if point.unit == "bytes" else f"{point.unit} {size} {point.pattern}"


def pieces(point: Point) -> str:
    """Return that and how many there are: `page 64 KiB scattered \N{MULTIPLICATION SIGN} 512`."""
    return f"{piece(point)} \N{MULTIPLICATION SIGN} {point.descriptors}"


def between(point: Point) -> str:
    """Return the two memories of a point: `cuda:0 → cuda:1`, and how many pairs moved at once."""
    beside = f", {point.flows} pairs at once" if point.flows > 1 else ""
    return f"{point.source} → {point.destination}{beside}"


def between_hosts() -> str:
    """Return what `between` says of host memory on both sides."""
    return "host → host"


def carrier(point: Point) -> str:
    """Return the transport with what sets it apart: `ucx (UCX_TLS=tcp)`; `ucx (B)` for one side of an A/B."""
    settings = [f"{name}={value}" for name, value in sorted(point.settings.items())]
    apart = ", ".join([*filter(None, [point.variant]), *settings])
    return f"{point.transport} ({apart})" if apart else point.transport


def full_name(point: Point) -> str:
    """Return a point's whole name, for sentences about it."""
    return f"{point.op} {workload(point.workload)}, {what(point)} \N{MULTIPLICATION SIGN} {point.descriptors}, {carrier(point)}"


def wires(summary: PointSummary) -> str:
    """Return the wires that carried a point; `unknown` where nothing proves one."""
    return ", ".join(summary.wires) or "unknown"
