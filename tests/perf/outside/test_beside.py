"""Results of other tools where a run is taken: side by side in a report, one side of a comparison."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from perf.analysis import summarise
from perf.comparing.commands import compare
from perf.outside import OutsideResult, formats, nixlbench
from perf.outside.as_run import load_files
from perf.outside.formats import read_file, read_text
from perf.outside.lines import numbered
from perf.outside.standing import standings
from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

FIXTURES = Path(__file__).parent / "fixtures"
TEXTS = {path.name: path.read_text("utf-8") for path in sorted(FIXTURES.glob("*.txt"))}
DOCS = Path(__file__).parents[3] / "docs"
PERFTEST = """$ ucx_perftest HOST -t tag_bw -s 1048576 -n 2000
+--------------+--------------+------------------------------+---------------------+-----------------------+
|              |              |       overhead (usec)        |   bandwidth (MB/s)  |  message rate (msg/s) |
+--------------+--------------+----------+---------+---------+----------+----------+-----------+-----------+
|    Stage     | # iterations | 50.0%ile | average | overall |  average |  overall |  average  |  overall  |
+--------------+--------------+----------+---------+---------+----------+----------+-----------+-----------+
Final:                  2000      0.211   890.104   949.041     {mib}    {mib}        {messages}        {messages}
"""


def perftest(folder: Path, name: str, mib: float) -> Path:
    path = folder / name
    path.write_text(PERFTEST.format(mib=f"{mib:.2f}", messages=round(mib)), "utf-8")
    return path


@pytest.fixture
def hot(made: Any, sampled: Any) -> Path:
    """Return a run of one hot buffer of 1 MiB by UCX, 5 MiB in 1 ms a launch, and of a KV cache of as many bytes."""
    mib = 1 << 20
    shape = {
        "transport": "ucx",
        "workload": "bytes",
        "unit": "bytes",
        "pattern": "hot",
        "descriptor_bytes": mib,
        "descriptors": 1,
    }
    sizes = {
        "logical_bytes": mib,
        "padded_bytes": mib,
        "wire_bytes": mib,
        "posted_descriptors": 1,
        "working_set_bytes": mib,
    }
    cache = shape | {
        "workload": "llama-3.1-8b",
        "unit": "page",
        "pattern": "scattered",
        "descriptor_bytes": mib >> 4,
        "descriptors": 16,
    }
    return made("base", [*sampled(1, **shape, **sizes), *sampled(2, **cache, **sizes | {"working_set_bytes": 8 * mib})])  # type: ignore[no-any-return]  # a fixture


def told(*words: object) -> Any:
    done = CliRunner().invoke(compare, [*map(str, words), "--json"])
    assert isinstance(done.exception, SystemExit | None), done.exception
    return json.loads(done.stdout)


def test_one_file_is_one_figure_without_spread_and_gets_no_verdict(hot: Path, tmp_path: Path) -> None:
    """Even where it is a thousand times slower: there is nothing that says how much it varies."""
    found = told(hot, perftest(tmp_path, "one.txt", 4.0))
    [row] = [one for one in found["points"] if one["judgement"]]
    assert (row["verdict"], row["judgement"]["why"]) == ("inconclusive", "one figure without spread")
    assert row["judgement"]["decide"].startswith("5 files")
    assert row["new_gb_per_s"] == pytest.approx(4 * 1.048576 / 1000), "its MB/s are MiB/s"
    assert any("not verified" in remark for remark in row["remarks"])
    assert found["differences"] == [], "nothing is known of its settings, so nothing differs"


def test_files_of_repeated_runs_are_launches(hot: Path, tmp_path: Path) -> None:
    files = [perftest(tmp_path, f"{number}.txt", 400 + number) for number in range(9)]
    [row] = [one for one in told(hot, *files)["points"] if one["judgement"]]
    assert (row["verdict"], row["judgement"]["new_launches"]) == ("slower", 9)
    [few] = [one for one in told(hot, *files[:4])["points"] if one["judgement"]]
    assert few["verdict"] == "inconclusive"
    both = told(files[0], files[1])
    assert [one["verdict"] for one in both["points"]] == ["inconclusive"]


def test_what_cannot_be_a_side_is_refused(hot: Path, tmp_path: Path) -> None:
    one = perftest(tmp_path, "one.txt", 400)
    other = shutil.copy(FIXTURES / "nixlbench-written-by-hand-two-ranks.txt", tmp_path)
    for words, message in (
        ((hot, one, one), "named twice"),
        ((hot, one, other), "files of nixlbench and ucx_perftest"),
        ((hot, one, hot), "not all files of another tool"),
        ((hot, FIXTURES / "ucx_perftest-1.21.0-server-only.txt"), "printed no figures"),
        ((hot, FIXTURES / "README.md"), "not the output of a tool"),
        ((hot, FIXTURES / "ucx_perftest-1.21.0-put-lat-csv.txt"), "no point of base"),
    ):
        error = CliRunner().invoke(compare, [str(word) for word in words]).exception
        assert isinstance(error, BadInput), error
        assert message in error.message


def test_rows_that_are_no_throughput_are_left_out_and_said() -> None:
    found = load_files([FIXTURES / "ucx_perftest-1.21.0-put-lat-csv.txt"])
    assert found.summaries == ()
    assert found.notes[0] == "1 of 1 rows are left out: a latency test: one message at a time, there and back"
    [batch] = {
        note for note in load_files([FIXTURES / "ucx_perftest-1.21.0-loopback-batch.txt"]).notes if "left out" in note
    }
    assert batch == "2 of 2 rows are left out: its size is not told"


def test_a_result_stands_beside_what_moved_as_many_bytes_with_what_is_not_alike(
    hot: Path, record: Callable[..., Any]
) -> None:
    from perf.reading import read_records

    summaries = summarise(read_records(hot / "samples.jsonl")[0])
    [result] = read_text(PERFTEST.format(mib="1000.00", messages=1000), "pt")
    [standing] = standings(summaries, [result])
    assert [near.summary.point.pattern for near in standing.near] == ["hot", "scattered"], "the likest first"
    first, second = (" ".join(near.unlike) for near in standing.near)
    assert "error handling" in first
    assert "several under way" in first
    assert "in 16 of 64 KiB, theirs in one of 1 MiB" in second
    assert "no byte twice in 8 MiB" in second
    [alone] = standings(summarise([record()]), [result])
    assert alone.why_not == "no point of this run is a push of 1 MiB a request by its engine"
    assert "nitiators" not in first, "one each"


def test_initiators_are_told_where_the_tool_tells_them() -> None:
    [two, *_] = read_file(FIXTURES / "nixlbench-written-by-hand-two-ranks.txt")
    [four, *_] = read_file(FIXTURES / "nixlbench-written-by-hand-four-ranks.txt")
    [threads] = read_file(FIXTURES / "ucx_perftest-1.21.0-threads.txt")
    [one] = read_file(FIXTURES / "ucx_perftest-1.21.0-loopback.txt")
    assert (two.initiators, four.initiators, threads.initiators, one.initiators) == (1, None, None, 1)


@given(st.sampled_from(sorted(TEXTS)), st.data())
def test_any_damage_makes_a_side_or_bad_input(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    """Truncated, huge lines, bytes that are no text, NaN, columns that are not known."""
    text = TEXTS[name].encode()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 60)))
    put = data.draw(
        st.binary(max_size=20) | st.sampled_from([b"nan", b"-1", b"1e999", b"9" * 5000, b"x" * 5000, b"\0"])
    )
    path = tmp_path_factory.mktemp("damaged") / "file"
    path.write_bytes(text[:start] + put + text[end:])
    try:
        found = load_files([path])
    except BadInput:
        return
    for one in found.summaries:
        assert one.throughput is not None
        assert 0 <= one.throughput.median < 1e12
        assert standings([one], read_file(path))
    path.unlink()


# what docs/outside.md says is needed for a format, and nothing else
OWN = SimpleNamespace(
    TOOL="owntool",
    matches=lambda text: any(line.startswith("owntool:") for _, line in numbered(text)),
    read=lambda text, source: [
        OutsideResult(
            tool="owntool", source=f"{source}:{at}", gb_per_s=float(line.split()[1]), unit_as_printed="GB/s", op="write",
            transport="ucx", block_bytes=1 << 20, batch=1, notes=("One mean of one run.",),
        )
        for at, line in numbered(text) if line.startswith("owntool:")
    ],
)  # fmt: skip


def test_a_format_is_added_as_the_page_says(hot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module with three names and a line in FORMATS: then read, compare and report take it."""
    page = (DOCS / "outside.md").read_text("utf-8")
    steps = page.partition("## To add a format")[2]
    for name in ("`TOOL`", "`matches(text) -> bool`", "`read(text, source) -> list[OutsideResult]`", "`FORMATS`"):
        assert name in steps
    for name in re.findall(r"`(perf/[\w/]+\.py|tests/[\w/]+/)`", steps):
        assert (DOCS.parent / name).exists(), name
    monkeypatch.setattr(formats, "FORMATS", {**formats.FORMATS, OWN.TOOL: OWN})
    path = tmp_path / "own.txt"
    path.write_text("owntool: 3.5\n")
    [result] = read_file(path)
    assert result.gb_per_s == 3.5
    [row] = [one for one in told(hot, path)["points"] if one["judgement"]]
    assert row["judgement"]["why"] == "one figure without spread"
    assert nixlbench.TOOL in formats.FORMATS
