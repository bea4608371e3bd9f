"""A file on a device of known rate: what plain reads and writes of it come to.

The kernel's limit is kept over slices of about a tenth of a second, so a window takes several of them. What
goes through the page cache is not limited here: the file is opened with O_DIRECT. The rate
is the kernel's word for what the device may do, not a property of any disk.
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
_SAMPLES, _LAUNCHES = 64, 3
_FASTER = 1.5  # than the limit the device must be, or the limit is not what is measured


def calibrate_volume(asked: Asked) -> Found:
    """Measure stores and fetches at the limit; `Missing` where there is none, or the volume is too slow for it."""
    asked.say(f"a file on a device of {format_rate(BYTES_PER_S / 1e9)}")
    with throttled(asked.scratch) as throttle:
        for op in _WAYS:
            _refuse_slow(op, asked, throttle)
        launches = 1 if asked.quick else _LAUNCHES
        rates = {op: [_limited(op, launch, asked, throttle) for launch in range(launches)] for op in _WAYS}
    return Found(
        [
            known(f"file, {op}", values, BYTES_PER_S / 1e9, unit="GB/s", tolerated=TOLERATED, detail="O_DIRECT")
            for op, values in rates.items()
        ]
    )


def _refuse_slow(op: str, asked: Asked, throttle: Throttle) -> None:
    _unlimited(throttle)
    found = _windows(op, "free", asked, throttle).gb_per_s
    if found < _FASTER * BYTES_PER_S / 1e9:
        hint = "choose a folder on a faster volume: --scratch DIR"
        raise Missing("slow-volume", f"{op} reaches {format_rate(found)} on {asked.scratch} without a limit", hint)


def _limited(op: str, launch: int, asked: Asked, throttle: Throttle) -> float:
    _unlimited(throttle)
    throttle.limit(_WAYS[op], BYTES_PER_S)
    return _windows(op, f"{launch}", asked, throttle).gb_per_s


def _unlimited(throttle: Throttle) -> None:
    for way in _WAYS.values():
        throttle.limit(way, 1 << 50)


def _windows(op: str, label: str, asked: Asked, throttle: Throttle) -> Windows:
    point = messages(PLAIN_FILE, _MESSAGE_BYTES, _SAMPLES, op=op)
    path = asked.scratch / "calibrated"
    region = file_region(path, region_bytes(point), files=1, direct=True)
    try:
        worker = {"prefill": throttle.enter, "decode": throttle.enter}
        name = f"file-{op}-{label}"
        with group([point], library_environment(), asked.logs, name, prefixes=worker, file=path) as workers:
            return measured(workers, 0, point)
    finally:
        region.close(delete=True)
