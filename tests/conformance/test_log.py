"""A program whose log tells: what is read from it, and what it may do."""

from __future__ import annotations

import os
import time

import pytest

from conformance.implementations.log import Log
from conformance.verdict import ImplementationBroke, Refused
from suite.errors import BadInput, Exit, Missing

GDS = b"DYN_KVBM_NIXL_BACKEND_GDS"


@pytest.fixture
def log(tmp_path):
    """Return what makes a `Log` of a shell script and a regular expression; the script has no PATH."""

    def make(script, pattern, **options):
        (tmp_path / "server").write_text(script, encoding="utf-8")
        return Log(f"/bin/sh '{tmp_path}/server' --- {pattern}", **options)

    return make


@pytest.mark.parametrize(
    ("printed", "backends"),
    [
        ("backends: UCX", ("UCX",)),
        ("backends: [UCX, GDS]", ("UCX", "GDS")),
        ('backends: {"UCX","GDS"}', ("UCX", "GDS")),
        ("backends: ", ()),
        ("backends: []", ()),
        (r"\033[32mINFO\033[0m backends: \033[1mUCX GDS\033[0m", ("UCX", "GDS")),
    ],
)
@pytest.mark.parametrize("stream", [1, 2])
def test_a_line_is_read(log, printed, backends, stream):
    server = log(f"printf 'starting\n{printed}\n' >&{stream}", "backends: (.*)")
    assert server.backends({}) == backends
    assert server.answers == {"backends"}
    server.close()


def test_it_has_exactly_the_environment(log):
    server = log('echo "backends: $DYN_KVBM_NIXL_BACKEND_GDS $HOME"', "backends: (?P<backends>.*)")
    assert server.backends({GDS: b"\xff1"}) == ("�1",)
    assert server.backends({}) == ()


def test_a_refusal_is_read(log):
    server = log("echo 'invalid value \x1b[31m'; exit 1", r"backends: (?P<backends>.*)|(?P<refused>invalid .*)")
    with pytest.raises(Refused, match="invalid value"):
        server.backends({})


def test_it_is_killed_once_it_has_told(log):
    begun = time.monotonic()
    assert log("echo 'backends: UCX'; /bin/sleep 60 & echo $!; wait", "backends: (.*)").backends({}) == ("UCX",)
    assert time.monotonic() - begun < 5


def test_a_line_is_not_read_before_it_is_whole(log):
    assert log("printf 'backends: U'; /bin/sleep 0.2; echo CX", "backends: (.*)").backends({}) == ("UCX",)
    assert log("printf 'backends: UCX'", "backends: (.*)").backends({}) == ("UCX",)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo '\x1b[31mother'", "its last line: 'other'"),
        ("exit 3", "nothing that matches"),
        ("exec /bin/sleep 60", "did not end in 0.4 s"),
        ("/bin/sleep 60 & /bin/sleep 60 & wait", "did not end in 0.4 s"),
        ("exec /bin/cat /dev/zero", "wrote more than 1048576 bytes"),
        ("while :; do echo; done", "(wrote more than|did not end)"),
        ("exec >&- 2>&-; exec /bin/sleep 60", "nothing that matches"),
        ("kill -9 $$", "nothing that matches"),
    ],
)
def test_what_does_not_tell_broke(log, script, told):
    begun = time.monotonic()
    with pytest.raises(ImplementationBroke, match=told) as broke:
        log(script, "backends: (.*)", deadline_s=0.4).backends({})
    assert time.monotonic() - begun < 4
    assert "\x1b" not in str(broke.value)


def test_a_catastrophic_expression_is_stopped(log):
    server = log("echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", "(a+)+$")
    with pytest.raises(ImplementationBroke, match="takes for ever"):
        server.backends({})


def test_a_long_list_broke(log):
    server = log("i=0; while [ $i -lt 1100 ]; do printf 'x '; i=$((i+1)); done", "(.*)")
    with pytest.raises(ImplementationBroke, match="more than 1000 names"):
        server.backends({})


@pytest.mark.parametrize(
    "text",
    ["/bin/echo", "/bin/echo --- (", "/bin/echo --- x", "/bin/echo --- (?P<refused>x)", " --- (x)", "'a --- (x)"],
)
def test_a_bad_name_is_bad_input(text):
    with pytest.raises(BadInput):
        Log(text)


def test_a_missing_command_is_missing():
    with pytest.raises(Missing, match="no-such-server") as missing:
        Log("no-such-server --- (x)")
    assert missing.value.exit_code == Exit.MISSING


def test_an_environment_that_no_process_can_have_is_bad_input():
    with pytest.raises(BadInput, match="environment"):
        Log("/bin/echo --- (x)").backends({b"A": b"\0"})


def test_it_does_not_answer_for_the_method():
    with pytest.raises(BadInput):
        Log("/bin/echo --- (x)").method({}, {})


def test_a_command_that_cannot_be_started_broke(tmp_path):
    command = tmp_path / "garbage"
    command.write_bytes(os.urandom(64))
    command.chmod(0o755)
    with pytest.raises(ImplementationBroke, match="cannot be started"):
        Log(f"'{command}' --- (x)").backends({})
