"""`exec:` against real processes, most of them hostile: a clear error in bounded time and memory, and the next question works."""

from __future__ import annotations

import json
import os
import resource
import shlex
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from conformance.implementations.harness import Harness
from conformance.implementations.messages import schema
from conformance.verdict import ImplementationBroke, Refused
from suite.errors import BadInput, Exit, Missing

HERE = Path(__file__).parent
PYTHON = [sys.executable, "-I", "-S"]
SCHEMA = HERE.parent.parent / "conformance" / "implementations" / "harness.schema.json"
START = '{"kvgauge": 1, "name": "x", "version": "1", "answers": ["backends"], "environment": "%s"}'
NOW = {b"NOW": b"1"}


def strange(how, *arguments, **options):
    return Harness(shlex.join([*PYTHON, str(HERE / "strange_harness.py"), how, *map(str, arguments)]), **options)


def shell(script, **options):
    return Harness(shlex.join(["/bin/sh", "-c", script]), **options)


def alive(pid):
    """Whether a process runs; one that waits to be reaped, by whoever inherited it, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_dead(pid, seconds=3.0):
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_questions_and_answers():
    with closing(strange("crash")) as harness:
        assert harness.answers == {"backends", "method"}
        assert (harness.profile, harness.note) == ("source-page", "strange 1")
        assert harness.name.startswith("exec:")
        assert harness.backends({b"B": b"\xff", b"A": b""}) == ("B", "A")  # in order
        assert harness.method({"a": {"b": [1, None]}}, {}) == '{"a": {"b": [1, null]}}'
        with pytest.raises(Refused, match=r"^no ") as refused:
            harness.backends({b"NO": b""})
        assert harness.backends({b"A": b""}) == ("A",)
        assert "\x1b" not in str(refused.value)


def test_a_long_question_and_a_long_answer():
    """Both are larger than a pipe holds."""
    with closing(strange("crash")) as harness:
        names = [f"{number:04}".ljust(900, "x") for number in range(900)]
        assert harness.backends({name.encode(): b"v" * 500 for name in names}) == tuple(names)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("silent", "did not answer in 0.4 s"),
        ("late", "did not answer in 0.4 s"),
        ("crash", "killed by SIGSEGV"),
        ("leave", "left with status 3"),
        ("close", "closed its output"),
        ("a gigabyte without an end", "a line of more than 1048576 bytes"),
        ("a gigabyte of lines", "more than the one line"),
        ("a gigabyte on stderr", "did not answer"),
        ("deaf", "did not answer"),
        ("binary", "no JSON"),
        ("escapes", "no JSON"),
        ("two answers", "more than the one line"),
        ("deep", "no JSON"),
        ("a list", "not a JSON object"),
        ("null", "not a JSON object"),
        ("NaN", "no JSON"),
        ("nothing", "backends: Field required"),
        ("more", "extra: Extra inputs"),
        ("a text", "valid list"),
        ("a number", "valid string"),
        ("a method", "backends: Field required"),
        ("many", "at most 1000"),
        ("long", "at most 10000"),
        ("refusal of 3", "refused: "),
        ("both", "backends: Extra inputs"),
    ],
)
def test_what_is_no_answer_broke_and_the_next_question_is_answered(how, told):
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with closing(strange(how, deadline_s=5.0)) as harness:
        harness._patience._deadline_s = 0.4  # the start was not hurried
        begun = time.monotonic()
        with pytest.raises(ImplementationBroke, match=told) as broke:
            harness.backends(NOW)
        assert time.monotonic() - begun < 3
        harness._patience._deadline_s = 5.0
        assert harness.backends({b"A": b"1"}) == ("A",)
    assert str(broke.value).startswith("exec:")
    assert str(broke.value).replace("\n", "").isprintable()
    assert len(str(broke.value)) < 2000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 20_000  # KiB


def test_the_last_words_are_shown():
    with closing(strange("crash")) as harness, pytest.raises(ImplementationBroke) as broke:
        harness.backends(NOW)
    assert "on stderr:\n  first words\n  last words \\x1b[31m" in str(broke.value)


def test_a_line_too_many_is_found_at_the_next_question():
    script = f"""read a; echo '{START % "question"}'; read a; echo '{{"backends": []}}'; /bin/sleep 0.2; echo again; read a; echo '{{"backends": []}}'; read a"""
    with closing(shell(script)) as harness:
        time.sleep(0.5)
        with pytest.raises(ImplementationBroke, match=r"no question asked for: .*again"):
            harness.backends({})


def test_many_late_answers_do_not_cost_the_whole_deadline():
    with closing(strange("silent", deadline_s=30.0)) as harness:
        harness._patience._misses = 6
        begun = time.monotonic()
        with pytest.raises(ImplementationBroke, match="did not answer"):
            harness.backends(NOW)
        assert time.monotonic() - begun < 15


def test_close_kills_what_it_started(tmp_path):
    told = tmp_path / "pid"
    with closing(strange("children", told)) as harness:
        assert harness.backends(NOW) == ()
        pid = int(told.read_text("ascii"))
        assert alive(pid)
    assert wait_until_dead(pid)
    harness.close()  # twice does no harm


def test_a_harness_that_was_forgotten_is_killed():
    harness = strange("crash")
    pid = harness._child._process.pid
    del harness
    assert wait_until_dead(pid)


def test_it_dies_with_us(tmp_path):
    """Also by SIGKILL, and although it ignores the end of its stdin."""
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[2])\n"
        "from conformance.implementations.harness import Harness\n"
        "harness = Harness(sys.argv[1]); print(harness._child._process.pid, flush=True); time.sleep(600)\n"
    )
    script = (
        f"""read a; echo '{START % "question"}'; read a; echo '{{"backends": []}}'; while :; do /bin/sleep 0.1; done"""
    )
    command = shlex.join(["/bin/sh", "-c", script])
    with subprocess.Popen(
        [sys.executable, "-c", code, command, str(HERE.parent.parent)], stdout=subprocess.PIPE, cwd=tmp_path
    ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.send_signal(signal.SIGKILL)
    assert wait_until_dead(pid)


FRESH = f"""read q; case $q in *start*) echo '{START % "process"}';; *) %s;; esac"""


def test_a_fresh_process_has_exactly_the_environment():
    script = (
        "import json, os\nq = json.loads(input())\n"
        f"print({START % 'process'!r} if q['do'] == 'start' else "
        "json.dumps({'backends': [n.decode('latin-1') + '=' + v.decode('latin-1') for n, v in os.environb.items()]}))\n"
    )
    script = script.replace("q['do'] == 'start'", "(q['do'] == 'start' and 'kvgauge' in q)")
    with closing(Harness(shlex.join([*PYTHON, "-X", "utf8", "-c", script]))) as harness:
        given = {b"B": b"\xff", b"DYN_KVBM_NIXL_BACKEND_GDS": b"1", b"A": b"", b"LC_ALL": b"C.UTF-8"}
        names = harness.backends(given)
    assert [name for name in names if not name.startswith("LC_CTYPE=")] == [
        "B=\xff", "DYN_KVBM_NIXL_BACKEND_GDS=1", "A=", "LC_ALL=C.UTF-8"
    ]  # fmt: skip


def test_a_fresh_process_is_not_told_the_environment_and_stdin_ends():
    with closing(shell(FRESH % """read more && exit 9; echo '{"backends": ["'${#q}'"]}'""")) as harness:
        assert harness.backends(NOW) == (str(len('{"do": "backends"}')),)


def test_a_fresh_process_that_hangs_or_crashes_costs_one_question():
    script = FRESH % """case $NOW in hang) /bin/sleep 600;; crash) exit 4;; *) echo '{"backends": []}';; esac"""
    with closing(shell(script, deadline_s=1.0)) as harness:
        with pytest.raises(ImplementationBroke, match="did not answer in 1 s"):
            harness.backends({b"NOW": b"hang"})
        with pytest.raises(ImplementationBroke, match="left with status 4"):
            harness.backends({b"NOW": b"crash"})
        assert harness.backends({}) == ()
        with pytest.raises(BadInput, match="environment"):
            harness.backends({b"A=B": b"x"})


def test_the_callers_own_settings_have_no_say(monkeypatch):
    monkeypatch.setenv("DYN_KVBM_NIXL_BACKEND_GDS", "1")
    monkeypatch.setenv("dyn_kvbm_nixl_backend_gds", "1")
    monkeypatch.setenv("MINE", "kept")
    answer = """echo '{"backends": ["'$DYN_KVBM_NIXL_BACKEND_GDS$dyn_kvbm_nixl_backend_gds$MINE'"]}'"""
    with closing(shell(f"read q; echo '{START % 'question'}'; while read q; do {answer}; done")) as harness:
        assert harness.backends({}) == ("kept",)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("exit 127", "left with status 127"),
        ("read q; echo hello", "no JSON"),
        ("""read q; echo '{"kvgauge": 2}'; read q""", "speaks version 2 of the protocol; this kvgauge speaks 1"),
        ("""read q; echo '{"kvgauge": true}'; read q""", "speaks version True"),
        ("""read q; echo '{"name": "x"}'; read q""", "speaks version None"),
        (f"read q; echo '{START.replace('backends', 'all') % 'question'}'; read q", "answers.0"),
        (f"read q; echo '{START % 'none'}'; read q", "environment: "),
        (f"read q; echo '{START % 'question'}'; exit 5", "status 5"),
        (f"read q; echo '{START % 'question'}'; read q; /bin/sleep 600", "did not answer"),
        (f"read q; echo '{START % 'question'}'; read q; echo '{{}}'; read q", "Field required"),
        (FRESH % "exit 6", "status 6"),
        ("/bin/sleep 600", "did not answer"),
    ],
)
def test_a_broken_harness_is_missing_and_not_a_verdict(script, told):
    begun = time.monotonic()
    with pytest.raises(Missing, match=told) as missing:
        shell(script, deadline_s=0.3)
    assert time.monotonic() - begun < 3
    assert missing.value.exit_code == Exit.MISSING
    assert "the harness exec:/bin/sh" in missing.value.message
    assert str(missing.value).replace("\n", "").isprintable()


def test_a_refusal_of_the_first_question_is_no_broken_harness():
    refuse = """echo '{"refused": "no"}'"""
    shell(f"read q; echo '{START % 'question'}'; while read q; do {refuse}; done").close()


def test_a_harness_for_the_method_alone_is_asked_that_first():
    start = START.replace("backends", "method") % "question"
    with closing(shell(f"""read q; echo '{start}'; while read q; do echo '{{"method": "ucx"}}'; done""")) as harness:
        assert harness.answers == {"method"}


@pytest.mark.parametrize(
    ("command", "error"), [("no-such-harness", Missing), ("'", BadInput), ("", BadInput), (str(SCHEMA), Missing)]
)
def test_a_command_that_is_not_there(command, error):
    with pytest.raises(error):
        Harness(command)


def test_a_file_that_is_no_program_is_missing(tmp_path):
    (tmp_path / "garbage").write_bytes(os.urandom(64))
    (tmp_path / "garbage").chmod(0o755)
    with pytest.raises(Missing, match="cannot be started"):
        Harness(shlex.quote(str(tmp_path / "garbage")))


@pytest.mark.parametrize("config", [{"a": float("nan")}, {"a": b""}, {"a": object()}])
def test_a_configuration_that_json_cannot_hold_is_bad_input(config):
    with closing(strange("crash")) as harness:
        with pytest.raises(BadInput, match="JSON"):
            harness.method(config, {})
        assert harness.method({}, {}) == "{}"


def test_the_shipped_schema_is_that_of_the_code():
    assert json.loads(SCHEMA.read_text("utf-8")) == json.loads(schema())


@pytest.mark.deep
@pytest.mark.parametrize("how", ["a gigabyte on stderr", "a gigabyte without an end", "a gigabyte of lines"])
def test_again_and_again_leaves_no_descriptor_and_no_memory(how):
    with closing(strange(how, deadline_s=1.0)) as harness:
        open_before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(8):
            with pytest.raises(ImplementationBroke):
                harness.backends(NOW)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(16):
            with pytest.raises(ImplementationBroke):
                harness.backends(NOW)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 5_000
    assert len(list(Path("/proc/self/fd").iterdir())) < open_before
