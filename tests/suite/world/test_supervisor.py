"""Workers that die, hang and lie, in real processes: each becomes data, and none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from suite.world import supervisor
from suite.world.supervisor import Group, WorkerFailed

DEADLINE_S = 0.4
PLENTY_S = 30.0
SLACK = 5  # a deadline is asserted at so many times its value


def lost(group, questions, deadline_s=PLENTY_S):
    """Return what cost the question; what is left of the group is killed, as a sweep does."""
    with pytest.raises(WorkerFailed) as failed:
        group.ask("trying", questions, deadline_s)
    group.kill()
    return failed.value


def wait_until_up(group):
    group.ask("up", dict.fromkeys(group.pids(), ("role", {})), PLENTY_S)


def test_an_answer_comes_back_as_it_was_given(spec):
    with Group([spec()]) as group:
        for value in (None, True, 0, -1.5, "ü", "\n", [], {"a": [{}]}, "x" * 3_000_000):
            assert group.ask("echo", {"prefill": ("echo", {"value": value})}, PLENTY_S) == {"prefill": value}


def test_several_workers_are_asked_at_once_and_know_their_roles(spec):
    with Group([spec("prefill"), spec("decode")]) as group:
        assert group.ask("who", {role: ("role", {}) for role in ("decode", "prefill")}, PLENTY_S) == {
            "prefill": "prefill",
            "decode": "decode",
        }
        assert group.ask("who", {"decode": ("role", {})}, PLENTY_S) == {"decode": "decode"}


@pytest.mark.parametrize(
    ("verb", "arguments", "reason", "detail"),
    [
        ("refuse", {}, "error: bad-thing", "that is bad\ntry another"),
        ("fail", {}, "error: fault", "RuntimeError: no such block"),
        ("nonesuch", {}, "error: fault", "AttributeError"),
        ("_channel", {}, "error: fault", "no question '_channel'"),
        ("echo", {"too": 1}, "error: fault", "TypeError"),
    ],
)
def test_an_error_in_a_worker_is_told_with_role_phase_and_reason(spec, verb, arguments, reason, detail):
    with Group([spec()]) as group:
        failed = lost(group, {"prefill": (verb, arguments)})
    assert (failed.role, failed.phase, failed.reason) == ("prefill", "trying", reason)
    assert detail in failed.detail


@pytest.mark.parametrize(
    ("question", "reason", "detail"),
    [
        (("leave", {"status": 0}), "left with status 0", "goodbye"),
        (("leave", {"status": 3}), "left with status 3", "goodbye"),
        (("unspeakable", {}), "left with status 1", "not JSON serializable"),
        (("kill_self", {}), "killed by SIGKILL", ""),
        (("kill_self", {"number": int(signal.SIGSEGV)}), "killed by SIGSEGV", ""),
        (("kill_self", {"number": signal.SIGRTMIN + 3}), f"killed by signal {signal.SIGRTMIN + 3}", ""),
        (("shout", {"text": "warning: all is well\n"}), "closed its channel: not JSON: b'warning: all is well'", ""),
        (("shout", {"text": "\x00\xff\xfe" * 50 + "\n"}), "closed its channel: not JSON: ", ""),
        (("shout", {"text": "[1]\n"}), "closed its channel: not an object: b'[1]'", ""),
        (("shout", {"text": "[" * 200_000 + "\n"}), "closed its channel: not JSON: ", ""),
        (("close_channel", {}), "closed its channel: end of file", ""),
    ],
)
def test_the_end_of_a_worker_is_told_with_role_phase_and_reason(spec, monkeypatch, question, reason, detail):
    """Long before the deadline: nothing of this needs to be waited for."""
    if reason.startswith("closed"):  # it lives on: no need to wait for its death
        monkeypatch.setattr(supervisor, "_GRACE_S", 0.05)
    with Group([spec("decode"), spec("prefill")]) as group:
        failed = lost(group, {"prefill": question})
    assert (failed.role, failed.phase) == ("prefill", "trying")
    assert failed.reason.startswith(reason)
    assert detail in failed.detail


@pytest.mark.parametrize(
    ("verb", "arguments", "reason", "detail"),
    [
        ("hang", {}, "no answer", "waited 0.4 s for prefill"),
        ("kill_self", {"number": int(signal.SIGSTOP)}, "stopped", "the process was stopped; waited 0.4 s"),
        ("shout", {"text": "half a line"}, "no answer", "waited 0.4 s for prefill"),
    ],
)
def test_what_never_answers_is_lost_at_the_deadline(spec, verb, arguments, reason, detail):
    with Group([spec("decode"), spec("prefill")]) as group:
        wait_until_up(group)
        begun = time.monotonic()
        failed = lost(group, {"prefill": (verb, arguments)}, DEADLINE_S)
        assert DEADLINE_S <= time.monotonic() - begun < SLACK * DEADLINE_S
    assert (failed.role, failed.phase, failed.reason, failed.detail) == ("prefill", "trying", reason, detail)


def test_a_worker_that_was_not_asked_is_missed_when_it_dies(spec):
    with Group([spec("decode"), spec("prefill")]) as group:
        wait_until_up(group)
        os.kill(group.pids()["decode"], signal.SIGKILL)
        failed = lost(group, {"prefill": ("hang", {})})
    assert (failed.role, failed.reason) == ("decode", "killed by SIGKILL")


def test_a_dead_peer_is_blamed_rather_than_the_worker_that_complains(spec, monkeypatch):
    """Though the complaint is the first that is heard of it."""
    monkeypatch.setattr(supervisor, "_GRACE_S", 10.0)
    with Group([spec("decode"), spec("prefill")]) as group:
        wait_until_up(group)
        failed = lost(group, {"decode": ("kill_self", {"after_s": 0.2}), "prefill": ("fail", {})})
    assert (failed.role, failed.reason) == ("decode", "killed by SIGKILL")


def test_a_stopped_peer_is_blamed_rather_than_the_worker_that_waits_for_it(spec):
    with Group([spec("prefill"), spec("decode")]) as group:
        wait_until_up(group)
        questions = {"prefill": ("hang", {}), "decode": ("kill_self", {"number": int(signal.SIGSTOP)})}
        failed = lost(group, questions, DEADLINE_S)
    assert (failed.role, failed.reason) == ("decode", "stopped")


def test_a_server_that_cannot_be_loaded_is_told_with_its_traceback(spec):
    with Group([spec(server="no_such_module:Server")]) as group:
        failed = lost(group, {"prefill": ("role", {})})
    assert failed.reason == "left with status 1"
    assert "ModuleNotFoundError: No module named 'no_such_module'" in failed.detail


def test_leaving_leaves_no_process(spec):
    """Idle workers leave on their own, with status 0."""
    with Group([spec("decode"), spec("prefill")]) as group:
        pids = list(group.pids().values())
        wait_until_up(group)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert [worker.process.returncode for worker in group._workers.values()] == [0, 0]


def test_leaving_by_an_exception_kills_what_hangs_is_stopped_or_was_started_by_a_worker(spec, gone):
    group = Group([spec("decode"), spec("prefill")])
    pids = list(group.pids().values())
    child = group.ask("child", {"prefill": ("start_child", {})}, PLENTY_S)["prefill"]
    os.kill(pids[0], signal.SIGSTOP)
    with pytest.raises(KeyboardInterrupt), group:
        raise KeyboardInterrupt
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert gone(child, SLACK)


def test_a_worker_that_cannot_be_started_leaves_none_of_the_others(spec, tmp_path, monkeypatch):
    started = []
    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **named: started.append(real(*args, **named)) or started[-1])
    with pytest.raises(FileNotFoundError):
        Group([spec("decode"), spec("prefill", log=tmp_path / "no such folder" / "log")])
    assert [process.returncode for process in started] == [-signal.SIGKILL]


def test_a_program_that_cannot_be_started_leaves_no_socket(spec, monkeypatch):
    """An open socket would be a ResourceWarning, which is an error here."""
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(FileNotFoundError):
        Group([spec()])


_SUPERVISOR = """
import os, sys
from pathlib import Path
from suite.world.supervisor import Group, WorkerSpec

def spec(role):
    return WorkerSpec(role, "misbehaving:Misbehaving", os.environ, sorted(os.sched_getaffinity(0)), Path(sys.argv[1]))

group = Group([spec("decode"), spec("prefill")])
print(*group.pids().values(), flush=True)
group.ask("spin", {"decode": ("spin", {"pipe": sys.argv[2]}), "prefill": ("hang", {})}, 600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_survives_its_supervisor(spec, gone, tmp_path, number):
    """Not even in a busy loop that never looks at its channel."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command = [sys.executable, "-P", "-c", _SUPERVISOR, str(tmp_path / "log"), str(pipe)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=spec().environment, text=True) as process:
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert pipe.read_bytes() == b"."  # the one is spinning
        os.kill(process.pid, number)
    assert len(pids) == 2
    assert all(gone(pid, SLACK) for pid in pids)


def test_the_environment_is_exactly_what_was_given(spec, monkeypatch):
    monkeypatch.setenv("UCX_TLS", "must not be inherited")
    environment = {"PYTHONPATH": spec().environment["PYTHONPATH"], "A": "b=c \n ü", "EMPTY": ""}
    with Group([spec(environment=environment)]) as group:
        assert group.ask("environment", {"prefill": ("environment", {})}, PLENTY_S)["prefill"] == environment


def test_a_worker_is_pinned_to_its_cores(spec):
    cores = sorted(os.sched_getaffinity(0))
    with Group([spec("prefill", cores=cores[:1]), spec("decode", cores=cores[-1:])]) as group:
        pinned = group.ask("cores", dict.fromkeys(("decode", "prefill"), ("cores", {})), PLENTY_S)
    assert pinned == {"prefill": cores[:1], "decode": cores[-1:]}
    assert sorted(os.sched_getaffinity(0)) == cores


@pytest.mark.parametrize("room", ["suite", "perf"])
def test_a_folder_of_the_users_does_not_hide_ours(spec, tmp_path, monkeypatch, room):
    (tmp_path / room).mkdir()
    (tmp_path / room / "__init__.py").write_text("raise AssertionError('the wrong one')\n")
    monkeypatch.chdir(tmp_path)
    with Group([spec(server="perf.server:PointServer")]) as group:
        group.ask("begin", {"prefill": ("begin", {"nbytes": 1 << 16, "pages": "4k"})}, PLENTY_S)
        told = {"agent": "p0-prefill", "transport": "copy", "settings": {}, "op": "push", "memory": "host"}
        opened = group.ask("open", {"prefill": ("open", told)}, PLENTY_S)
    assert opened["prefill"]["allocation"] == "4k"


def test_what_a_worker_prints_is_in_its_log_and_not_in_the_channel(spec):
    one = spec()
    with Group([one]) as group:
        lost(group, {"prefill": ("fail", {})})
    assert "RuntimeError: no such block" in one.log.read_text()


def test_a_worker_that_starts_through_another_command_is_still_our_child(spec, gone):
    """The command becomes the worker, so it can be watched and killed like any other."""
    with Group([spec(prefix=("/usr/bin/env", "THROUGH=another"))]) as group:
        told = group.ask("trying", {"prefill": ("environment", {})}, PLENTY_S)["prefill"]
        assert told["THROUGH"] == "another"
        pid = group.pids()["prefill"]
        assert b"suite.world.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
        group.kill()
        assert gone(pid, PLENTY_S)


def test_a_command_that_never_becomes_a_worker_is_told(spec):
    with Group([spec(prefix=("/bin/false",))]) as group:
        assert lost(group, {"prefill": ("role", {})}).reason == "left with status 1"
