"""The numbers of the page as files that can be saved: without a network, without scripts.

Each is a link to a `data:` address, so what is saved is in the page itself. A run
that is too large for that is cut, and the page says so.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from markupsafe import Markup

from perf.summary import withheld
from reports.csv_text import csv_lines
from reports.launches import identity
from reports.sections.transfer_json import request_rows
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perf.summary import Interval, PointSummary
    from reports.data import ReportData

MOST_ROWS = 10_000
MOST_BYTES = 600_000  # of one file; base64 makes four bytes of three, and a page should stay below 2 MB
_TYPES = {"csv": "text/csv;charset=utf-8", "json": "application/json"}


@dataclass(frozen=True)
class Download:
    """One file; `href` is empty where it is too large to be in the page."""

    name: str
    about: str
    size: str
    sha256: str  # of the file as it is saved
    href: Markup
    remark: str = ""  # what was left out, and where it is


def downloads(data: ReportData, summary: Mapping[str, object]) -> tuple[Download, ...]:
    """Return the files of a report; `summary` is what the page also embeds."""
    points = [_point_row(one) for one in data.summaries]
    tables = [
        _table("points.csv", "one row for each point, over its launches", points),
        _table("launches.csv", "one row for each point of each launch", data.launches),
        _table("requests.csv", "one row for each request of each op", _requests(data), _count(data)),
    ]
    return (*(table for table in tables if table), _summary(summary))


def _requests(data: ReportData) -> list[dict[str, object]]:
    return list(islice(request_rows(data.transfer), MOST_ROWS)) if data.transfer else []


def _count(data: ReportData) -> int:
    return len(data.transfer.records) if data.transfer else 0


def _point_row(one: PointSummary) -> dict[str, object]:
    """Return a point as one row; times are ns, sizes bytes, rates GB/s. On the emulator it has no rate and no time."""
    one = withheld(one)
    return {
        **identity(one.point),
        **_interval("throughput", "gb_per_s", one.throughput),
        **_interval("latency", "ns", one.latency_ns),
        **{f"latency_{name}_ns": one.percentiles_ns.get(name) for name in ("p50", "p90", "p99", "p99.9")},
        "latency_max_ns": one.max_ns,
        "share_of_copy": one.ceiling_share,
        "samples": one.samples,
        "launches": one.launches,
        "launches_failed": one.failed,
        "invalid": one.invalid,
        "logical_bytes": one.logical_bytes,
        "wire_bytes": one.wire_bytes,
        "posted_descriptors": one.posted_descriptors,
        "working_set_bytes": one.working_set_bytes,
        "allocation": one.allocation,
        "filesystem": one.storage.filesystem if one.storage else None,
        "file_io": one.storage.io if one.storage else None,
        "emulated": one.emulated,
        "wires": "; ".join(one.wires) or "unknown",
        "verified": one.verified,
        "verified_bytes": one.verified_bytes,
        "issues": "; ".join(f"{issue.level} {issue.code}" for issue in one.issues),
    }


def _interval(name: str, unit: str, found: Interval | None) -> dict[str, object]:
    return {
        f"{name}_median_{unit}": found.median if found else None,
        f"{name}_low_{unit}": found.low if found else None,
        f"{name}_high_{unit}": found.high if found else None,
        f"{name}_confidence": found.confidence if found else None,
    }


def _table(name: str, about: str, rows: Sequence[Mapping[str, object]], total: int = 0) -> Download | None:
    """Return rows as a file; `total` is how many there are, where `rows` are only the first."""
    if not rows:
        return None
    lines = csv_lines(rows)
    kept = [next(lines)]
    room = MOST_BYTES - len(kept[0].encode())
    for line in islice(lines, MOST_ROWS):
        room -= len(line.encode())
        if room < 0:
            break
        kept.append(line)
    count = len(kept) - 1
    total = total or len(rows)
    left = f"the first {count} of {total} rows: the run's folder has all of them" if count < total else ""
    return _download(name, f"{about}: {count} rows", "".join(kept), left)


def _summary(summary: Mapping[str, object]) -> Download:
    text = json.dumps(summary, separators=(",", ":"), allow_nan=False) + "\n"
    about = "the verdict and all points, as one JSON object"
    if len(text) > MOST_BYTES:
        remark = "too large to be in the page twice: it is in the element #summary, and kvgauge report --format json writes it"
        return Download("summary.json", about, format_bytes(len(text)), _sha256(text.encode()), Markup(), remark)
    return _download("summary.json", about, text)


def _download(name: str, about: str, text: str, remark: str = "") -> Download:
    content = text.encode()
    kind = _TYPES[name.rpartition(".")[2]]
    href = Markup(f"data:{kind};base64,{base64.b64encode(content).decode()}")  # noqa: S704  letters, digits, +, / and =
    return Download(name, about, format_bytes(len(content)), _sha256(content), href, remark)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
