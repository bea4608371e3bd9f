"""What TensorRT-LLM's files say is read in our units; everything else is refused by file, line and column."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from suite.errors import BadInput
from suite.transfer import trtllm_csv
from suite.transfer.trtllm_csv import PHASES, TASK, TRIPLE, Transmission, TrtllmTiming, read_timings

OLD = "RequestID,Delay(ms),Duration(ms),Bandwidth(Gbps)"
NEW = ",".join(("RequestID", *PHASES, *TRIPLE))
PYTHON = ",".join(TASK)
SENT = "2026-03-13 14:22:16.123,KVSendTask,42,3,1048576,65536.0,16,0.523,1.234,5.000,8.901,200.00"
RECEIVED = "2026-03-13 14:22:16.130,KVRecvTask,42,1,,,,,,,9.100,"


@pytest.fixture
def write(tmp_path):
    def write(*lines, name="rank_0_send.csv", end="\n"):
        path = tmp_path / name
        path.write_bytes(("\n".join(lines) + end).encode())
        return path

    return write


def refusal(path):
    with pytest.raises(BadInput) as caught:
        read_timings(path)
    assert caught.value.message.startswith(str(path))
    return caught.value


def test_the_old_columns_are_milliseconds_and_decimal_gigabits(write):
    """160 Gbit/s are 20 GB/s: 40 MB in 2 ms."""
    [timing] = read_timings(write(OLD, "7,0.5,2,160", name="rank_12_recv.csv"))
    assert timing == TrtllmTiming(
        form="cpp-old",
        side="recv",
        rank=12,
        task=None,
        request=7,
        request_info_ns=None,
        preparation_ns=None,
        queue_ns=None,
        preprocess_ns=None,
        transmission_ns=None,
        postprocessing_ns=None,
        task_ns=None,
        transmissions=(Transmission(None, 500_000, 2_000_000, None, None, 20.0),),
        unit_as_printed="Gbit/s",
    )


def test_the_new_columns_have_five_phases_before_the_peers(write):
    row = "18446744073709551615,-0.25,1.5,0.000123,1.23457e+06,3,0.1,4,8,0.2,5,16"
    [timing] = read_timings(write(f"{NEW},{','.join(TRIPLE)}", row, name="cd93dae6-9d75_4_send.csv"))
    assert (timing.form, timing.side, timing.rank, timing.request) == ("cpp", "send", 4, (1 << 64) - 1)
    assert timing.request_info_ns == -250_000  # the request came before the transfer was started
    assert timing.preparation_ns == 1_500_000
    assert timing.preprocess_ns == 123
    assert timing.transmission_ns == 1_234_570_000_000
    assert timing.postprocessing_ns == 3_000_000
    assert (timing.queue_ns, timing.task_ns) == (None, None)
    assert timing.transmissions == (
        Transmission(None, 100_000, 4_000_000, None, None, 1.0),
        Transmission(None, 200_000, 5_000_000, None, None, 2.0),
    )


def test_a_phase_that_was_not_taken_is_no_zero(write):
    """C++ prints `0.0` for it, and `0` for a time of nothing."""
    [timing] = read_timings(write(NEW, "1,0.0,0,0,2,0.0,0,2,8"))
    phases = timing.request_info_ns, timing.preparation_ns, timing.preprocess_ns, timing.postprocessing_ns
    assert phases == (None, 0, 0, None)


@pytest.mark.parametrize("rate", ["inf", "nan", "-nan"])
def test_a_rate_by_no_time_is_none(write, rate):
    [timing] = read_timings(write(OLD, f"1,0,0,{rate}"))
    assert timing.transmissions == (Transmission(None, 0, 0, None, None, None),)


def test_rows_are_as_wide_as_their_peers_whatever_the_header_says(write):
    for header, phases in ((OLD, ""), (NEW, ",1,1,1,1,1")):
        timings = read_timings(write(header, f"1{phases},0,1,8", f"2{phases},0,1,8,0,2,16,0,3,24"))
        assert [[one.gb_per_s for one in timing.transmissions] for timing in timings] == [[1.0], [1.0, 2.0, 3.0]]


def test_the_python_columns_are_milliseconds_and_mebibytes(write):
    """1 MiB in 5 ms: it prints 200, and 0.2097 GB/s is meant."""
    sent, received = read_timings(write(PYTHON, SENT, RECEIVED, name="perf_ctx0_2.csv"))
    assert sent.transmissions == (Transmission(3, None, 5_000_000, 1 << 20, 16, pytest.approx(0.2097152)),)
    assert sent.transmissions[0].wire_bytes / sent.transmission_ns == pytest.approx(sent.transmissions[0].gb_per_s)
    assert (sent.form, sent.side, sent.rank, sent.task, sent.request) == ("python", "send", 2, "KVSendTask", 42)
    times = sent.preparation_ns, sent.queue_ns, sent.transmission_ns, sent.task_ns
    assert times == (523_000, 1_234_000, 5_000_000, 8_901_000)
    assert (sent.postprocessing_ns, sent.preprocess_ns, sent.unit_as_printed) == (None, None, "MiB/s")
    assert (received.side, received.task_ns) == ("recv", 9_100_000)
    assert received.transmissions == (Transmission(1, None, None, None, None, None),)


def test_missing_times_of_python_are_printed_as_zero_and_read_as_none(write):
    [timing] = read_timings(write(PYTHON, "t,AuxSendTask,1,0,0,0.0,0,0.000,0.000,0.000,0.000,0.00", name="x.csv"))
    assert (timing.preparation_ns, timing.queue_ns, timing.transmission_ns, timing.task_ns) == (None,) * 4
    assert timing.transmissions == (Transmission(0, None, None, 0, 0, None),)
    assert timing.rank is None


def test_lines_may_end_as_those_of_windows_and_there_may_be_none(write):
    assert read_timings(write(OLD)) == read_timings(write(PYTHON)) == []
    assert len(read_timings(write(OLD + "\r", "1,0,1,8\r"))) == 1


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("RequestID", "1 columns end in the middle"),
        ("RequestID,Delay(ms),Duration(ms)", "3 columns end in the middle"),
        (f"{OLD},Delay(ms)", "5 columns end in the middle"),
        ("RequestID,Delay(us),Duration(ms),Bandwidth(Gbps)", "column 2 is 'Delay(us)'"),
        ("RequestID,Delay(ms),Duration(ms),Bandwidth(GB/s)", "column 4 is 'Bandwidth(GB/s)'"),
        (NEW.replace("Preprocess", "Queue"), "column 4 is 'Queue'"),
        (PYTHON.replace("throughput_mbs", "throughput_gbs"), "column 1 is 'timestamp'"),
        ("\x1b[31m,Delay(ms)", r"column 1 is '\x1b[31m'"),
        ("", "column 1 is ''"),
    ],
)
def test_other_columns_are_refused_with_all_that_are_accepted(write, header, said):
    error = refusal(write(header, "1,0,1,8"))
    assert error.code == "wrong-columns"
    assert f":1: {said}" in error.message
    assert all(form in error.hint for form in (OLD, NEW, PYTHON))


@pytest.mark.parametrize(
    ("lines", "said", "hint"),
    [
        ((OLD, "1,0,1,8", "x,0,1,8"), ":3: RequestID = 'x'", "a whole number"),
        ((OLD, "18446744073709551616,0,1,8"), ":2: RequestID", "less than 2^64"),
        ((OLD, "-1,0,1,8"), ":2: RequestID", "a whole number"),
        ((OLD, "1,0,-1,8"), ":2: Duration in column 3 = '-1'", "milliseconds, 0 or more"),
        ((OLD, "1,0,1,8,0,1,0x8"), ":2: Bandwidth(Gbps) in column 7 = '0x8'", "a rate, 0 or more"),
        ((OLD, "1,0,1,-8"), ":2: Bandwidth(Gbps) in column 4", "a rate, 0 or more"),
        ((OLD, "1,0,1,1e300"), ":2: Bandwidth(Gbps) in column 4", "a rate, 0 or more"),
        ((OLD, "1,nan,1,8"), ":2: Delay in column 2 = 'nan'", "a number of milliseconds"),
        ((OLD, "1,0,inf,8"), ":2: Duration in column 3 = 'inf'", "a number of milliseconds"),
        ((OLD, "1,0,1e999,8"), ":2: Duration in column 3", "a number of milliseconds"),
        ((OLD, "1,0,1e15,8"), ":2: Duration in column 3", "at most"),
        ((OLD, "1,0, 1,8"), ":2: Duration in column 3 = ' 1'", "a number of milliseconds"),
        ((OLD, "1,0,1_0,8"), ":2: Duration in column 3", "a number of milliseconds"),
        ((OLD, "1"), ":2: 1 columns", "1, and 3 for each peer"),
        ((OLD, "1,0,1,8,0,1"), ":2: 6 columns", "1, and 3 for each peer"),
        ((NEW, "1,0,0,0,0,0,0,1,8,0"), ":2: 10 columns", "6, and 3 for each peer"),
        ((OLD, "1,0,1"), ":2: 3 columns", "1, and 3 for each peer"),
        ((OLD, "1,0,1,8", "", "2,0,1,8"), ":3: 1 columns", "1, and 3 for each peer"),
        ((OLD, "1,0,1,8", OLD), ":3: RequestID = 'RequestID'", "a whole number"),
        ((NEW, "1,0,1,8"), ":2: 4 columns", "6, and 3 for each peer"),
        ((NEW, "1,0,x,0,0,0,0,1,8"), ":2: Preparation = 'x'", "a number of milliseconds"),
        ((PYTHON, SENT + ","), ":2: 13 columns", "12, as in the header"),
        ((PYTHON, SENT.replace("KVSend", "KVSwap")), ":2: task_type = 'KVSwapTask'", "KVSendTask"),
        ((PYTHON, SENT.replace("16,", "1.5,")), ":2: transfer_entry_count = '1.5'", "a whole number"),
        ((PYTHON, SENT.replace("5.000", "-5.000")), ":2: transfer_latency_ms = '-5.000'", "0 or more"),
        ((PYTHON, SENT.replace("65536.0", "no")), ":2: avg_segment_size_bytes = 'no'", "a number"),
        ((PYTHON, SENT.replace("200.00", "inf")), ":2: throughput_mbs = 'inf'", "a rate"),
    ],
)
def test_a_cell_that_trtllm_does_not_write_is_refused_by_line_and_column(write, lines, said, hint):
    error = refusal(write(*lines))
    assert said in error.message
    assert hint in error.hint


@pytest.mark.parametrize(("header", "row"), [(OLD, "1,0,1,8"), (NEW, "1,0,1,2,3,4,0,1,8"), (PYTHON, SENT)])
def test_a_file_that_was_cut_anywhere_within_a_line_is_refused(write, header, row):
    """A number that lost its last digits is still a number."""
    for cut in range(1, len(row) + 1):
        error = refusal(write(header, row, row[:cut], end=""))
        assert (error.code, ":3:" in error.message) == ("torn-line", True)
    assert refusal(write(header, end="")).code == "torn-line"


def test_what_is_no_such_file_is_told(write, tmp_path, monkeypatch):
    assert refusal(tmp_path / "rank_0_send.csv").code == "no-such-file"
    assert refusal(tmp_path).code == "unreadable-file"
    assert refusal(write(end="")).code == "empty-file"
    assert "accepted: rank_<r>_send.csv" in refusal(write(OLD, "1,0,1,8", name="renamed.csv")).hint
    path = write(OLD, "1,0,1,8")
    path.write_bytes(path.read_bytes().replace(b"8\n", b"\xff\n"))
    assert ":2: byte 7 is not ASCII" in refusal(path).message
    path = write(OLD, "1,0,1,8")
    monkeypatch.setattr(trtllm_csv, "MAX_LINE_BYTES", 20)
    assert refusal(path).code == "line-too-long"
    monkeypatch.setattr(trtllm_csv, "MAX_FILE_BYTES", 40)
    assert refusal(path).code == "file-too-large"


def read(data, name="rank_0_send.csv"):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        return read_timings(path)


# Whole files, so that more than the first check is reached.
cell = (
    st.just(b"1")
    | st.sampled_from([b"0.0", b"-1", b"1e3", b"9" * 20, b"inf", b"", b"KVSendTask", b"\x00"])
    | st.binary(max_size=6)
)
rows = st.lists(st.lists(cell, max_size=13).map(b",".join), max_size=4).map(b"\n".join)
files = st.builds(
    lambda header, body, end: header + b"\n" + body + end,
    st.sampled_from([OLD.encode(), NEW.encode(), PYTHON.encode()]),
    rows,
    st.sampled_from([b"\n", b""]),
)


@settings(deadline=None)
@given(st.binary(max_size=200) | files)
@example(OLD.encode() + b"\n" + b"9" * 5_000 + b",0,1,8\n")
def test_whatever_is_in_the_file_makes_timings_or_a_refusal(data):
    with contextlib.suppress(BadInput):
        for timing in read(data):
            assert timing.transmissions
            assert all(one.duration_ns is None or one.duration_ns >= 0 for one in timing.transmissions)
            assert all(one.gb_per_s is None or 0 <= one.gb_per_s < float("inf") for one in timing.transmissions)


microseconds = st.integers(0, 10**12)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, (1 << 64) - 1), microseconds, st.integers(1, 10**9)), max_size=5))
@example([(1, 1_001, 1)])  # 1.001 * 1e6 is a little less than a whole number
def test_times_and_rates_come_back_from_either_unit(told):
    """What a writer of each form prints of the same transfers is read alike."""
    old = [OLD, *(f"{request},0,{time / 1e3},{rate * 8 / 1e3}" for request, time, rate in told)]
    python = [
        PYTHON,
        *(f"t,KVSendTask,{request},0,,,,0,0,{time / 1e3},0,{rate * 1e6 / (1 << 20)}" for request, time, rate in told),
    ]
    for lines in (old, python):
        timings = read("\n".join([*lines, ""]).encode())
        assert [timing.request for timing in timings] == [request for request, _, _ in told]
        for timing, (_, time, rate) in zip(timings, told, strict=True):
            assert (timing.transmissions[0].duration_ns or 0) == time * 1_000
            assert timing.transmissions[0].gb_per_s == pytest.approx(rate / 1e3)
