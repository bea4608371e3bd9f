"""`ucx_perftest` as a witness: what it printed in three versions, what it must not make us say, and real runs."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.perftest import TESTS, Figures, PerftestFailed, Tool, find, parse, run_pair
from suite.errors import BadInput, Missing

GOLDEN = Path(__file__).parent / "golden"
MIB = 1 << 20


def golden(name):
    return (GOLDEN / f"ucx_perftest-{name}.csv").read_text()


def free_port():
    with socket.create_server(("", 0)) as server:
        return server.getsockname()[1]


def has_tool():
    try:
        return find() is not None
    except Missing:
        return False


needs_tool = pytest.mark.skipif(not has_tool(), reason="no ucx_perftest: pip install libucx-cu12")


@pytest.fixture
def script(tmp_path):
    """Return a builder of tools that do what a line of shell says."""

    def script(body):
        path = tmp_path / "ucx_perftest"
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return Tool(path, "", "0.0")

    return script


def run(test="ucp_put_bw", nbytes=MIB, iterations=200, *, error_handling=True, **more):
    told = {"environment": dict(os.environ), "cores": (sorted(os.sched_getaffinity(0)) * 2)[:2], "port": free_port()}
    told["environment"] |= more.pop("variables", {})
    return run_pair(test, nbytes, iterations, error_handling=error_handling, **(told | more))


def processes_of(tool):
    """Return our processes that run `tool`, or a script of that name; other tests may run it as well."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if str(tool.path).encode() in arguments and parent == os.getpid():
            found.append(folder.name)
    return found


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("put-bw-1.13.1", Figures(2000, 38.206, 26173.91 * MIB / 1e9)),
        ("put-bw-1.21.0", Figures(2000, 61.612, 16230.73 * MIB / 1e9)),
        ("put-bw-1.22.0", Figures(2000, 60.228, 16603.44 * MIB / 1e9)),
        ("tag-bw-e-1.22.0", Figures(500, 501.980, 1992.11 * MIB / 1e9)),
        ("tag-lat-1.22.0", Figures(2000, 5.491, 1.39 * MIB / 1e9)),
    ],
)
def test_what_versions_print_is_understood(name, figures):
    assert parse(golden(name)) == figures


def test_size_over_time_is_the_rate_that_was_printed():
    """So `overall_bw` is in MiB/s, and `overall_lat` is the time of one message."""
    figures = parse(golden("put-bw-1.22.0"))
    assert MIB / figures.latency_us / 1e3 == pytest.approx(figures.gb_per_s, rel=1e-3)


def test_overall_columns_are_taken_and_not_those_of_the_last_interval():
    header = golden("put-bw-1.22.0").splitlines()[0]
    assert parse(f"{header}\n7,1.0,2.0,3.0,4.0,5.0,6,7\n") == Figures(7, 3.0, 5 * MIB / 1e9)


@pytest.mark.parametrize("name", ["put-bw-1.22.0", "tag-bw-e-1.22.0"])
@given(data=st.data())
def test_a_damaged_output_is_an_error_or_still_means_something(name, data):
    text = golden(name)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    damaged = text[:start] + data.draw(st.text(max_size=20)) + text[end:]
    try:
        figures = parse(damaged)
    except PerftestFailed as error:
        assert len(error.message) < 3000  # noqa: PT017  either outcome is right
    else:
        assert figures.iterations > 0
        assert 0 < figures.latency_us < 1e16
        assert 0 <= figures.gb_per_s < 1e16


@given(st.text())
def test_any_text_is_an_error(text):
    with pytest.raises(PerftestFailed):
        parse(text)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "2000,1.0,2.0,3.0,4.0,5.0,6",
        "2000,1.0,2.0,3.0,4.0,5.0,6,7,8",
        "2000,1.0,2.0,nan,4.0,5.0,6,7",
        "2000,1.0,2.0,inf,4.0,5.0,6,7",
        "2000,1.0,2.0,-3.0,4.0,5.0,6,7",
        "2000,1.0,2.0,3e9,4.0,5.0,6,7",
        "2000,1.0,2.0,0x3,4.0,5.0,6,7",
        "2000,1.0,2.0,٣.0,4.0,5.0,6,7",
        "2000,1.0,2.0,3.0,4.0,1" + "0" * 400 + ",6,7",
        "0,1.0,2.0,3.0,4.0,5.0,6,7",
        "2.5,1.0,2.0,3.0,4.0,5.0,6,7",
        "2000,1.0,2.0,0.000,4.0,5.0,6,7",
    ],
)
def test_numbers_that_are_none_are_refused(line):
    header = golden("put-bw-1.22.0").splitlines()[0]
    with pytest.raises(PerftestFailed):
        parse(f"{header}\n{line}\n")


def test_two_runs_in_one_output_are_no_witness():
    with pytest.raises(PerftestFailed):
        parse(golden("put-bw-1.22.0") * 2)


def test_a_flood_and_a_terminals_control_codes_stay_out_of_the_message():
    with pytest.raises(PerftestFailed) as refused:
        parse("\x1b[31m" + "x" * 1_000_000)
    assert "\x1b" not in refused.value.message
    assert len(refused.value.message) < 600


def test_a_run_that_failed_is_not_taken_for_figures():
    with pytest.raises(PerftestFailed):
        parse(golden("failed-1.21.0"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"test": "rm -rf"},
        {"test": "--help"},
        {"nbytes": 0},
        {"nbytes": -1},
        {"nbytes": 1 << 40},
        {"iterations": 0},
        {"iterations": 1 << 40},
        {"cores": [0]},
        {"port": 0},
        {"port": 1 << 16},
    ],
)
def test_what_is_not_ours_to_ask_is_refused_before_anything_starts(script, tmp_path, wrong):
    with pytest.raises(BadInput):
        run(**({"tool": script(f"touch {tmp_path}/started")} | wrong))
    assert not (tmp_path / "started").exists()


@needs_tool
@pytest.mark.parametrize(
    "test", [test if test == "ucp_put_bw" else pytest.param(test, marks=pytest.mark.deep) for test in sorted(TESTS)]
)
def test_every_test_runs_and_says_how_fast(test):
    witness = run(test, 4096, 50)
    assert (witness.test, witness.nbytes) == (test, 4096)
    assert witness.gb_per_s > 0 < witness.latency_us
    assert f"-t {test} -s 4096 -n 50" in witness.command
    assert processes_of(find()) == []


@pytest.mark.deep
@needs_tool
def test_error_handling_decides_the_wire_and_the_witness_says_which():
    """The finding that makes `-e` necessary beside NIXL, in UCX's own words."""
    if find().tables() == {}:
        pytest.skip(f"UCX {find().version} prints no tables")
    assert run("tag_bw", MIB, 50, error_handling=True).wire == "tcp"
    assert run("tag_bw", MIB, 50, error_handling=False).wire != "tcp"
    one_sided = run("ucp_put_bw", MIB, 50, variables={"UCX_RNDV_THRESH": "inf"})
    assert one_sided.wire == "cma"
    assert "UCX_RNDV_THRESH=inf" in one_sided.command


@pytest.mark.deep
@needs_tool
def test_a_failure_is_told_in_its_own_words():
    with pytest.raises(PerftestFailed) as failed:
        run(variables={"UCX_TLS": "nonsense"})
    assert "no usable transports" in failed.value.message
    assert processes_of(find()) == []


@needs_tool
def test_a_port_that_somebody_has_is_an_error_and_not_somebody_elses_test():
    with socket.create_server(("", 0)) as server, pytest.raises(PerftestFailed) as failed:
        run(port=server.getsockname()[1])
    assert "Address already in use" in failed.value.message


@pytest.mark.deep
@needs_tool
def test_one_that_takes_too_long_is_killed():
    start = time.monotonic()
    with pytest.raises(PerftestFailed) as late:
        run("ucp_put_bw", 64 * MIB, 1_000_000, deadline_s=0.5)
    assert late.value.code == "perftest-late"
    assert time.monotonic() - start < 15
    assert processes_of(find()) == []


@pytest.mark.parametrize("body", ["exit 0", "exit 3", "kill -9 $$", "printf '\\033[2J'; exit 1"])
def test_a_server_that_ends_at_once_is_an_error(script, body):
    with pytest.raises(PerftestFailed) as failed:
        run(tool=script(body))
    assert "\x1b" not in failed.value.message


def test_a_client_that_prints_rubbish_is_an_error_and_the_server_is_gone(script):
    """The script is server and client: a client has an address for its first argument."""
    tool = script(
        'if [ "$1" = 127.0.0.1 ]; then head -c 300000 /dev/urandom; exit 0; fi\n'
        "exec python3 -c \"import socket, time; s = socket.create_server(('127.0.0.1', $2)); time.sleep(60)\""
    )
    port = free_port()
    with pytest.raises(PerftestFailed):
        run(tool=tool, port=port)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)


def test_a_file_that_cannot_be_run_is_an_error(tmp_path):
    path = tmp_path / "ucx_perftest"
    path.write_text("neither a script nor a binary")
    path.chmod(0o755)
    with pytest.raises(PerftestFailed) as failed:
        run(tool=Tool(path, "", "0.0"))
    assert failed.value.code == "perftest-start"


def test_without_the_tool_it_is_said_how_to_get_one(monkeypatch):
    monkeypatch.setattr("perf.perftest.find_spec", lambda _: None)
    with pytest.raises(Missing) as missing:
        find({"PATH": "/nowhere"})
    assert "libucx-cu12" in missing.value.hint


def test_one_on_the_path_is_found_and_asked_for_its_version(script, monkeypatch):
    monkeypatch.setattr("perf.perftest.find_spec", lambda _: None)
    path = script("exit 0").path
    (path.parent / "ucx_info").write_text("#!/bin/sh\necho '# Version 1.13.1'\n")
    (path.parent / "ucx_info").chmod(0o755)
    tool = find({"PATH": str(path.parent)})
    assert (tool.path, tool.version, tool.tables()) == (path, "1.13.1", {})
    assert Tool(path, "", "1.22.0").tables()
    assert not Tool(path, "", "unknown").tables()
