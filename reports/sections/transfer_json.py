"""A run of transfers for programs: what the JSON form has of it, and a row for each request. On emulated GPUs without a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf.percentiles import Range
    from reports.sections.transfer import Transfer
    from reports.sections.transfer_ops import Op, Phase


def as_json(found: Transfer) -> dict[str, Any]:
    """Return the numbers of the section; sizes are bytes, times ns."""
    return {
        "verdict": list(found.sentences),
        "ops": [_op(op) for op in found.ops],
        "troubles": [
            {"level": one.level, "sentence": one.sentence, "requests": list(one.requests)} for one in found.troubles
        ],
        "more_troubles": found.more_troubles,
    }


def request_rows(found: Transfer) -> Iterator[dict[str, object]]:
    """Yield each request as one row: the fields of its record, what was found wrong in one cell."""
    withheld = {op.name for op in found.ops if op.emulated}
    for record in found.records:
        row = record.model_dump(mode="json", exclude={"schema_", "findings", "failure"})
        if record.op in withheld or record.emulated:
            row |= {name: None for name in row if name.endswith("_ns")}
        failure = record.failure
        told = [f"{failure.role}, {failure.phase}: {failure.reason}"] if failure else []
        yield row | {"remark": "; ".join([*record.findings, *told])}


def _op(op: Op) -> dict[str, Any]:
    return {
        "op": op.name,
        "asked": op.asked,
        "requests": dict(op.statuses),
        "good": op.good,
        "moved": op.moved,
        "of_one_request": {name: {"least": least, "most": most} for name, (least, most) in op.amounts.items()},
        "checked_bytes": op.checked_bytes,
        "emulated": op.emulated,
        "phases_ns": {phase.name: _phase(phase) for phase in op.phases},
        "first_transfer_ns": op.first_ns,
        "wires": [
            {"wire": one.wire, "source": one.source, "reason": one.reason, "ranks": one.ranks} for one in op.wires
        ],
    }


def _phase(phase: Phase) -> dict[str, Any]:
    took: Range = phase.took_ns
    return {
        "scope": phase.scope,
        "median": took.median,
        "least": took.least,
        "most": took.most,
        "samples": took.launches,
    }
