from __future__ import annotations

import io
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from perf.terminal import points

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from perf.summary import PointSummary


def printed(summaries: Sequence[PointSummary], width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(points(summaries))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_fits_80_columns_and_cuts_no_number(summaries: list[PointSummary]) -> None:
    text = printed(summaries)
    assert max(map(cell_len, text.splitlines())) <= 80  # columns: a character may take two, or none
    assert "…" not in text
    assert "6.13 [5.88, 6.43]" in text
    assert "\x1b" not in text  # a file is no terminal


def test_invalid_and_emulated_points_say_so_without_colour(summaries: list[PointSummary]) -> None:
    text = printed(summaries, 120)
    assert "invalid" in text
    assert "emulated" in text


def test_an_emulated_point_has_no_rate(summary: Callable[..., PointSummary]) -> None:
    text = printed([summary(emulated=True)], 120)
    assert "GiB" in text
    assert " ms" not in text
    assert "%" not in text


def test_no_points_are_a_sentence() -> None:
    assert printed([]) == "No point was measured.\n"


@given(name=st.text(min_size=1, max_size=200))
def test_foreign_names_are_neither_markup_nor_control(name: str) -> None:
    text = printed(_named(name))
    assert "\x1b" not in text
    assert max(map(cell_len, text.splitlines())) <= 80  # columns: a character may take two, or none


def test_markup_is_printed_as_it_is() -> None:
    assert "[red]x[/red]" in printed(_named("[red]x[/red]"), 140)


def _named(name: str) -> list[PointSummary]:
    from perf.record import Point
    from perf.summary import PointSummary

    point = Point(
        transport=name, op="push", workload=name, pattern="scattered", unit="page", descriptor_bytes=1, descriptors=1
    )
    return [PointSummary(point, None, None, {}, None, 0, 0, 1, (name,), False, 0, 1, 1, 1, 1, name, False, None, ())]  # noqa: FBT003  positions of a plain record
