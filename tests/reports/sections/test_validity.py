"""What was checked of the numbers: each doubt once, with what to do; and every launch that is in no number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from perf.record import Issue
from perf.summary import LeftOut, Used
from perf.validity import REGISTRY, issue
from reports.data import report_data
from reports.formats.html import render
from reports.sections.validity import MOST, validity

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.summary import PointSummary

    Build = Callable[..., PointSummary]

ODD = "<b>from & the future</b>"


def section(points: list[PointSummary]) -> str:
    page = render(report_data({}, points, []))
    start = page.index('<section id="validity"')
    return page[start : page.index("</section>", start)]


def test_a_doubt_is_told_once_the_gravest_first_with_what_to_do(summary: Build) -> None:
    failed = issue("failed", "2 of 8", level="INVALID"), issue("failed", "1 of 8")
    points = [
        summary(descriptor_bytes=1, issues=(issue("drift", "a"), failed[1])),
        summary(descriptor_bytes=2, issues=(issue("drift", "b"), failed[0])),
        summary(descriptor_bytes=3, issues=(issue("hot", "c"),)),
        summary(descriptor_bytes=4),
    ]
    found = validity(points)
    assert [(one.code, one.level, one.points) for one in found.found] == [
        ("failed", "INVALID", "at 2 of 4 points"), ("drift", "OPEN", "at 2 of 4 points"), ("hot", "NOTE", "at 1 of 4 points"),
    ]  # fmt: skip
    assert len(found.clean) == len(REGISTRY) - 3
    text = section(points)
    assert "What to do." in text
    assert text.count("<code>drift</code>") == 1


def test_without_doubts_it_says_how_many_checks_there_were(summary: Build) -> None:
    text = section([summary()])
    assert f"{len(REGISTRY)} checks found nothing" in text
    assert "No launch was left out of any number." in text
    assert 'id="validity"' not in render(report_data({}, [], []))


def test_a_launch_that_is_in_no_number_is_listed(summary: Build) -> None:
    lost = tuple(LeftOut(launch, "failed", f"decode: {ODD}") for launch in range(MOST + 5))
    found = validity([summary(left_out=lost)])
    assert (len(found.left_out), found.more) == (MOST, 5)
    assert found.left_out[0].launch == 1
    text = section([summary(left_out=lost[:2])])
    assert "launch 2" in text
    assert "<b>" not in text.replace("<b>b", "")
    assert "decode: &lt;b&gt;from &amp; the future&lt;/b&gt;" in text


def test_a_doubt_of_another_version_is_told_as_one(summary: Build) -> None:
    text = section([summary(issues=(Issue(level="OPEN", code=ODD, message="x"),))])
    assert "A doubt of another version" in text
    assert "&lt;b&gt;from &amp; the future&lt;/b&gt; (unknown)" in text


def test_of_emulated_points_no_time_is_said_to_be_checked(timed: Build) -> None:
    assert "nothing of steadiness or load was asked" in section([timed(emulated=True)])
    assert not validity([timed(emulated=True)]).unwatched


@pytest.mark.parametrize("used", [{}, {"initiator": Used(1, 0, 1)}])
def test_who_else_used_the_machine_is_not_claimed_to_be_known(timed: Build, used: dict[str, Any]) -> None:
    from dataclasses import replace

    one = timed()
    one = replace(one, repetitions=tuple(replace(rep, used=used) for rep in one.repetitions))
    assert validity([one]).unwatched is not bool(used)
    assert ("Others used the machine" in validity([one]).clean) is bool(used)
