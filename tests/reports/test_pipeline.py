"""From a line of a record file to every form of a report: whatever the line says, the form is whole and says no more.

Hostile strings and odd numbers go in where a run comes in: as a file.
"""

from __future__ import annotations

import csv
import io
import json
import re
from base64 import b64decode
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reports.formats import html, json_report, junit, markdown
from reports.formats.summary_schema import Summary
from reports.sections.downloads import downloads
from reports.writing import read_report
from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from reports.data import ReportData

    Line = Callable[..., dict[str, Any]]
    Run = Callable[..., Path]

TEMPLATES = Path(html.__file__).parents[1] / "templates"
ATTACKS = ("<canary onclick=x>", "</script><script>alert(1)</script>", "<img src=https://x.example/a onerror=x>", "\"'><b>", "{{ 7*7 }}", "-->",
           "]]></svg><style>*{}", "\u202eabc", "\x00\x1b[31m", "=cmd|' /C calc'!A0", "@octocat", "| a | b |", "`", "a" * 199,
           "![x](https://x.example)", "&lt;", "$x^2$", "%n%s", "\r\n\r\n", "")  # fmt: skip
TEXT = st.sampled_from(ATTACKS)
COUNT = st.sampled_from((0, 1, 2, 1 << 31, (1 << 53) + 1, (1 << 63) - 1)) | st.integers(0, 1 << 40)
TIME = st.sampled_from((1, 2, 10**9, (1 << 63) - 1)) | st.integers(1, 10**9)
ODD = st.sampled_from(
    (0, -1, 1 << 63, 1 << 2000, 1.5, float("nan"), float("inf"), -0.0, 5e-324, 1e308, None, "nan", [], {})
)
FOUND_AS_IT_IS = (Phase.explicit, Phase.reuse, Phase.generate)  # a page takes seconds: shrinking would take minutes
DRAWN = {"svg", "title", "desc", "defs", "g", "path", "use", "clippath", "rect", "text"}
OURS = DRAWN | set(re.findall(r"<([a-z]+\d?)", "".join(path.read_text("utf-8") for path in TEMPLATES.rglob("*.j2"))))
NO_NUMBER = re.compile(r"(?<![\w-])[-+]?(nan|inf|infinity)(?!\w)", re.IGNORECASE)


@st.composite
def changes(draw: st.DrawFn) -> dict[str, Any]:
    """Return changes of a line that leave it one that kvgauge could have written."""
    windows, samples = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    name, words = draw(TEXT), draw(TEXT)
    level = draw(st.sampled_from(("INVALID", "OPEN", "NOTE")))
    return {
        "transport": draw(TEXT | st.just("copy")), "workload": draw(TEXT), "settings": {name: words},
        "descriptor_bytes": draw(COUNT), "descriptors": draw(COUNT), "op": draw(st.sampled_from(("push", "pull"))),
        "durations_ns": draw(st.lists(TIME, min_size=windows * samples, max_size=windows * samples)),
        "delivered_ns": draw(st.lists(TIME, min_size=windows, max_size=windows)), "window_samples": samples,
        "logical_bytes": draw(COUNT), "wire_bytes": draw(COUNT), "posted_descriptors": draw(COUNT),
        "working_set_bytes": draw(COUNT), "verified_bytes": draw(COUNT), "allocation": words,
        "verified": draw(st.booleans()), "emulated": draw(st.booleans()),
        "load_average": draw(st.sampled_from((0, 5e-324, 1e308))), "started_at": name, "setup": name,
        "phases_ns": {name: draw(TIME)}, "issues": [{"level": level, "code": name, "message": words}],
        "evidence": {"wire": name, "source": words, "detail": words, "reach": name},
        "status": draw(st.sampled_from(("measured", "failed"))),
    }  # fmt: skip


class Parts(HTMLParser):
    """The markup of a page, apart from its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: set[tuple[str, str]] = set()
        self.loads: list[str] = []
        self.text = ""
        self.script = ""
        self._in = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in = "program" if tag == "script" and ("type", "application/json") not in attrs else tag
        self.tags[tag] += 1
        self.attributes |= {(tag, name) for name, _ in attrs}
        self.loads += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href", "action"}]

    def handle_endtag(self, tag: str) -> None:
        if tag in {self._in, "script"}:
            self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in == "script":
            self.script += data
        elif self._in not in {"style", "program"}:
            self.text += data


def check_page(data: ReportData, known: Parts) -> None:
    parts = Parts(html.render(data))
    assert parts.tags.keys() <= OURS
    assert (parts.tags["script"], parts.tags["style"]) == (known.tags["script"], known.tags["style"])
    assert not [name for _, name in parts.attributes if name.startswith("on")]
    assert not [
        where for where in parts.loads if not where.startswith(("#", "data:text/csv;", "data:application/json;"))
    ]
    json.loads(parts.script, parse_constant=pytest.fail)
    assert not NO_NUMBER.search(parts.text)


def check_others(data: ReportData) -> None:
    said = markdown.render(data)
    kinds = {
        kind.type
        for token in MarkdownIt("commonmark").enable("table").parse(said)
        for kind in (token, *(token.children or ()))
    }
    assert not kinds & {"html_block", "html_inline", "image", "link_open", "code_block"}
    assert not NO_NUMBER.search(said)
    root = ET.fromstring(junit.render(data).encode())  # noqa: S314  our own output
    assert len(root.findall(".//testcase")) == len(data.summaries)
    assert not NO_NUMBER.search("".join(root.itertext()))
    text = json_report.render(data)
    json.loads(text, parse_constant=pytest.fail)
    Summary.model_validate_json(text, strict=True)
    for file in downloads(data, json_report.summary(data)):
        if file.name.endswith(".csv"):
            check_table(data, file.name)


def check_table(data: ReportData, name: str) -> None:
    [file] = [one for one in downloads(data, json_report.summary(data)) if one.name == name]
    rows = list(csv.reader(io.StringIO(b64decode(file.href.partition("base64,")[2]).decode(), newline="")))
    assert len({len(row) for row in rows}) == 1
    assert len(rows) - 1 == len(data.summaries if name == "points.csv" else data.launches)
    assert not [
        cell for row in rows for cell in row if cell.startswith(("=", "+", "@", "\t", "\r")) or NO_NUMBER.search(cell)
    ]


@pytest.fixture
def known(line: Line, run_folder: Run) -> Parts:
    """Return the parts of a page of harmless points."""
    issue = {"level": "INVALID", "code": "a", "message": "b"}
    lines = [
        line(n, settings={"io": "x"}, **more)
        for n in range(2)
        for more in ({}, {"issues": [issue]}, {"transport": "copy"})
    ]
    return Parts(html.render(read_report(run_folder(lines, "known"))))


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(lines=st.lists(changes(), min_size=1, max_size=3))
def test_whatever_a_record_says_each_form_is_whole(lines: list[dict[str, Any]], line: Line, run_folder: Run) -> None:
    check_others(read_report(run_folder(line(n % 2, **changed) for n, changed in enumerate(lines))))


@pytest.mark.deep
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), phases=FOUND_AS_IT_IS)
@given(lines=st.lists(changes(), min_size=1, max_size=3))
def test_whatever_a_record_says_the_page_is_whole(
    lines: list[dict[str, Any]], line: Line, run_folder: Run, known: Parts
) -> None:
    check_page(read_report(run_folder(line(n % 2, **changed) for n, changed in enumerate(lines))), known)


FIELDS = ("launch", "position", "durations_ns", "delivered_ns", "window_samples", "logical_bytes", "wire_bytes", "emulated",
          "posted_descriptors", "working_set_bytes", "verified_bytes", "load_average", "descriptor_bytes", "descriptors",
          "flows", "phases_ns", "schema", "verified")  # fmt: skip


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(field=st.sampled_from(FIELDS), odd=ODD, inner=st.booleans())
def test_an_odd_number_is_refused_or_harmless(
    field: str, odd: Any, *, inner: bool, line: Line, run_folder: Run
) -> None:
    changed = line()
    table = changed if field in changed else changed["point"]
    value = table[field]
    table[field] = (
        [odd, *value[1:]]
        if inner and isinstance(value, list)
        else {"x": odd}
        if inner and isinstance(value, dict)
        else odd
    )
    try:
        data = read_report(run_folder([changed, line(1)]))
    except BadInput:
        assume(False)  # noqa: FBT003  how hypothesis is told
    check_others(data)
