"""The numbers of a report for programs: one JSON object, also embedded in the page as `#summary`.

`reports.formats.summary_schema` is its schema, `docs/summary.schema.json` the same as a JSON
schema. Strict JSON: what is no number is null, and every string can be encoded.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

from perf.ab.forms import as_json as ab_json
from perf.summary import as_json
from perf.testimony import as_json as witness_json
from reports.sections.advice import advice_of
from reports.sections.answers import answers, embedded
from reports.sections.beside import as_json as outside_json
from reports.sections.transfer_json import as_json as transfer_json

if TYPE_CHECKING:
    from reports.data import ReportData

SCHEMA: Literal[1] = 1


def summary(data: ReportData) -> dict[str, object]:
    """Return what a program may want to read from a report, without a number that is not true."""
    found = {
        "schema": SCHEMA,
        "kvgauge": data.version,
        "run": data.run,
        "started_at": data.created,
        "complete": data.complete,
        "verdict": list(data.sentences),
        "answers": embedded(answers(data, advice_of(data))),
        "points": [as_json(one) for one in data.summaries],
        "ceilings": [asdict(one) for one in data.limits],
        "witness": [witness_json(one) for one in data.testimonies],
        "conformance": asdict(data.conformance) if data.conformance else None,
        "transfer": transfer_json(data.transfer) if data.transfer else None,
        "time": data.time.as_json() if data.time else None,
        "beside": outside_json(data.outside),
        "ab": ab_json(data.against) if data.against else None,
    }
    return {name: _strict(value) for name, value in found.items()}


def render(data: ReportData) -> str:
    """Return the summary as JSON text."""
    return json.dumps(summary(data), indent=2, allow_nan=False) + "\n"


def _strict(value: object) -> object:
    """Return `value` as RFC 8259 has it: no NaN, no infinity, no half of a surrogate pair."""
    if isinstance(value, dict):
        return {_sound(str(key)): _strict(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return _sound(value) if isinstance(value, str) else value


def _sound(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
