"""`requests.jsonl` of `kvgauge transfer` -> records. The file may come from anywhere, and its writer may have been killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.errors import BadInput
from suite.run.complaint import checked
from suite.run.lines import read_lines
from suite.transfer.record import RequestRecord

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = 1
MOST = 500_000  # lines: kvgauge transfer takes 100,000 requests of each op


def read_requests(path: Path, notes: list[str]) -> tuple[RequestRecord, ...]:
    """Return the records in the order of the file; append to `notes` if the last line was torn.

    A broken line, one of a newer schema, a request that is told twice, or more than
    `MOST` of them is a `BadInput` that names the file and the line.
    """
    found: list[RequestRecord] = []
    seen: set[tuple[str, str, int]] = set()
    for source, line in read_lines(path, notes):
        record = checked(line, source, RequestRecord, schema=SCHEMA)
        if (record.transport, record.op, record.request) in seen:
            message = f"{source}: {record.op} of request {record.request} is told twice"
            raise BadInput("told-twice", message, "each request has one line for each op of a transport")
        if len(found) == MOST:
            raise BadInput("too-many-requests", f"{source}: more than {MOST} lines", "this kvgauge reads no more")
        seen.add((record.transport, record.op, record.request))
        found.append(record)
    return tuple(found)
