"""The parts of a calibration: which there are, and one of them from start to end."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from perf.calibration.between_runs import calibrate_band
from perf.calibration.latency import calibrate_latency
from perf.calibration.links import calibrate_links
from perf.calibration.overheads import calibrate_overheads
from perf.calibration.volume import calibrate_volume
from suite.errors import KvgaugeError
from suite.run import machine
from suite.run.calibration import Part
from suite.run.manifest import now
from suite.world.supervisor import WorkerFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from perf.calibration.asked import Asked, Found
    from suite.run.calibration import PartName

PARTS: Mapping[PartName, Callable[[Asked], Found]] = {
    "latency": calibrate_latency,
    "overheads": calibrate_overheads,
    "link": calibrate_links,
    "file": calibrate_volume,
    "band": calibrate_band,
}


@dataclass(frozen=True)
class Skipped:
    """A part that could not be calibrated here: why, and how to mend it."""

    part: PartName
    why: str
    remedy: str


def calibrated(name: PartName, asked: Asked) -> Part | Skipped:
    """Return what a part found; whatever this machine lacks, or breaks, becomes a reason."""
    try:
        found = PARTS[name](asked)
    except WorkerFailed as error:
        return Skipped(name, f"workers failed: {error}", error.detail[:1_000] or "kvgauge sweep says more")
    except KvgaugeError as error:
        return Skipped(name, error.message, error.hint)
    return Part(
        created_at=now(),
        kvgauge=version("kvgauge"),
        kernel=os.uname().release,
        load_average=machine.load_average(),
        quick=asked.quick,
        known=list(found.known),
        costs=list(found.costs),
        band=found.band,
    )
