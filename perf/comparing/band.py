"""How far apart runs of the same code are on one machine: no smaller difference is claimed of runs apart.

The default was measured: six times nine launches of the same code, about a minute
apart on a quiet machine of two cores, had medians shifted by 6 to 21 %, while
interleaved halves of the same launches agreed within 3.1 % (docs/side-by-side.md).
Another machine has another band: `kvgauge calibrate` measures it, and both runs carry it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf.calibration.told import told

if TYPE_CHECKING:
    from collections.abc import Mapping

BAND = 0.21
SOURCE = "the largest shift that was measured between runs of the same code, on another machine than yours perhaps"
REMEDY = "kvgauge calibrate measures that of this machine"
FLOOR = 0.06  # the least of those shifts: what is measured within minutes understates what days do


def beyond(ratio: float, band: float) -> bool:
    """Return whether a ratio is further from 1 than `band`, alike for both directions."""
    return ratio > 1 + band or ratio < 1 / (1 + band)


def band_of(*manifests: Mapping[str, object]) -> tuple[float, str]:
    """Return the band for runs with these manifests, and where it is from: measured if all of them carry one.

    Of several the widest counts. One that is old or of other software is allowed for, but never below the default.
    """
    found = [told(manifest) for manifest in manifests]
    parts = [one.calibration.parts.get("band") if one and one.calibration else None for one in found]
    bands = [part.band for part in parts if part and part.band]
    if len(bands) < len(manifests) or not bands:
        return BAND, f"{SOURCE}; {REMEDY}"
    widest = max(bands, key=lambda band: band.width)
    doubts = sorted({doubt for one in found if one for doubt in one.doubts("band")})
    measured = (
        f"measured by kvgauge calibrate on this machine: {widest.runs} runs within {widest.seconds / 60:.2g} minutes"
    )
    if not doubts:
        return widest.width, measured
    return max(widest.width, BAND), f"{measured}, but {'; '.join(doubts)}; so not below the default"
