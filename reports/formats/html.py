"""One HTML file: offline, complete without JavaScript, the same bytes for the same data.

A section is a template in `templates/sections`; every value that a template
prints passes `plain` and is escaped, so no string of a run can become markup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from perf.rows import grouped
from perf.words import plain
from reports.figures.against import draw_against
from reports.figures.curves import draw_curves
from reports.figures.errors import draw_errors
from reports.figures.lines import draw
from reports.figures.marks import SHAPES, polygon
from reports.figures.ratios import draw_ratios
from reports.figures.stacks import draw_bars, draw_stack
from reports.figures.transfers import PARTS, draw_took, draw_weights, total
from reports.formats.json_report import summary
from reports.formats.script import policy, script
from reports.sections import evidence
from reports.sections.advice import advice_of
from reports.sections.against import section as against_section
from reports.sections.answers import answers
from reports.sections.beside import besides
from reports.sections.calibration import calibration
from reports.sections.charts import charts
from reports.sections.costs import costs
from reports.sections.devices import devices
from reports.sections.downloads import downloads
from reports.sections.fits import described
from reports.sections.latencies import SHARES, latencies
from reports.sections.ratios import ratios
from reports.sections.recompute import recompute
from reports.sections.storage import storage
from reports.sections.time import times
from reports.sections.validity import validity
from suite.units import format_bytes, format_ns

if TYPE_CHECKING:
    from reports.data import ReportData

SECTIONS = (
    ("verdict", "Verdict"),
    ("ab", "A against B"),
    ("tested", "What was tested, and where"),
    ("transfer", "Requests, phases, bytes on the wire"),
    ("settings", "Settings"),
    ("conformance", "Conformance"),
    ("evidence", "Which wire, and says who"),
    ("ceilings", "How near to the ceilings"),
    ("witness", "Beside ucx_perftest"),
    ("beside", "Beside other tools"),
    ("devices", "Between devices"),
    ("storage", "Storage beside network"),
    ("throughput", "Throughput"),
    ("latency", "Latency"),
    ("ratio", "Against the ceiling, with its noise"),
    ("costs", "What a transfer costs besides its bytes"),
    ("fit", "Fixed cost, cost per descriptor, bandwidth"),
    ("recompute", "Moving against recomputing"),
    ("calibration", "Calibration: how wrong the tool is here"),
    ("points", "All points"),
    ("problems", "Problems and doubts"),
    ("validity", "What was checked of the numbers"),
    ("set", "What to set"),
    ("time", "Where the time went"),
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
    code = script()
    environment.globals |= {"script": code, "policy": policy(code), "shapes": [polygon(n) for n in range(len(SHAPES))]}
    return environment


def render(data: ReportData) -> str:
    """Return the page."""
    embedded = summary(data)
    matrix, places = devices(data.summaries), storage(data.summaries)
    advised = advice_of(data)
    shown = _shown(data) | {"devices": bool(matrix.transfers), "storage": bool(places), "set": advised is not None}
    phases, lines = costs(data.summaries), described(data.summaries)
    shown |= {"costs": bool(phases), "fit": bool(lines.lines or lines.refused)}
    against, again = ratios(data.summaries), recompute(data.summaries, data.spec)
    shown |= {"ratio": bool(against), "recompute": bool(again)}
    played = not _timed(data) or bool(data.transfer and data.transfer.emulation)  # nothing of it was timed
    calibrated = None if played else calibration(data.calibration)
    shown |= {"calibration": calibrated is not None}
    compared = against_section(data.against)
    return (
        page_environment()
        .get_template("report.html.j2")
        .render(
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
            advised=advised,
            answers=answers(data, advised),
            throughput=charts(data.summaries, "throughput"),
            latency=charts(data.summaries, "latency"),
            timed=_timed(data),
            latencies=latencies(data.summaries),
            shares=SHARES,
            ratios=against,
            against=compared,
            draw_against=draw_against,
            costs=phases,
            fits=lines,
            recompute=again,
            times=times(data.time),
            besides=besides(data.summaries, data.outside),
            validity=validity(data.summaries),
            calibration=calibrated,
            draw=draw,
            draw_bars=draw_bars,
            format_ns=format_ns,
            draw_curves=draw_curves,
            draw_errors=draw_errors,
            draw_ratios=draw_ratios,
            draw_stack=draw_stack,
            draw_took=draw_took,
            draw_weights=draw_weights,
            weight_parts=PARTS,
            total=total,
            figures_open=FIGURES_OPEN,
            figures_most=FIGURES_MOST,
            tables_open=TABLES_OPEN,
            embedded=embedded,
            downloads=downloads(data, embedded),
        )
    )


def _shown(data: ReportData) -> dict[str, bool]:
    """Tell which sections have anything to show; a run of one kind does not carry the other's empty sections."""
    measured = data.swept and (bool(data.summaries) or data.against is None)
    return {
        "transfer": data.transfer is not None,
        "ab": data.against is not None and bool(data.against.rows),
        "settings": bool(data.transports or data.why),
        "throughput": measured and _timed(data),
        "latency": measured and _timed(data),
        "points": measured,
        "problems": bool(data.problems),
        "validity": bool(data.summaries),
        "evidence": any(one.evidence for one in data.summaries),
        "ceilings": bool(data.limits),
        "witness": bool(data.testimonies),
        "conformance": data.conformance is not None,
        "time": data.time is not None,
        "beside": bool(data.outside),
    }


def _timed(data: ReportData) -> bool:
    """Tell whether any point has times that mean something: on the emulator none has."""
    return not data.summaries or not all(one.emulated for one in data.summaries)


def _printed(value: object) -> object:
    return value if isinstance(value, Markup) else plain(value)
