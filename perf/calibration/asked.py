"""What a part of a calibration is told, and what it brings back."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from suite.run.calibration import Known

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Literal

    from suite.run.calibration import Band, Cost


@dataclass(frozen=True)
class Asked:
    """How thoroughly, where, and who is told how it goes; never inside a timed region."""

    logs: Path
    scratch: Path  # a folder on the volume to calibrate
    quick: bool
    runs: int  # of the same code, for the band
    say: Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """What a part found."""

    known: Sequence[Known] = ()
    costs: Sequence[Cost] = ()
    band: Band | None = None


def known(
    what: str,
    values: Sequence[float],
    truth: float,
    *,
    unit: Literal["GB/s", "ns"],
    tolerated: float | None,
    kind: Literal["tool", "protocol"] = "tool",
    detail: str = "",
) -> Known:
    """Return the median of `values`, one a launch, beside what is known to be true."""
    return Known(
        what=what,
        kind=kind,
        unit=unit,
        known=truth,
        measured=median(values),
        low=min(values),
        high=max(values),
        launches=len(values),
        tolerated=tolerated,
        detail=detail[:500],
    )
