"""What an op came to, in numbers: for the terminal, for `--json` and for the manifest."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Any

from suite.units import gb_per_s

if TYPE_CHECKING:
    from collections.abc import Iterable

    from suite.transfer.driver import OpResult
    from suite.transfer.record import RequestRecord

_MOST_FINDINGS = 20
_MOST_REASONS = 5


def summary(result: OpResult, *, emulated: bool) -> dict[str, Any]:
    """Return the op's summary: bytes and descriptors of one request, medians of phases, wires, what is wrong.

    A rate is only given for memory that is not emulated, and for requests that
    moved one at a time: bytes on the wire by the time from a request's start to its
    last rank's completion, the median.
    """
    moved = [record for record in result.records if record.transmission_ns]
    return {
        "op": result.op,
        "good": result.good,
        "requests": dict(Counter(record.status for record in result.records)),
        **_of_one_request(moved),
        "phases_ns": {
            "register": _median(result.register_ns),
            "metadata": _median(result.metadata_ns),
            "queue": _median(record.queue_ns for record in moved if record.pieces),
            "prepare": _median(record.preparation_ns for record in moved),
            "transfer": _median(record.transmission_ns for record in moved),
            "check": _median(result.check_ns),
        },
        "first_transfer_ns": moved[0].transmission_ns if moved else None,
        "same_host_gb_per_s": None if emulated else _rate([record for record in moved if not record.pieces]),
        "checked_bytes": result.checked_bytes,
        "wires": _wires(result),
        **({"files": result.files} if result.files else {}),
        "findings": _findings(result)[:_MOST_FINDINGS],
        "more_findings": max(0, len(_findings(result)) - _MOST_FINDINGS),
        "lost": result.lost,
        "reasons": dict(Counter(_reasons(result)).most_common(_MOST_REASONS)),
        "failure": result.failure.model_dump() if result.failure else None,
    }


def _of_one_request(moved: list[RequestRecord]) -> dict[str, Any]:
    """Return what each request moves; all of them are alike but for the DP groups that they live in."""
    names = ("pairs", "descriptors", "posted_descriptors", "logical_bytes", "padded_bytes", "wire_bytes")
    return {name: getattr(moved[0], name) if moved else None for name in names}


def _median(values: Iterable[int]) -> float | None:
    known = list(values)
    return float(median(known)) if known else None


def _rate(moved: list[RequestRecord]) -> float | None:
    rates = [gb_per_s(record.wire_bytes, record.transmission_ns) for record in moved]
    return float(median(rates)) if rates else None


def _wires(result: OpResult) -> list[dict[str, Any]]:
    """Return each wire with who says so, how many ranks it is the wire of, and why it is unknown if it is."""
    told = Counter((str(one["wire"]), str(one["source"]), str(one["reason"])) for one in result.evidence)
    return [
        {"wire": wire, "source": source, "ranks": ranks, "reason": reason}
        for (wire, source, reason), ranks in told.most_common()
    ]


def _reasons(result: OpResult) -> Iterable[str]:
    """Yield why each request ended that two servers gave up."""
    for record in result.records:
        if record.failure and result.failure is None:
            yield f"{record.status}: {record.failure.reason}"


def _findings(result: OpResult) -> list[str]:
    of_requests = (f"{result.op}, {finding}" for record in result.records for finding in record.findings)
    return [*of_requests, *(f"{result.op}, {finding}" for finding in result.stray)]
