"""The forms of a report: `--format` -> the name of its file, and what renders it. All have the same data."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from suite.run.folder import REPORT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reports.data import ReportData


@dataclass(frozen=True)
class Format:
    """One form; its module has `render(data) -> str` and is imported when it is needed."""

    file: str
    module: str
    mark: bytes  # in the head of every file of it that we write: nothing else is overwritten

    def render(self, data: ReportData) -> str:
        """Return the report as text."""
        found = cast("Callable[[ReportData], str]", import_module(self.module).render)
        return found(data)


HTML = Format(REPORT, "reports.formats.html", b'<meta name="generator" content="kvgauge')
FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "html": HTML,
        "md": Format("report.md", "reports.formats.markdown", b"### KV-cache transfer"),
        "json": Format("summary.json", "reports.formats.json_report", b'"schema": 1,\n  "kvgauge": '),
        "junit": Format("junit.xml", "reports.formats.junit", b'<testsuites name="KV-cache transfer'),
    }
)
