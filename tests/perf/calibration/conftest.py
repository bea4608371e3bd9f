"""A made-up calibration: shapes to tell and to draw, not results of any machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from suite.run.calibration import Band, Calibration, Cost, Known, Part

if TYPE_CHECKING:
    from collections.abc import Callable

MADE = {"created_at": "2026-11-20T05:00:00+00:00", "kvgauge": "0.1.0", "kernel": "6.1.0", "load_average": 0.1}


def known(measured: float = 0.118, **changes: Any) -> Known:
    fields: dict[str, Any] = {
        "what": "raw TCP, 1 Gbit/s",
        "kind": "tool",
        "unit": "GB/s",
        "known": 0.12,
        "measured": measured,
        "low": measured,
        "high": measured,
        "launches": 3,
        "tolerated": 0.02,
    }
    return Known(**(fields | changes))


def part(**changes: Any) -> Part:
    return Part(**(MADE | changes))


@pytest.fixture
def calibrated() -> Callable[..., dict[str, Any]]:
    """Return what a manifest says of a calibration with a link, a latency and a band."""

    def build(width: float = 0.12, **changes: Any) -> dict[str, Any]:
        protocol = known(0.06, kind="protocol", what="nixl:UCX, 1 Gbit/s", tolerated=None)
        latency = known(1.001e6, known=1e6, unit="ns", what="planted latency, 1 ms", tolerated=0.05)
        band = Band(width=width, largest=width, runs=6, seconds=180.0, where="push")
        parts = {
            "link": part(known=[known(), protocol], **changes),
            "latency": part(known=[latency], costs=[Cost(what="slope", unit="ratio", value=1.001)], **changes),
            "band": part(band=band, **changes),
        }
        return Calibration(machine={"cpu": "A processor"}, parts=parts).as_json()  # type: ignore[arg-type]

    return build


@pytest.fixture
def manifest_with() -> Callable[..., dict[str, Any]]:
    """Return the manifest of a run, four days after the calibration was made."""

    def build(calibration: object, **changes: Any) -> dict[str, Any]:
        about = {"kvgauge": "0.1.0", "started_at": "2026-11-24T05:00:00.000+00:00", "machine": {"kernel": "6.1.0"}}
        return about | {"calibration": calibration} | changes

    return build
