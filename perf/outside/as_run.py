"""Files of another tool as one side of a comparison: each row is one launch, because each was a process group of its own.

One file is one figure without spread, and the judge has no verdict on it; files of
repeated runs are launches. What the tool does not tell stays untold.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from perf.comparing.likeness import UNTOLD
from perf.comparing.runs import Compared
from perf.outside.formats import read_file
from perf.outside.likeness import asked
from perf.record import Point
from perf.statistics import median_interval
from perf.summary import PointSummary, Repetition
from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from perf.outside.likeness import Asked
    from perf.outside.result import OutsideResult


def load_files(paths: Sequence[Path]) -> Compared:
    """Return files of one tool as a run; raises `BadInput` for what is none, for two tools, and for one file twice."""
    if len({path.resolve() for path in paths}) < len(paths):
        raise BadInput("same-file", "a file is named twice", "each file is a launch: name each once")
    results = [result for path in paths for result in read_file(path)]
    if len(tools := sorted({one.tool for one in results})) > 1:
        raise BadInput("two-tools", f"files of {' and '.join(tools)}", "give files of one tool")
    groups: defaultdict[tuple[str, Asked], list[OutsideResult]] = defaultdict(list)
    left: Counter[str] = Counter()
    for one in results:
        request = asked(one)
        if isinstance(request, str):
            left[request] += 1
        else:
            groups[one.transport or tools[0], request].append(one)
    notes = [f"{count} of {len(results)} rows are left out: {why}" for why, count in sorted(left.items())]
    return Compared(
        name=paths[0].name if len(paths) == 1 else f"{len(paths)} files of {tools[0]}",
        manifest={},
        summaries=tuple(_summary(transport, request, rows) for (transport, request), rows in groups.items()),
        notes=(*notes, *dict.fromkeys(note for rows in groups.values() for one in rows for note in one.notes)),
    )


def _summary(transport: str, request: Asked, rows: Sequence[OutsideResult]) -> PointSummary:
    source, destination = (f"{kind}:0" if kind == "cuda" else kind for kind in (request.source, request.destination))
    rates = [one.gb_per_s for one in rows]
    return PointSummary(
        point=Point(
            transport=transport[:200],
            op=request.op,
            source=source,
            destination=destination,
            workload="bytes",
            pattern="hot",
            unit="bytes",
            descriptor_bytes=request.block_bytes,
            descriptors=request.batch,
        ),
        throughput=median_interval(rates),
        latency_ns=None,
        percentiles_ns={},
        max_ns=None,
        samples=0,
        launches=len(rows),
        failed=0,
        wires=(),
        verified=False,
        verified_bytes=0,
        logical_bytes=request.nbytes,
        wire_bytes=request.nbytes,
        posted_descriptors=request.batch,
        working_set_bytes=request.nbytes,
        allocation=UNTOLD,
        emulated=False,
        ceiling_share=None,
        issues=(),
        repetitions=tuple(_launch(number, rate) for number, rate in enumerate(rates)),
    )


def _launch(number: int, rate: float) -> Repetition:
    return Repetition(
        launch=number,
        throughput=rate,
        latency_ns=0.0,
        first_ns=0.0,
        max_ns=0,
        samples=0,
        percentiles_ns={},
        quantiles_ns=(),
        window_samples=0,
        posts=0,
        phases_ns={},
    )
