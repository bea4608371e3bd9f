"""What Dynamo's mocker takes of a KV transfer, from a measured run, as options of its command line.

The names are those of ai-dynamo/dynamo, `components/src/dynamo/mocker/args.py`:
`--kv-transfer-bandwidth` in GB/s, `--kv-bytes-per-token`, `--kv-cache-dtype`. The
mocker delays a request by tokens x bytes per token / (bandwidth x 1e9): one number for any
length, so that of a whole request is given, fixed costs and all. Its own bytes per token are
2 x heads x dim x layers, which is wrong for MLA; ours are those that were moved.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from perf.choice import choices
from perf.spec import ELEMENT_BYTES, check_spec
from perf.words import carrier, full_name, plain, rate, wires
from suite.errors import BadInput
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from perf.spec import KvSweep
    from perf.summary import PointSummary
    from reports.recorded import Run

_DTYPES = {"bf16": "bfloat16", "fp8": "fp8"}  # ours -> the mocker's; it has no name for fp16


def render(runs: Sequence[Run]) -> tuple[str, tuple[str, ...]]:
    """Return the options, one line for each transfer that decides, with what was chosen and of which run."""
    found = [(run, one) for run in runs for one in _chosen(run)]
    if not found:
        emulated = any(one.emulated for run in runs for one in run.summaries)
        what = "emulated points have no rate" if emulated else "no KV cache was moved with a rate that counts"
        raise BadInput(
            "nothing-to-export", f"nothing to tell the mocker: {what}", "a run of [[kv]] points on real memory"
        )
    lines = ["# kvgauge: for Dynamo's mocker (components/src/dynamo/mocker/args.py); GB/s are 1e9 bytes per second."]
    lines += ["# The largest KV cache of each model and op, by the transport that was fastest: take the line of yours."]
    for run, one in found:
        lines += ["", *_about(run, one), shlex.join(_options(run, one))]
    return "\n".join(lines) + "\n", ()


def _chosen(run: Run) -> Iterator[PointSummary]:
    """Yield the transfer that decides of each model and op, by whoever moved it fastest, on its slowest pair."""
    for choice in choices(run.summaries):
        yield choice.contenders[0].slowest


def _about(run: Run, one: PointSummary) -> Iterator[str]:
    point = one.point
    where = f"{point.source} to {point.destination}" if point.source != point.destination else f"{point.source} memory"
    yield f"# run {plain(run.name, 200)}: {plain(full_name(point), 400)}"
    yield (
        f"# {format_bytes(one.logical_bytes)} a request, {where} of one machine, carried by {plain(wires(one), 200)}: "
        f"{rate(one.throughput)} GB/s by {plain(carrier(point), 200)}, median over launches: {one.launches}"
    )


def _options(run: Run, one: PointSummary) -> list[str]:
    assert one.throughput is not None  # noqa: S101  `choices` takes no other
    told = ["--kv-transfer-bandwidth", f"{one.throughput.median:.4g}"]
    table = _table(run, one)
    if table is None:
        return told
    per_token = table.layout.geometry.bytes_per_token(ELEMENT_BYTES[table.dtype])
    told += ["--kv-bytes-per-token", f"{per_token}"]
    return [*told, "--kv-cache-dtype", _DTYPES[table.dtype]] if table.dtype in _DTYPES else told


def _table(run: Run, one: PointSummary) -> KvSweep | None:
    """Return the table of the run's spec that planned a point; None where the spec does not tell."""
    try:
        spec = check_spec(run.manifest.get("spec"), source=run.name)
    except BadInput:
        return None
    return next(
        (
            kv
            for kv in spec.kv
            if kv.model == one.point.workload and kv.layout.logical_bytes(kv.tokens) == one.logical_bytes
        ),
        None,
    )
