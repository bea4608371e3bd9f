"""Moving against computing again: arithmetic that can be checked by hand, and assumptions that are called so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reports.data import report_data
from reports.formats.html import render
from reports.sections.recompute import PROMPTS, SPEEDS, recompute

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.summary import PointSummary

    Timed = Callable[..., PointSummary]

MODEL = "llama-3.1-8b"  # 32 layers x K and V x 8 heads x 128: 128 KiB a token in two bytes
BLOCKS: dict[str, Any] = {"workload": MODEL, "unit": "block", "descriptor_bytes": 4 << 20, "descriptors": 16}


def spec(*tables: object) -> str:
    return json.dumps({"kv": list(tables)})


BF16 = spec({"model": MODEL, "dtype": "bf16", "tokens": 512})


def test_the_bandwidth_that_breaks_even_is_bytes_per_token_by_tokens_per_second(timed: Timed) -> None:
    [found] = recompute([timed(rates=(6.5536,) * 6, **BLOCKS)], BF16)
    assert [speed.tokens_per_s for speed in found.speeds] == list(SPEEDS)
    assert [speed.break_even for speed in found.speeds] == ["0.262 GB/s", "1.31 GB/s", "6.55 GB/s"]
    assert [speed.told for speed in found.speeds] == [
        "moving is 25 times as fast", "moving is 5 times as fast", "moving is 1 times as fast",
    ]  # fmt: skip
    first = found.prompts[0]
    assert (first.tokens, first.size, first.computing) == (1024, "128 MiB", ("512 ms", "102 ms", "20.5 ms"))
    assert first.moving == "20.5 ms"
    assert "128 KiB of KV cache a token" in found.basis
    assert "no line was fitted" in found.basis


def test_a_slow_link_is_called_slow(timed: Timed) -> None:
    [found] = recompute([timed(rates=(0.131072,) * 6, **BLOCKS)], BF16)
    assert found.speeds[0].told == "computing is 2 times as fast"


def test_fewer_bytes_an_element_move_faster(timed: Timed) -> None:
    [half] = recompute([timed(**BLOCKS)], spec({"model": MODEL, "dtype": "fp8"}))
    assert half.prompts[0].size == "64 MiB"


def test_with_a_fitted_line_the_costs_of_descriptors_count(timed: Timed) -> None:
    """1 ms and 100 us a descriptor: what a rate alone would not tell of another length."""
    points = []
    for unit, size, count in (("bytes", 4096, 1), ("bytes", 65536, 1), ("head", 8192, 8192), ("block", 4 << 20, 16)):
        rate = size * count / (1e6 + 1e5 * count + size * count / 10)
        where = {
            "workload": "bytes" if unit == "bytes" else MODEL,
            "unit": unit,
            "descriptor_bytes": size,
            "descriptors": count,
        }
        points.append(timed(rates=(rate,) * 6, **where))
    [found] = recompute(points, BF16)
    assert "by its fitted line" in found.basis
    assert found.prompts[0].moving == "17.6 ms", "1 ms + 32 x 100 us + 128 MiB at 10 GB/s"


@pytest.mark.parametrize(
    "told", ["", "[]", "{}", '{"kv": 3}', '{"kv": [3, {"model": []}, {"model": "llama-3.1-8b", "dtype": 2}]}', spec({"model": MODEL, "dtype": "int3"}),
             spec({"model": MODEL, "dtype": "fp8"}, {"model": MODEL, "dtype": "bf16"}), spec({"model": "other", "dtype": "bf16"})],
)  # fmt: skip
def test_without_a_known_element_type_nothing_is_said(timed: Timed, told: str) -> None:
    assert recompute([timed(**BLOCKS)], told) == ()


@pytest.mark.parametrize(
    "changes", [{"emulated": True}, {"verified": False}, {"workload": "their-model"}, {"transport": "copy"}]
)
def test_emulated_wrong_or_unknown_points_have_no_section(timed: Timed, changes: dict[str, Any]) -> None:
    points = [timed(**(BLOCKS | changes))]
    assert recompute(points, BF16) == ()
    if points[0].emulated:
        assert 'id="recompute"' not in render(report_data({"spec": json.loads(BF16)}, points, []))


@pytest.mark.deep
@pytest.mark.parametrize("rate", [1e-12, 1e12])
def test_odd_rates_are_a_page(timed: Timed, rate: float) -> None:
    render(report_data({"spec": json.loads(BF16)}, [timed(rates=(rate,) * 6, **BLOCKS)], []))


def test_the_page_calls_its_assumptions_so_and_its_machine_one(timed: Timed, manifest: dict[str, object]) -> None:
    page = render(report_data(manifest | {"spec": json.loads(BF16)}, [timed(**BLOCKS)], []))
    section = page[page.index('<section id="recompute"') :]
    section = section[: section.index("</section>")]
    assert "The prefill speeds are assumptions, not measurements" in section
    assert "same-host figures" in section
    assert "Computing at 50,000 tokens/s" in section
    assert len(PROMPTS) + len(SPEEDS) == section.count("<tr>") - 2
