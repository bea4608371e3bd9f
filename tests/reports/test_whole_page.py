"""Every section of a page at once, with hostile names in all that has room for one."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from conformance.record import Case
from reports.data import report_data
from reports.formats.html import SECTIONS, render
from reports.sections.conformance import matrix

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.summary import PointSummary

    Timed = Callable[..., PointSummary]

# all at once: a point's names have at most 200 characters
ATTACK = "</script><script>alert(1)</script>\"'><img src=x onerror=x>{{ 7*7 }}]]></svg><style>*{}<!--&lt;$x^2$"
NEW = {"conformance", "throughput", "latency", "ratio", "costs", "fit", "recompute", "points", "set", "reproduce"}
SHAPES = (("bytes", 8, 1), ("bytes", 4096, 1), ("head", 8192, 8192), ("block", 4 << 20, 16))


class Tags(HTMLParser):
    """What elements and ids a page has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: dict[str, int] = {}
        self.ids: list[str] = []
        self.events: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.events += [name for name, _ in attrs if name.startswith("on")]


def whole(timed: Timed, text: str, model: str) -> str:
    phases = {"open": 1_000_000, text: 30_000_000, "gather": 12_000}
    points = [
        timed(transport=name, workload="bytes" if unit == "bytes" else model, unit=unit, descriptor_bytes=size, descriptors=count,
              phases_ns=phases, settings={"UCX_X": text} if name != "copy" else {}, rates=(0.01,) * 6 if unit == "bytes" else (5.0,) * 6)
        for name in ("nixl:UCX", f"z{text}", "copy") for unit, size, count in SHAPES
    ]  # fmt: skip
    case = Case("ENV-001", text, "x", "fail", False, text, {"environment": {text: text}}, text)  # noqa: FBT003  a record's field
    manifest = {
        "command": [text], "machine": {"cpu": text}, "environment": {"UCX_TLS": text, text: text}, "seed": text,
        "spec": {"kv": [{"model": model, "dtype": "bf16"}, {"model": text, "dtype": text}]},
    }  # fmt: skip
    return render(report_data(manifest, points, [text], run=text, conformance=matrix([case])))


def test_every_new_section_is_there_in_order(timed: Timed) -> None:
    page = Tags(whole(timed, "plain", "llama-3.1-8b"))
    assert len(page.ids) == len(set(page.ids))
    ours = [name for name, _ in SECTIONS if name in NEW]
    assert len(ours) == len(NEW)
    assert [identity for identity in page.ids if identity in NEW] == ours


@pytest.mark.deep
@pytest.mark.parametrize("model", [ATTACK, "llama-3.1-8b"])
def test_no_name_becomes_markup(timed: Timed, model: str) -> None:
    page = Tags(whole(timed, ATTACK, model))
    assert page.events == []
    assert not page.tags.keys() & {"img", "link", "iframe"}
    assert page.tags["script"] == 2
    assert page.tags["style"] == 1
    assert len(page.ids) == len(set(page.ids))


@pytest.mark.deep
def test_the_same_points_give_the_same_bytes(timed: Timed) -> None:
    assert whole(timed, "x", "llama-3.1-8b") == whole(timed, "x", "llama-3.1-8b")
