"""A function of the user's: what it may answer, and whatever else it may do."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

import pytest

from conformance.implementations.patience import Patience, TooLate, time_limit
from conformance.implementations.python_callable import PythonCallable, from_path
from conformance.verdict import ImplementationBroke, Refused
from suite.errors import BadInput

GDS = {b"DYN_KVBM_NIXL_BACKEND_GDS": b"1"}


def backends(function, environment=GDS, **options):
    return PythonCallable("mine:parse", function, "backends", **options).backends(environment)


def raiser(error):
    def parse(_environment):
        raise error

    return parse


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Return what writes a module that can be imported for one test."""
    monkeypatch.syspath_prepend(tmp_path)
    written = []

    def write(text, name="stranger_settings"):
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        written.append(name)

    yield write
    for name in written:
        sys.modules.pop(name, None)


def test_it_is_given_bytes_and_answers_names():
    seen = []

    def parse(environment):
        seen.append(dict(environment))
        environment.clear()
        return ["GDS"]

    given = dict(GDS)
    assert backends(parse, given) == ("GDS",)
    assert seen == [GDS]
    assert given == GDS


def test_with_two_arguments_it_is_asked_for_the_method():
    def resolve(config, environment):
        config["cache_transceiver_config"]["backend"] = "changed"
        return f"nixl:{len(environment)}"

    config = {"cache_transceiver_config": {"backend": "NIXL"}}
    assert PythonCallable("mine:resolve", resolve, "method").method(config, GDS) == "nixl:1"
    assert config == {"cache_transceiver_config": {"backend": "NIXL"}}


def test_a_value_error_is_a_refusal():
    with pytest.raises(Refused, match="neither on nor off"):
        backends(raiser(ValueError("neither on nor off")))


@pytest.mark.parametrize(
    "error", [RuntimeError("no\x1b[31m"), KeyError("x"), SystemExit(0), pytest.skip.Exception("x")]
)
def test_every_other_exception_broke(error):
    with pytest.raises(ImplementationBroke, match=type(error).__name__) as broke:
        backends(raiser(error))
    assert "in parse" in str(broke.value)
    assert "\x1b" not in str(broke.value)


def test_an_interrupt_is_not_the_implementations():
    with pytest.raises(KeyboardInterrupt):
        backends(raiser(KeyboardInterrupt()))


class Endless(Sequence):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        return "UCX"


class Sore(Sequence):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise ValueError("not an answer, so not a refusal")


class Mute:
    def __repr__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "answer",
    ["UCX", b"UCX", None, 1, {"UCX"}, [b"UCX"], ["UCX", None], ["x" * 10_001], ["UCX"] * 1001, Endless(), Sore(), Mute(),
     [Mute()], ["\x1b[31m", 1], [["UCX"] * 10_000]],
    ids=lambda answer: type(answer).__name__,
)  # fmt: skip
def test_an_answer_of_another_shape_broke(answer):
    with pytest.raises(ImplementationBroke, match="mine:parse") as broke:
        backends(lambda _environment: answer)
    assert len(str(broke.value)) < 1000
    assert "\x1b" not in str(broke.value)


@pytest.mark.parametrize("answer", [None, ["nixl:UCX"], "x" * 10_001, b"ucx"])
def test_a_method_is_a_text(answer):
    with pytest.raises(ImplementationBroke):
        PythonCallable("mine:resolve", lambda _config, _environment: answer, "method").method({}, {})


def test_a_call_that_does_not_return_is_interrupted():
    def parse(_environment):
        while True:
            with suppress(Exception):
                time.sleep(60)

    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(ImplementationBroke, match=r"did not answer in 0\.1 s"):
        backends(parse, deadline_s=0.1)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_an_alarm_that_was_swallowed_rings_again():
    def parse(_environment):
        try:
            time.sleep(60)
        except BaseException:  # noqa: BLE001  what a stranger's parser may do
            time.sleep(60)

    with pytest.raises(ImplementationBroke, match="did not answer"):
        backends(parse, deadline_s=0.1)


def test_in_another_thread_there_is_no_alarm():
    found = []
    thread = threading.Thread(target=lambda: found.append(backends(lambda _environment: ["UCX"])))
    thread.start()
    thread.join()
    assert found == [("UCX",)]


def test_an_alarm_of_somebody_elses_is_given_back():
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 30)
        with pytest.raises(TooLate), time_limit(0.05):
            time.sleep(5)
        assert 25 < signal.getitimer(signal.ITIMER_REAL)[0] < 30
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with time_limit(5):  # theirs rings first
            time.sleep(0.2)
        assert rung == [1]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_patience_runs_out_but_not_below_what_an_answer_takes():
    patience = Patience(0.5)
    for _ in range(6):
        assert patience.left_s == 0.5
        patience._misses += 1
    assert patience.left_s == 0.25
    with patience.waiting():
        time.sleep(0.04)
    assert 0.4 <= patience.left_s <= 0.5


def test_it_is_found_by_its_path(module):
    module("class Settings:\n    @staticmethod\n    def parse(environment, strict=False):\n        return ['UCX']\n")
    found = from_path("stranger_settings:Settings.parse")
    assert (found.name, found.answers, found.profile) == (
        "stranger_settings:Settings.parse",
        {"backends"},
        "source-page",
    )
    assert found.backends({}) == ("UCX",)
    found.close()


def test_two_arguments_are_seen(module):
    module("def resolve(config, environment):\n    return 'ucx'\n")
    assert from_path("stranger_settings:resolve").answers == {"method"}


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("no_such_module:parse", "", "there is no module no_such_module"),
        ("stranger_settings.deeper:parse", "", "stranger_settings"),
        ("stranger_settings:parse", "import no_such_module", "needs the module no_such_module"),
        ("stranger_settings:parse", "x = 1", "has no parse"),
        ("stranger_settings:parse", "def parse(:", "SyntaxError"),
        ("stranger_settings:parse", "raise SystemExit('bye')", "SystemExit"),
        ("stranger_settings:parse", "raise RuntimeError('\\x1b[31m')", "RuntimeError"),
        ("stranger_settings:parse", "parse = 1", "cannot be called"),
        ("stranger_settings:parse", "def parse(): pass", "stranger_settings:parse()"),
        ("stranger_settings:parse", "def parse(a, b, c): pass", "(a, b, c)"),
        ("stranger_settings:parse", "def parse(a, *, b): pass", "(a, *, b)"),
        ("stranger settings:parse", "", "names no function"),
        ("stranger_settings:", "", "names no function"),
        (".relative:parse", "", "names no function"),
        ("a..b:parse", "", "a"),
    ],
)
def test_what_cannot_be_asked_is_bad_input(module, path, text, told):
    module(text)
    with pytest.raises(BadInput) as bad:
        from_path(path)
    assert told in str(bad.value)
    assert "\x1b" not in str(bad.value)
