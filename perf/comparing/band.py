"""How far apart runs of the same code are on one machine: no smaller difference is claimed of runs apart.

The default was measured: six times nine launches of the same code, about a minute
apart on a quiet machine of two cores, had medians shifted by 6 to 21 %, while
interleaved halves of the same launches agreed within 3.1 % (docs/side-by-side.md).
Another machine has another band.
"""

from __future__ import annotations

BAND = 0.21
SOURCE = "the largest shift that was measured between runs of the same code, on another machine than yours perhaps"


def beyond(ratio: float, band: float) -> bool:
    """Return whether a ratio is further from 1 than `band`, alike for both directions."""
    return ratio > 1 + band or ratio < 1 / (1 + band)
