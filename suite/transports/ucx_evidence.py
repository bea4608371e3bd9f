"""Which wire carried tag messages, from the tables that UCX writes when an endpoint's context is destroyed.

Python cannot name a context: all are `ucp_context_0` and on. So what the log
gains while an endpoint closes is that endpoint's.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from suite.transports import evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from suite.transports.evidence import Table, WireEvidence


class UcxLog:
    """UCX's log file of this process, from now on."""

    def __init__(self) -> None:
        ctypes.CDLL(None).fflush(None)  # UCX writes through C's stdio; what others still had in it is not ours
        name = os.environ.get("UCX_LOG_FILE")
        self._path = Path(name) if name else None
        self._start = self._path.stat().st_size if self._path is not None and self._path.exists() else 0

    def gained(self) -> str:
        """Return what was written since."""
        if self._path is None or not self._path.exists():
            return ""
        with self._path.open("rb") as log:
            log.seek(self._start)
            return log.read(evidence.MAX_TEXT).decode("utf-8", errors="replace")


def sent(text: str, sizes: tuple[int, int], *, small: int = 0, small_bytes: int = 0) -> WireEvidence:
    """Return what carried messages of `sizes` (least, most bytes) from the sender.

    A row of tag messages is what UCX chose when it started one. In a rendezvous
    the other side may choose otherwise, and lets the sender write: then the
    sender has counted the data too, and that is what counts. Of messages of our
    own making there were `small`, of `small_bytes`: they are taken off the count.
    """
    tables = evidence.parse_tables(text)
    data = _of_one_context(tables, "rendezvous_send", None)
    if data.wire != evidence.UNKNOWN:
        return data
    found, own = (_of_one_context(tables, "tag_send", one) for one in (sizes, (small_bytes, small_bytes)))
    together = found.wire != evidence.UNKNOWN and found.detail == own.detail
    return replace(found, count=found.count - small) if together else found


def received(text: str) -> WireEvidence:
    """Return what the receiver of a rendezvous fetched the data by; eager messages are counted by the sender only."""
    return _of_one_context(evidence.parse_tables(text), "rendezvous_fetch", None)


def _of_one_context(
    tables: Sequence[Table], operation: evidence.Operation, sizes: tuple[int, int] | None
) -> WireEvidence:
    contexts = {table.context for table in tables}
    if len(contexts) != 1:
        return evidence.unknown(f"UCX printed tables of {len(contexts)} contexts while one endpoint closed")
    return evidence.wire_used(tables, context=contexts.pop(), operation=operation, sizes=sizes)
