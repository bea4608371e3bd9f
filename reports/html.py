"""One HTML file: offline, complete without JavaScript, the same bytes for the same data.

A section is a template in `templates/sections`; every value that a template
prints passes `plain` and is escaped, so no string of a run can become markup.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from perf.rows import grouped
from perf.summary import as_json
from perf.words import plain
from reports.charts import charts
from reports.devices import devices
from reports.figures import draw
from reports.marks import SHAPES, polygon
from reports.script import policy, script
from reports.storage import storage
from suite.units import format_bytes

if TYPE_CHECKING:
    from reports.data import ReportData

SECTIONS = (
    ("verdict", "Verdict"),
    ("tested", "What was tested, and where"),
    ("settings", "Settings"),
    ("conformance", "Conformance"),
    ("devices", "Between devices"),
    ("storage", "Storage beside network"),
    ("throughput", "Throughput"),
    ("latency", "Latency"),
    ("points", "All points"),
    ("problems", "Problems and doubts"),
    ("environment", "Environment"),
    ("reading", "How to read this"),
    ("reproduce", "How to reproduce"),
)
FIGURES_OPEN = 4  # of one section; the rest can be unfolded
FIGURES_MOST = 16  # of one section: many pairs of devices are a matrix, not as many figures
TABLES_OPEN = 2  # transfers of the device matrix, pairs of memories of the storage section


def render(data: ReportData) -> str:
    """Return the page."""
    environment = Environment(
        loader=PackageLoader("reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printed,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["bytes"] = format_bytes
    code = script()
    environment.globals |= {"script": code, "policy": policy(code), "shapes": [polygon(n) for n in range(len(SHAPES))]}
    matrix, places = devices(data.summaries), storage(data.summaries)
    shown = _shown(data) | {"devices": bool(matrix.transfers), "storage": bool(places)}
    return environment.get_template("report.html.j2").render(
        data=data,
        sections=[(name, title) for name, title in SECTIONS if shown.get(name, True)],
        groups=grouped(data.summaries),
        devices=matrix,
        storage=places,
        throughput=charts(data.summaries, "throughput"),
        latency=charts(data.summaries, "latency"),
        timed=_timed(data),
        draw=draw,
        figures_open=FIGURES_OPEN,
        figures_most=FIGURES_MOST,
        tables_open=TABLES_OPEN,
        embedded=embedded(data),
    )


def _shown(data: ReportData) -> dict[str, bool]:
    """Tell which sections have anything to show; a run of one kind does not carry the other's empty sections."""
    measured = bool(data.summaries) or data.conformance is None
    return {
        "settings": measured,
        "throughput": measured and _timed(data),
        "latency": measured and _timed(data),
        "points": measured,
        "problems": bool(data.problems),
        "conformance": data.conformance is not None,
    }


def _timed(data: ReportData) -> bool:
    """Tell whether any point has times that mean something: on the emulator none has."""
    return not data.summaries or not all(one.emulated for one in data.summaries)


def embedded(data: ReportData) -> dict[str, object]:
    """Return what a program may want to read from the page; JSON, without a number that is not true."""
    return {
        "kvgauge": data.version,
        "run": data.run,
        "started_at": data.created,
        "complete": data.complete,
        "verdict": list(data.sentences),
        "points": [as_json(summary) for summary in data.summaries],
        "conformance": asdict(data.conformance) if data.conformance else None,
    }


def _printed(value: object) -> object:
    return value if isinstance(value, Markup) else plain(value)
