"""What no link can exceed: a window that moved its bytes in less time than the line rate allows is wrong, not fast.

Only a bound that is known beyond doubt may make a number INVALID: the fastest link that there is to a GPU,
and the line rate that an interface itself reports, against the bytes that the kernel counted on it. A ceiling
that was measured (`perf.limits`) is none: a transfer above it is shown and explained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf.links import LINKS
from perf.memory import kind_of
from perf.validity import issue
from suite.units import format_rate, gb_per_s

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perf.record import Issue, Point

_TOLERANCE = 1.1  # counters and clocks are read a moment apart
_LONG_NS = 10_000_000  # of a window; in a shorter one that moment is a part of it
_DEVICE = "cuda"


def above_limit(
    point: Point,
    *,
    window_bytes: int,
    delivered_ns: Sequence[int],
    network: Sequence[Mapping[str, int]],
    window_ns: Sequence[int],
    line_rates: Mapping[str, float],
) -> list[Issue]:
    """Return an issue for each limit that any window was beyond.

    `window_bytes` is what each window moved in `delivered_ns`; `network` is what each added to the bytes that
    the kernel counted as sent by interface, in `window_ns`; `line_rates` are GB/s of the interfaces that report one.
    """
    found = []
    fastest = max((gb_per_s(window_bytes, took) for took in delivered_ns if took), default=0.0)
    limit, where = _to_device(point)
    if limit and fastest > limit * _TOLERANCE:
        found.append(f"{format_rate(fastest)} {where}: no such link is faster than {format_rate(limit)}")
    for name, rate in sorted(line_rates.items()):
        windows = zip(network, window_ns, strict=False)
        sent = max((gb_per_s(one.get(name, 0), took) for one, took in windows if took >= _LONG_NS), default=0.0)
        if sent > rate * _TOLERANCE:
            told = f"the kernel counted {format_rate(sent)} on {name} while a window was open"
            found.append(f"{told}: its line rate is {format_rate(rate)}")
    return [issue("above-limit", text) for text in found]


def _to_device(point: Point) -> tuple[float, str]:
    """Return what nothing between a GPU and the other side of a point exceeds, and where; 0 where no link is known."""
    ends = {kind_of(point.source), kind_of(point.destination)}
    if _DEVICE not in ends or point.source == point.destination or point.op == "handoff":
        return 0.0, ""  # within one GPU bytes may come from its caches, a handoff passes a file
    fastest = max(link.gb_per_s for link in LINKS if link.kind == "nvlink")
    return fastest, "between two GPUs" if ends == {_DEVICE} else "to or from a GPU"
