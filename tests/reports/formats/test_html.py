from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perf.record import Issue
from perf.summary import Interval
from reports.data import ONE_MACHINE, report_data
from reports.formats.html import SECTIONS, render
from reports.formats.script import policy, script

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.summary import PointSummary

SAVED = re.compile(r"data:(text/csv;charset=utf-8|application/json);base64,[A-Za-z0-9+/]+=*")
VOID = {"meta", "link", "br", "hr", "img", "input"}
ATTACKS = ("</script><script>alert(1)</script>", "<img src=https://x.example/a onerror=x>", "\"'><b>", "{{ 7*7 }}",
           "]]></svg><style>*{}", "\u202eabc", "\x00\x1b[31m", "\ud800", "a" * 50_000, "<!--", "&lt;", "$x^2$")  # fmt: skip
HOSTILE = st.sampled_from(ATTACKS) | st.text(max_size=40)


class Page(HTMLParser):
    """The page as a tree that must be balanced; what a test may ask of it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.scripts: list[str] = []  # blocks of data
        self.code: list[str] = []
        self.open: list[str] = []
        self.runs = False
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.runs = tag == "script" and ("type", "application/json") not in attrs
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            (self.code if self.runs else self.scripts).append(data)
        elif self.open and self.open[-1] != "style":
            self.text += data


def checked(html: str) -> Page:
    """Parse a page and hold it to everything that is true of every report."""
    html.encode()
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    assert page.tags["script"] == 2
    assert "".join(page.code) == script()
    assert page.tags["style"] == 1
    assert not page.tags.keys() & {"img", "link", "iframe", "object", "embed", "form"}
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        if (tag, name) == ("a", "href") and SAVED.fullmatch(value):
            continue
        if name in {"src", "href", "xlink:href", "data", "action"}:
            assert value.startswith("#"), (tag, value)
            assert value[1:] in page.ids
    assert ("meta", "content", policy(script())) in page.attributes
    json.loads("".join(page.scripts))
    return page


def test_a_report_has_its_sections_in_order(manifest: dict[str, object], summaries: list[PointSummary]) -> None:
    page = checked(render(report_data(manifest, summaries, ["It is so."])))
    without_data = {
        "ab",
        "conformance",
        "transfer",
        "devices",
        "storage",
        "ratio",
        "costs",
        "fit",
        "recompute",
        "evidence",
        "ceilings",
        "witness",
        "beside",
        "time",
        "calibration",
    }  # and so without a section here
    names = [name for name, _ in SECTIONS if name not in without_data]
    assert [identity for identity in page.ids if identity in names] == names
    assert page.text.count(ONE_MACHINE) >= 4
    assert ("html", "lang", "en") in page.attributes


def test_every_figure_has_a_name_a_description_and_a_table(
    manifest: dict[str, object], summaries: list[PointSummary]
) -> None:
    page = checked(render(report_data(manifest, summaries, [])))
    drawings = page.attributes.count(("svg", "role", "img"))
    assert page.tags["figure"] == drawings == page.tags["desc"] == page.tags["figcaption"] == 8
    for _, name, value in page.attributes:
        if name == "aria-labelledby":
            assert set(value.split()) <= set(page.ids)
    tables = [value for tag, name, value in page.attributes if name == "aria-label" and value.startswith("Numbers")]
    assert len(set(tables)) == 8


def test_the_same_data_gives_the_same_bytes(manifest: dict[str, object], summaries: list[PointSummary]) -> None:
    first = render(report_data(manifest, summaries, ["It is so."]))
    assert render(report_data(manifest, summaries[::-1], ["It is so."])) == first
    assert len(first) < 2_000_000


def test_no_points_are_a_readable_page() -> None:
    page = checked(render(report_data({}, [], [])))
    assert "No verdict: no point was measured." in page.text
    assert "There is nothing to draw" in page.text
    assert "problems" not in page.ids


def test_an_interrupted_run_says_so_before_anything_else(
    manifest: dict[str, object], summaries: list[PointSummary]
) -> None:
    text = checked(render(report_data(manifest | {"complete": False}, summaries, ["It is so."]))).text
    assert text.index("This run is not complete.") < text.index("It is so.")
    assert "not complete" not in render(report_data(manifest, summaries, []))


def test_an_emulated_point_has_no_rate_anywhere(summary: Callable[..., PointSummary]) -> None:
    html = render(report_data({}, [summary(emulated=True, throughput=Interval(77.125, 77.0, 78.0, 0.96, 9))], []))
    checked(html)
    assert "77.1" not in html
    assert "Emulated: bytes and wire are true, times are not." in html


def test_one_odd_point_after_another_is_a_page(summary: Callable[..., PointSummary]) -> None:
    bare = Interval(0.0, None, None, None, 1)
    odd: list[dict[str, Any]] = [
        {"throughput": bare, "latency_ns": bare},
        {"throughput": Interval(float("nan"), None, None, None, 1), "ceiling_share": float("inf")},
        {"throughput": None, "latency_ns": None, "launches": 0, "failed": 1, "wires": (), "verified": False},
        {"descriptor_bytes": 0, "descriptors": 0, "max_ns": None, "percentiles_ns": {}},
    ]
    for changes in odd:
        checked(render(report_data({}, [summary(**changes)], [])))


def test_the_embedded_summary_is_the_table(manifest: dict[str, object], summaries: list[PointSummary]) -> None:
    page = checked(render(report_data(manifest, summaries, ["It is so."])))
    embedded = json.loads("".join(page.scripts))
    assert embedded["verdict"] == ["It is so."]
    assert len(embedded["points"]) == len(summaries)


def test_known_attacks_are_text(summary: Callable[..., PointSummary]) -> None:
    attack = "</script><script>alert(1)</script>\"'><img src=https://x.example onerror=x>\u202e"
    page = checked(render(_hostile(summary, attack[:190])))
    assert attack[:40] in page.text
    assert "\u202e" not in page.text


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=HOSTILE)
def test_no_string_of_a_run_becomes_markup(summary: Callable[..., PointSummary], text: str) -> None:
    checked(render(_hostile(summary, text)))


def _hostile(summary: Callable[..., PointSummary], text: str) -> Any:
    """Put `text` wherever a run has room for one."""
    name = text.encode("utf-8", "replace").decode()[:200]  # pydantic keeps lone surrogates and longer names out
    points = [
        summary(
            transport=name, workload=name, settings={name: name}, wires=(text,), allocation=text,
            issues=(Issue(level="OPEN", code=name, message=name),), failed=failed, descriptor_bytes=size,
        )
        for failed, size in ((0, 64), (1, 128))
    ]  # fmt: skip
    table = {text: text, "cpu": text}
    manifest = dict.fromkeys(("kvgauge", "seed", "started_at", "finished_at"), text) | {
        "command": [text, text], "machine": table, "versions": table, "environment": table, "spec": table,
        "settings": {"transports": [text], "why": [text]}, "load_average": [text, text],
    }  # fmt: skip
    return report_data(manifest, points, [text, text], [text], run=text)
