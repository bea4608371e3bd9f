"""A run of 100,000 samples makes a file under 2 MB, in under 10 s on the machine this was written on; here, five times that."""

from __future__ import annotations

import random
import time
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from perf.record import PointRecord
from reports.writing import write_report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.deep

LAUNCHES, WINDOWS, SAMPLES = 7, 10, 20
PIECES = [("head", 8 << 10), ("page", 64 << 10), ("layer", 128 << 10), ("block", 4 << 20)]
CACHE = 64 << 20
MOST_BYTES, MOST_S = 2_000_000, 10


def shapes() -> Iterator[dict[str, Any]]:
    for pattern, (unit, size) in product(("scattered", "contiguous"), PIECES):
        yield {"unit": unit, "pattern": pattern, "descriptor_bytes": size, "descriptors": CACHE // size}
    for size in (8, 512, 4 << 10, 64 << 10):
        yield {
            "unit": "bytes",
            "workload": "bytes",
            "pattern": "contiguous",
            "descriptor_bytes": size,
            "descriptors": 1,
        }


@pytest.fixture
def large(line: Callable[..., dict[str, Any]], run_folder: Callable[..., Path]) -> Path:
    """Return a run of three transports, push and pull, twelve shapes, seven launches: 100,800 samples."""
    chance = random.Random(1)  # noqa: S311  made-up durations

    def lines() -> Iterator[dict[str, Any]]:
        for launch, name, op, shape in product(
            range(LAUNCHES), ("nixl:UCX", "ucx", "copy"), ("push", "pull"), shapes()
        ):
            nbytes = shape["descriptor_bytes"] * shape["descriptors"]
            usual = nbytes / 5 + 300 * shape["descriptors"] + 2_000
            durations = [int(usual * chance.lognormvariate(0, 0.1)) for _ in range(WINDOWS * SAMPLES)]
            windows = [sum(durations[n : n + SAMPLES]) + 1_500 for n in range(0, len(durations), SAMPLES)]
            sizes = dict.fromkeys(("logical_bytes", "padded_bytes", "wire_bytes"), nbytes)
            yield line(
                launch, transport=name, op=op, durations_ns=durations, delivered_ns=windows, window_samples=SAMPLES,
                posted_descriptors=shape["descriptors"], **shape, **sizes,
            )  # fmt: skip

    made = list(lines())
    for one in made:
        PointRecord.model_validate(one, strict=True)
    assert sum(len(one["durations_ns"]) for one in made) == 100_800
    return run_folder(made)


def test_a_hundred_thousand_samples_are_a_small_file_soon(large: Path) -> None:
    start = time.monotonic()
    path = write_report(large)
    took = time.monotonic() - start
    assert path.stat().st_size < MOST_BYTES
    assert took < 5 * MOST_S
    assert "launches.csv" in path.read_text("utf-8")
