"""A file on a device of known rate: what plain reads and writes of it come to.

The kernel keeps the limit over slices of 100 ms (20 ms for some devices) and rounds the time that has passed up
to whole ones: a window may end as much too early. So windows take a whole number of slices and a little
more. What goes through the page cache is not limited: the file is opened with O_DIRECT. Source: Linux, block/blk-throttle.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from perf.calibration.asked import Found, known
from perf.calibration.runner import group, measured, messages
from perf.calibration.server import PLAIN_FILE
from perf.calibration.throttle import throttled
from perf.resources import library_environment
from perf.workload import region_bytes
from suite.errors import Missing
from suite.memory.files import file_region
from suite.units import format_rate

if TYPE_CHECKING:
    from perf.calibration.asked import Asked
    from perf.calibration.runner import Windows
    from perf.calibration.throttle import Throttle

TOLERATED = 0.05
BYTES_PER_S = 100_000_000
_WAYS: dict[str, Literal["read", "write"]] = {"store": "write", "fetch": "read"}
_MESSAGE_BYTES = 1 << 20
_SAMPLES, _LAUNCHES = 96, 3  # 1.0066 s
_QUICK_SAMPLES = 48  # 0.5033 s
_UNLIMITED = 1 << 50
_FASTER = 1.5  # than the limit the device must be, or the limit is not what is measured


def calibrate_volume(asked: Asked) -> Found:
    """Measure stores and fetches at the limit; `Missing` where there is none, or the volume is too slow for it."""
    asked.say(f"a file on a device of {format_rate(BYTES_PER_S / 1e9)}")
    with throttled(asked.scratch) as throttle:
        for op in _WAYS:
            _refuse_slow(op, asked, throttle)
        launches = 1 if asked.quick else _LAUNCHES
        rates = {
            op: [_windows(op, f"{launch}", asked, throttle, limited=True).gb_per_s for launch in range(launches)]
            for op in _WAYS
        }
    return Found(
        [
            known(f"file, {op}", values, BYTES_PER_S / 1e9, unit="GB/s", tolerated=TOLERATED, detail="O_DIRECT")
            for op, values in rates.items()
        ]
    )


def _refuse_slow(op: str, asked: Asked, throttle: Throttle) -> None:
    found = _windows(op, "free", asked, throttle, limited=False).gb_per_s
    if found < _FASTER * BYTES_PER_S / 1e9:
        hint = "choose a folder on a faster volume: --scratch DIR"
        raise Missing("slow-volume", f"{op} reaches {format_rate(found)} on {asked.scratch} without a limit", hint)


class _Limit:
    """Holds the device to its rate during windows, and lets it go for filling and checking: a gate of each window."""

    def __init__(self, throttle: Throttle, way: Literal["read", "write"]) -> None:
        self._throttle, self._way = throttle, way
        self._limited = False

    def wait(self) -> int:
        """Set the limit before a window, lift it after."""
        self._limited = not self._limited
        self._throttle.limit(self._way, BYTES_PER_S if self._limited else _UNLIMITED)
        return 0


def _windows(op: str, label: str, asked: Asked, throttle: Throttle, *, limited: bool) -> Windows:
    point = messages(PLAIN_FILE, _MESSAGE_BYTES, _QUICK_SAMPLES if asked.quick else _SAMPLES, op=op)
    path = asked.scratch / "calibrated"
    region = file_region(path, region_bytes(point), files=1, direct=True)
    prefixes = {"prefill": throttle.enter, "decode": throttle.enter}
    name = f"file-{op}-{label}"
    gate = _Limit(throttle, _WAYS[op]) if limited else None
    try:
        with group([point], library_environment(), asked.logs, name, prefixes=prefixes, file=path) as workers:
            return measured(workers, 0, point, gate)
    finally:
        throttle.limit(_WAYS[op], _UNLIMITED)
        region.close(delete=True)
