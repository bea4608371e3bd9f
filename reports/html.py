"""One HTML file: offline, without JavaScript, the same bytes for the same data.

A section is a template in `templates/sections`; every value that a template
prints passes `plain` and is escaped, so no string of a run can become markup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from perf.rows import grouped
from perf.words import plain
from reports import evidence
from reports.charts import charts
from reports.devices import devices
from reports.downloads import downloads
from reports.figures import draw
from reports.json_report import summary
from reports.storage import storage
from suite.units import format_bytes

if TYPE_CHECKING:
    from reports.data import ReportData

SECTIONS = (
    ("verdict", "Verdict"),
    ("tested", "What was tested, and where"),
    ("settings", "Settings"),
    ("conformance", "Conformance"),
    ("evidence", "Which wire, and says who"),
    ("ceilings", "How near to the ceilings"),
    ("witness", "Beside ucx_perftest"),
    ("devices", "Between devices"),
    ("storage", "Storage beside network"),
    ("throughput", "Throughput"),
    ("latency", "Latency"),
    ("points", "All points"),
    ("problems", "Problems and doubts"),
    ("environment", "Environment"),
    ("reading", "How to read this"),
    ("reproduce", "How to reproduce"),
    ("downloads", "Data"),
)
FIGURES_OPEN = 4  # of one section; the rest can be unfolded
FIGURES_MOST = 16  # of one section: many pairs of devices are a matrix, not as many figures
TABLES_OPEN = 2  # transfers of the device matrix, pairs of memories of the storage section


def page_environment() -> Environment:
    """Return the templates, with the rules that hold for every page: all that is printed is plain, and escaped."""
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
    return environment


def render(data: ReportData) -> str:
    """Return the page."""
    embedded = summary(data)
    matrix, places = devices(data.summaries), storage(data.summaries)
    shown = _shown(data) | {"devices": bool(matrix.transfers), "storage": bool(places)}
    page = page_environment().get_template("report.html.j2")
    return page.render(
        data=data,
        sections=[(name, title) for name, title in SECTIONS if shown.get(name, True)],
        groups=grouped(data.summaries),
        carried=evidence.carried(data.summaries),
        contradictions=evidence.contradictions(data.summaries),
        error_handling=evidence.error_handling(data.summaries),
        ceilings=evidence.ceilings(data.limits),
        near=evidence.near(data.summaries),
        witnesses=evidence.witnesses(data.testimonies),
        devices=matrix,
        storage=places,
        throughput=charts(data.summaries, "throughput"),
        latency=charts(data.summaries, "latency"),
        timed=_timed(data),
        draw=draw,
        figures_open=FIGURES_OPEN,
        figures_most=FIGURES_MOST,
        tables_open=TABLES_OPEN,
        embedded=embedded,
        downloads=downloads(data, embedded),
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
        "evidence": any(one.evidence for one in data.summaries),
        "ceilings": bool(data.limits),
        "witness": bool(data.testimonies),
        "conformance": data.conformance is not None,
    }


def _timed(data: ReportData) -> bool:
    """Tell whether any point has times that mean something: on the emulator none has."""
    return not data.summaries or not all(one.emulated for one in data.summaries)


def _printed(value: object) -> object:
    return value if isinstance(value, Markup) else plain(value)
