"""The files of a report are saved by a real browser: under the page's policy, from a file, with scripts off."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from perf.record import PointRecord
from reports.data import report_data
from reports.formats.html import render
from reports.formats.json_report import summary as json_summary
from reports.launches import launch_row
from reports.sections.downloads import downloads

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from perf.summary import PointSummary

pytestmark = pytest.mark.deep


def test_each_file_is_saved_as_the_page_says(
    visit: Callable[..., Any],
    summary: Callable[..., PointSummary],
    line: Callable[..., dict[str, Any]],
    tmp_path: Path,
) -> None:
    rows = [launch_row(PointRecord.model_validate(line(launch))) for launch in range(3)]
    data = report_data({}, [summary()], ["It is so."], launches=rows)
    path = tmp_path / "a report.html"
    path.write_text(render(data), encoding="utf-8")
    with visit(path, java_script_enabled=False, accept_downloads=True) as opened:
        page = opened.page
        for file in downloads(data, json_summary(data)):
            with page.expect_download(timeout=20_000) as saving:
                page.get_by_role("link", name=file.name).click()
            saved = saving.value
            assert saved.suggested_filename == file.name
            assert hashlib.sha256(Path(saved.path()).read_bytes()).hexdigest() == file.sha256
            assert page.get_by_text(file.sha256).is_visible()
        assert page.url == path.as_uri()
