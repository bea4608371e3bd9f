"""Bytes, GB/s and nanoseconds: printed and parsed here and nowhere else.

Sizes are powers of two (KiB, MiB), because pages and blocks are; rates are
GB/s = 1e9 bytes per second, as links are sold.
"""

from __future__ import annotations

import re

from suite.errors import BadInput

_SIZE = re.compile(r"(?P<number>\d{1,15})\s*(?P<unit>B|KiB|MiB|GiB)?", re.ASCII)
_FACTORS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_DURATION = re.compile(r"(?P<number>\d{1,6}(\.\d{1,3})?)\s*(?P<unit>s|min|m|h)?", re.ASCII)
_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_NS = (("s", 1e9), ("ms", 1e6), ("us", 1e3), ("ns", 1.0))


def parse_bytes(text: str) -> int:
    """Return the bytes in e.g. `4096`, `64 KiB` or `256MiB`."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise BadInput(
            "bad-size", f"{text!r} is not a size", "write bytes, or a whole number of KiB, MiB or GiB: 64KiB"
        )
    return int(match["number"]) * _FACTORS[match["unit"] or "B"]


def format_bytes(nbytes: float) -> str:
    """Return `nbytes` with the largest unit that keeps it at or above one."""
    for unit, factor in reversed(_FACTORS.items()):
        if nbytes >= factor:
            return f"{_rounded(nbytes / factor)} {unit}"
    return f"{nbytes:g} B"


def parse_seconds(text: str) -> float:
    """Return the seconds in e.g. `90`, `90s`, `10m` or `1.5h`; more than none."""
    match = _DURATION.fullmatch(text.strip())
    seconds = float(match["number"]) * _SECONDS[match["unit"] or "s"] if match else 0.0
    if not seconds:
        raise BadInput("bad-duration", f"{text!r} is not a duration", "write seconds, minutes or hours: 90s, 10m, 1.5h")
    return seconds


def format_ns(duration_ns: float, digits: int = 3) -> str:
    """Return a duration in the unit a reader would choose."""
    for unit, factor in _NS:
        if duration_ns >= factor:
            return f"{_rounded(duration_ns / factor, digits)} {unit}"
    return f"{_rounded(duration_ns, digits)} ns"


def gb_per_s(nbytes: float, duration_ns: float) -> float:
    """Return the rate in GB/s; bytes per nanosecond are the same number."""
    return nbytes / duration_ns


def format_rate(rate_gb_per_s: float, digits: int = 3) -> str:
    """Return a rate in GB/s."""
    return f"{_rounded(rate_gb_per_s, digits)} GB/s"


def _rounded(value: float, digits: int = 3) -> str:
    if value >= 10 ** (digits - 1) or value == int(value):  # as many digits are already there
        return f"{value:.0f}"
    return f"{value:.{digits}g}"
