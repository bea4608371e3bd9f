"""ucx_perftest's real output: units, which figures count, what is told before a table, and what is cut or damaged."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from perf.outside.formats import read_file, read_text
from perf.perftest import find
from suite.errors import BadInput, Missing

FIXTURES = Path(__file__).parent / "fixtures"
MIB = 1 << 20


def has_tool():
    try:
        return find() is not None
    except Missing:
        return False


needs_tool = pytest.mark.skipif(not has_tool(), reason="no ucx_perftest: pip install libucx-cu12")


def text(name):
    return (FIXTURES / f"ucx_perftest-1.21.0-{name}.txt").read_text("utf-8")


def read(name):
    return read_text(text(name), "out")


def timings(result):
    return {timing.statistic: timing.ns for timing in result.timings}


def test_its_mb_are_mib_and_the_overall_columns_count():
    """The message rate says so: 353e3 messages of 64 KiB a second are 22054 MiB, not 22054 MB."""
    [one] = read("loopback")
    assert one.gb_per_s == pytest.approx(22054.33 * MIB / 1e9)
    assert one.gb_per_s == pytest.approx(352869 * 65536 / 1e9, rel=1e-5)
    assert "MB/s" in one.unit_as_printed
    assert "MiB/s" in one.unit_as_printed


def test_the_box_tells_test_size_and_memory():
    [one] = read("loopback")
    assert (one.op, one.block_bytes, one.source_memory, one.destination_memory) == (
        "tag match bandwidth",
        65536,
        "host",
        "host",
    )
    assert (one.count, one.source) == (100000, "out:14")


def test_a_bandwidth_test_has_no_latency():
    [one] = read("tag-bw")
    assert timings(one) == {"mean time between messages": pytest.approx(19619), "p50": pytest.approx(3738)}
    assert any("no latency" in note for note in one.notes)


def test_the_client_alone_tells_neither_test_nor_size():
    [one] = read("tag-bw")
    assert (one.op, one.block_bytes) == ("", None)


def test_a_server_before_its_client_tells_them():
    [one] = read("server-then-client-get")
    assert (one.op, one.block_bytes) == ("get latency / bandwidth / message rate", 4096)
    assert timings(one)["mean"] == pytest.approx(1216)


def test_a_box_is_of_the_table_after_it_only():
    first, second = read_text(text("loopback") + text("tag-bw"), "out")
    assert (first.op, second.op, second.block_bytes) == ("tag match bandwidth", "", None)


def test_the_command_before_a_csv_tells_them():
    [one] = read("put-lat-csv")
    assert (one.op, one.block_bytes, one.count) == ("ucp_put_lat", 4096, 20000)
    assert timings(one) == {"mean": pytest.approx(707), "p50": pytest.approx(204)}
    assert any("Half a round trip" in note for note in one.notes)


def test_a_command_that_does_not_fit_the_rates_is_not_believed():
    [one] = read_text(text("put-lat-csv").replace("-s 4096", "-s 4200"), "out")
    assert one.block_bytes is None
    assert any("4200" in note for note in one.notes)


def test_what_stands_before_a_table_is_of_that_table_only():
    first, second = read_text(text("put-lat-csv") + text("tag-bw"), "out")
    assert (first.op, second.op, second.block_bytes) == ("ucp_put_lat", "", None)


@pytest.mark.parametrize(("name", "mib"), [("verbose", 3033.32), ("loopback-numeric", 15498.48)])
def test_lines_of_intervals_are_not_results(name, mib):
    [one] = read(name)
    assert one.gb_per_s == pytest.approx(mib * MIB / 1e9)
    assert not any("Cut short" in note or "cannot be told" in note for note in one.notes)


@pytest.mark.parametrize("name", ["verbose", "threads", "loopback-numeric"])
def test_a_run_that_was_cut_short_says_so(name):
    lines = text(name).splitlines(keepends=True)
    [one] = read_text("".join(lines[:-1]), "out")
    assert any("Cut short" in note for note in one.notes)


def test_several_threads_have_the_overall_columns_only():
    [one] = read("threads")
    assert one.gb_per_s == pytest.approx(1557.49 * MIB / 1e9)
    assert timings(one) == {"mean time between messages": pytest.approx(80257)}
    assert any("threads" in note for note in one.notes)


@pytest.mark.parametrize("form", ["", "-final", "-csv"])
def test_every_test_of_a_batch_file_is_a_result(form):
    results = read(f"loopback-batch{form}")
    assert [one.op for one in results] == ["put64k", "tag64k"]
    assert all(one.block_bytes is None and any("batch file" in note for note in one.notes) for one in results)


def test_the_time_is_of_the_whole_run():
    [one] = read("loopback-numeric")
    assert timings(one)["mean time between messages"] == pytest.approx(64_522)


@pytest.mark.parametrize("dropped", [0, -1])
def test_a_test_without_figures_is_told(dropped):
    lines = text("loopback-batch").splitlines(keepends=True)
    lines.remove([line for line in lines if line.startswith("Final:")][dropped])
    [one] = read_text("".join(lines), "out")
    assert any("Not known to be whole" in note for note in one.notes)


def test_a_command_without_figures_is_told():
    [one] = read_text(text("tag-bw") + "$ ucx_perftest 127.0.0.1 -t tag_lat -s 8\n", "out")
    assert any("Not known to be whole" in note for note in one.notes)


def test_a_build_that_does_not_mark_intervals_is_noted():
    unmarked = text("verbose").replace("[thread 0]", "")
    [one] = read_text(unmarked, "out")
    assert one.gb_per_s == pytest.approx(3033.32 * MIB / 1e9)
    assert any("cannot be told" in note for note in one.notes)


def test_intervals_of_a_batch_file_belong_to_their_test():
    """As print_progress writes them: the names, then the thread."""
    heading, *rows = text("loopback-batch-csv").splitlines()
    name, _, figures = rows[0].partition(",")
    rows[0] = f"{name},[thread 0]{figures.replace('10099.36', '1.00')}\n{rows[0]}"
    first, second = read_text("\n".join([heading, *rows, ""]), "out")
    assert (first.op, second.op) == ("put64k", "tag64k")
    assert first.gb_per_s == pytest.approx(10099.36 * MIB / 1e9)


def test_thousands_may_be_set_apart():
    """Option -N does that where the locale is there."""
    [one] = read_text(text("loopback-numeric").replace("100000", "100,000").replace(" 15498\n", " 15,498\n"), "out")
    assert one.count == 100_000
    assert one.block_bytes == MIB


@needs_tool
def test_the_installed_tool_is_read():
    tool = find()
    told = dict(os.environ) | {"LD_LIBRARY_PATH": tool.libraries or os.environ.get("LD_LIBRARY_PATH", "")}
    command = [tool.path, "-l", "-t", "tag_bw", "-s", "65536", "-n", "1000", "-w", "10"]
    done = subprocess.run(command, env=told, capture_output=True, text=True, check=True, timeout=60)
    [one] = read_text(done.stdout, "out")
    assert (one.op, one.block_bytes, one.count) == ("tag match bandwidth", 65536, 1000)
    assert one.gb_per_s > 0


def test_the_server_alone_has_no_results():
    with pytest.raises(BadInput, match="no figures") as error:
        read("server-only")
    assert "client" in error.value.hint


def test_the_real_output_of_older_and_newer_versions_is_read():
    golden = FIXTURES.parent.parent / "golden"
    rates = {}
    for version in ("1.13.1", "1.21.0", "1.22.0"):
        [one] = read_file(golden / f"ucx_perftest-put-bw-{version}.csv")
        rates[version] = one.gb_per_s
    assert rates["1.13.1"] == pytest.approx(26173.91 * MIB / 1e9)
    with pytest.raises(BadInput, match="no figures"):
        read_file(golden / "ucx_perftest-failed-1.21.0.csv")


@pytest.mark.parametrize("name", ["tag-bw", "verbose", "threads", "loopback-batch", "loopback-batch-csv"])
@pytest.mark.parametrize("wrong", ["nan", "-1", "inf", "1e9", "x", "1" * 30])
def test_a_damaged_row_is_named(name, wrong):
    lines = text(name).splitlines()
    last = lines[-1].replace(",", " , ").split()
    at = len(last) // 2 // 2 * 2 if "," in lines[-1] else len(last) // 2
    last[at] = wrong
    lines[-1] = " ".join(last).replace(" , ", ",")
    with pytest.raises(BadInput, match=rf"out:{len(lines)}: not a row") as error:
        read_text("\n".join(lines) + "\n", "out")
    assert error.value.code == "damaged-output"


@pytest.mark.parametrize("name", ["tag-bw", "verbose"])
def test_a_row_that_lacks_a_column_is_named(name):
    whole = text(name).rstrip()
    cut = whole[: max(whole.rfind(","), whole.rfind(" "))]
    with pytest.raises(BadInput, match=r"out:\d+: not a row"):
        read_text(cut.rstrip() + "\n", "out")


def test_a_file_without_its_last_line_end_may_be_cut():
    [one] = read_text(text("tag-bw").rstrip("\n"), "out")
    assert any("may be cut" in note for note in one.notes)
    assert not any("may be cut" in note for note in read("tag-bw")[0].notes)


def test_another_unit_is_refused():
    with pytest.raises(BadInput, match="unit"):
        read_text(text("tag-bw").replace("(MB/s)", "(Mb/s)"), "out")


def test_lines_of_ucx_and_of_a_shell_are_no_rows():
    noise = "[1795520935.587736] [host:3345 :0]     ucp_context.c:1433 UCX  WARN  no such\n"
    assert len(read_text(text("tag-bw") + noise + "$ exit\n", "out")) == 1
