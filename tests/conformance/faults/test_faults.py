"""Faults as data: what is drawn from a table, kept in a record, shown, and refused when it comes from outside."""

from __future__ import annotations

import socket
import subprocess
import sys
from dataclasses import replace

import pytest

from conformance.faults.cells import FAULTS, cells, checked
from conformance.faults.outcome import Outcome
from conformance.faults.resets import reset
from conformance.faults.table import lines, show
from conformance.record import FILE, Recorder, read_cases, read_outcomes
from conformance.transfer.case import apart, of_json
from suite.errors import BadInput

SEEN = Outcome("mine", "kill", "target", "connected", "out", ended="error", after_ms=3, code="peer-lost", named="gone")


def test_by_default_every_fault_is_tried_and_deep_all_of_them():
    usual, deep = cells(deep=False), cells(deep=True)
    assert {cell.fault for cell in usual} == set(FAULTS)
    assert set(usual) < set(deep)
    assert len(deep) == len(set(deep)) == len({str(cell) for cell in deep})
    for cell in deep:
        assert cell.role in FAULTS[cell.fault].roles
        assert cell.phase in FAULTS[cell.fault].phases


def test_a_case_with_a_fault_is_told_and_read_back():
    case = replace(apart([64]), fault=("kill", "target", "connected"))
    assert of_json(case.as_json()).fault == case.fault
    assert "fault" not in apart([64]).as_json()


@pytest.mark.parametrize(
    "told",
    [None, "kill", [], ["kill", "target"], ["kill", "other", "connected"], ["cut", "target", "after data"], [1, 2, 3]],
)
def test_no_other_fault_is_taken(told):
    with pytest.raises(BadInput, match="no fault"):
        checked(told)


def test_outcomes_are_kept_beside_cases_and_the_last_one_counts(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.add_outcome(replace(SEEN, ended="no end"))
    recorder.add_outcome(SEEN)
    recorder.close()
    assert (read_cases(tmp_path / FILE), read_outcomes(tmp_path / FILE)) == ([], [SEEN])


@pytest.mark.parametrize(
    ("old", "new"),
    [('"after_ms":3', '"after_ms":"3"'), ('"error"', '"sometimes"'), ('"gone"', "[1]"), ('"named"', '"strange"')],
)
def test_a_strange_outcome_is_refused_with_its_line(tmp_path, old, new):
    recorder = Recorder(tmp_path)
    recorder.add_outcome(SEEN)
    recorder.close()
    path = tmp_path / FILE
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(BadInput, match=f"{FILE}:2"):
        read_outcomes(path)


def test_the_terminals_table_fits_80_columns_and_says_once_what_was_not_tried(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    skipped = [replace(SEEN, fault=fault, skipped="it moves no files\x1b[2J") for fault in ("full", "quota")]
    show([SEEN, replace(SEEN, fault="stop", ended="no end", serves="the peer is gone"), *skipped])
    said = capsys.readouterr().out
    assert [line.split() for line in said.splitlines()[3:5]] == [
        ["kill", "target,", "connected", "peer-lost", "after", "3", "ms", "ok", "ok"],
        ["stop", "target,", "connected", "no", "end", "while", "watched", "ok", "FAILED"],
    ]
    assert "stop, target, connected: the next transfer failed: the peer is gone" in said
    assert "not tried: full, quota: it moves no files\\x1b[2J" in said
    assert max(map(len, said.splitlines())) <= 80


def test_a_line_says_what_a_serving_stack_must_know():
    wrong = replace(SEEN, phase="in transfer", ended="done", wrong="4 bytes were wrong")
    [good, bad] = lines([wrong, SEEN])["mine"]
    assert good.cells[3:] == ("out", "yes", "3 ms", "peer-lost", "no", "yes")
    assert (good.bad, bad.bad) == (False, True)
    assert "4 bytes were wrong" in bad.cells
    [skipped] = lines([Outcome("mine", "cut", "target", "connected", "out", skipped="no namespaces")])["mine"]
    assert "not tried: no namespaces" in skipped.cells


CONNECT = "import socket, sys; one = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); one.send(b'x'); sys.stdin.read()"


def test_the_connections_of_another_process_are_reset():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-c", CONNECT, str(listener.getsockname()[1])]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
            connection, _ = listener.accept()
            with connection:
                assert connection.recv(1) == b"x"
                assert reset(child.pid) == 1
                with pytest.raises(ConnectionResetError):
                    connection.recv(1)
