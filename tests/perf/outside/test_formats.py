"""Choosing a format: what is accepted, limits, and that no text makes anything but results or BadInput."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from perf.outside import OutsideResult
from perf.outside.commands import read
from perf.outside.formats import FORMATS, MOST_BYTES, read_file, read_text
from perf.outside.table import table
from suite.errors import BadInput

FIXTURES = Path(__file__).parent / "fixtures"
TEXTS = {path.name: path.read_text("utf-8") for path in sorted(FIXTURES.glob("*.txt"))}
LINES = sorted({line for text in TEXTS.values() for line in text.splitlines()})


def only_results_or_bad_input(text):
    try:
        results = read_text(text, "out")
    except BadInput:
        return
    assert results
    for one in results:
        assert isinstance(one, OutsideResult)
        assert one.source.startswith("out:")
        assert all(0 <= value < math.inf for value in (one.gb_per_s, *(timing.ns for timing in one.timings)))
        assert one.notes


def test_there_is_a_fixture_of_every_format():
    found = {name for name in FORMATS for file in TEXTS if file.startswith(f"{name}-")}
    assert found == set(FORMATS)


@pytest.mark.parametrize("name", TEXTS)
def test_each_fixture_is_of_one_format(name):
    assert [tool for tool, form in FORMATS.items() if form.matches(TEXTS[name])] == [name.partition("-")[0]]


@pytest.mark.parametrize("text", ["", "\n", "GB/s 17", '{"bandwidth": 1}', "iterations,avg_lat\n1,2\n"])
def test_what_no_tool_printed_names_the_accepted(text):
    with pytest.raises(BadInput, match="out: not the output") as error:
        read_text(text, "out")
    assert all(name in error.value.hint for name in FORMATS)


def test_two_tools_in_one_file_are_refused():
    with pytest.raises(BadInput, match="nixlbench and ucx_perftest"):
        read_text("".join(TEXTS.values()), "out")


@given(st.text(max_size=400))
def test_any_text_makes_results_or_bad_input(text):
    only_results_or_bad_input(text)


@given(st.lists(st.sampled_from(LINES) | st.text(max_size=60), max_size=12))
def test_any_order_of_real_lines_makes_results_or_bad_input(lines):
    only_results_or_bad_input("\n".join(lines))


@given(st.sampled_from(sorted(TEXTS)), st.data())
def test_any_damage_makes_results_or_bad_input(name, data):
    text = TEXTS[name]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    only_results_or_bad_input(text[:start] + data.draw(st.text(max_size=20)) + text[end:])


@pytest.mark.parametrize("name", [name for name in TEXTS if "server-only" not in name])
def test_what_is_whole_is_not_doubted(name):
    notes = [note for one in read_text(TEXTS[name], "out") for note in one.notes]
    assert not [note for note in notes if note.startswith(("Cut short", "Not known to be whole", "Whether the last"))]


@pytest.mark.parametrize("name", TEXTS)
def test_a_cut_after_any_line_is_never_whole(name):
    """Between two runs a cut cannot be seen; anywhere else there are no results, or they say so."""
    lines = TEXTS[name].splitlines(keepends=True)
    doubts = ("Cut short", "Not known to be whole", "how many tests there are")
    for most, following in enumerate(lines):
        try:
            part = read_text("".join(lines[:most]), "out")
        except BadInput:
            continue
        between = following.startswith("***") or following == "NIXLBench Configuration\n"
        assert between or any(doubt in note for one in part for note in one.notes for doubt in doubts), most


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "large.txt"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(BadInput, match="more than 1 MiB"):
        read_file(path)


def test_bytes_that_are_no_text_are_bad_input(tmp_path):
    path = tmp_path / "bytes"
    path.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(BadInput, match="not the output"):
        read_file(path)


@pytest.mark.parametrize("what", ["missing", "."])
def test_what_cannot_be_read_is_bad_input(tmp_path, what):
    with pytest.raises(BadInput) as error:
        read_file(tmp_path / what)
    assert error.value.code == "unreadable"


@pytest.mark.parametrize("heading", ["", *TEXTS])
@pytest.mark.parametrize(
    "line", ["|" + " " * 1990, "a(--" * 490, "1 " * 990, "," * 1999, "x," * 990, "+a" + "-+" * 990, "a" * 1999 + "("]
)
def test_long_lines_come_to_an_end(heading, line):
    """Every pattern looks at bounded text: a quadratic one would not end on a file full of these."""
    text = TEXTS.get(heading, "").split("\n")
    only_results_or_bad_input("\n".join(text[:-1] + [line] * 20 + [""]))


def test_the_command_prints_the_table_and_its_caveats():
    path = FIXTURES / "nixlbench-written-by-hand-two-ranks.txt"
    done = CliRunner().invoke(read, [str(path)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "8.66" in done.stdout
    assert "no latency" in " ".join(done.stdout.split())


def test_the_command_prints_json():
    paths = [FIXTURES / name for name in TEXTS if "server-only" not in name]
    done = CliRunner().invoke(read, [*map(str, paths), "--json"], catch_exceptions=False)
    results = json.loads(done.stdout)
    assert {one["tool"] for one in results} == set(FORMATS)
    assert all(one["gb_per_s"] > 0 and one["notes"] and one["emulated"] is False for one in results)


def test_the_table_has_no_rate_of_an_emulated_device():
    [one] = read_text(TEXTS["ucx_perftest-1.21.0-loopback.txt"], "out")
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(table([replace(one, emulated=True)]))
    assert f"{one.gb_per_s:.1f}" not in console.export_text()


def test_foreign_words_cannot_steer_a_terminal(tmp_path):
    path = tmp_path / "batch.txt"
    path.write_text(TEXTS["ucx_perftest-1.21.0-loopback-batch-csv.txt"].replace("put64k", "p\x1b[2J[red]"), "utf-8")
    done = CliRunner().invoke(read, [str(path)], catch_exceptions=False)
    assert "\x1b" not in done.stdout
    assert "[red]" in "".join(done.stdout.split())
