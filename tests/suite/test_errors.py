"""Errors that a user can act on, and the codes that scripts see."""

from __future__ import annotations

import pickle

import click
import pytest

from suite import cli
from suite.errors import BadInput, Exit, KvgaugeError, Missing, PeerLost, TransferFailed, Unsupported


def test_exit_codes_are_those_of_the_documentation() -> None:
    """0 good, 1 a verdict failed, 2 wrong use, 3 the machine lacks something, 130 interrupted."""
    assert {code.name: code.value for code in Exit} == {
        "GOOD": 0,
        "VERDICT_FAILED": 1,
        "USAGE": 2,
        "MISSING": 3,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [(KvgaugeError, 1), (BadInput, 2), (Missing, 3), (TransferFailed, 1), (PeerLost, 1), (Unsupported, 1)],
)
def test_each_error_has_its_exit_code(error: type[KvgaugeError], code: int) -> None:
    """Wrong input and lacking machines have codes of their own, the rest is a failed verdict."""
    assert error("a", "b").exit_code == code


def test_an_error_says_what_and_how_to_mend_it() -> None:
    """The text is the message and, if there is one, the hint on a line of its own."""
    error = BadInput("bad-size", "'x' is not a size", "write 64KiB")
    assert (error.code, error.message, error.hint) == ("bad-size", "'x' is not a size", "write 64KiB")
    assert str(error) == "'x' is not a size\nwrite 64KiB"
    assert str(BadInput("a", "b")) == "b"


def test_families_of_errors_can_be_caught() -> None:
    """Bad input is a `ValueError` for strangers, and a lost peer is a failed transfer."""
    assert issubclass(BadInput, ValueError)
    assert issubclass(PeerLost, TransferFailed)
    assert all(issubclass(error, KvgaugeError) for error in (BadInput, Missing, TransferFailed, Unsupported))


@pytest.mark.parametrize(
    ("raised", "code", "told"),
    [
        (BadInput("a", "wrong thing", "mend it"), 2, "kvgauge: wrong thing\nmend it\n"),
        (Missing("a", "no GPU"), 3, "kvgauge: no GPU\n"),
        (PeerLost("a", "gone"), 1, "kvgauge: gone\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_the_command_prints_the_error_and_leaves_with_its_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], raised: BaseException, code: int, told: str
) -> None:
    """A user sees the message and the hint and never a traceback; a script sees the code."""

    def fail(**_: object) -> None:
        raise raised

    monkeypatch.setattr(cli.kvgauge, "main", fail)
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == told


def test_a_fault_of_our_own_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not a `KvgaugeError` is a bug, and is not dressed up."""

    def fail(**_: object) -> None:
        raise RuntimeError("bug")

    monkeypatch.setattr(cli.kvgauge, "main", fail)
    with pytest.raises(RuntimeError, match="bug"):
        cli.main()


def test_an_interrupted_command_leaves_with_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control-C inside a command, which click turns into its own way out, is 130 as well."""

    @click.command()
    def forever() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "kvgauge", forever)
    monkeypatch.setattr("sys.argv", ["kvgauge"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 130


@pytest.mark.parametrize("error", [BadInput("a", "b", "c"), Missing("a", "b"), PeerLost("a", "b", "c")])
def test_errors_cross_processes(error: KvgaugeError) -> None:
    """An error can be pickled, as pytest-xdist and process pools do."""
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
    assert (type(again), again.code, again.message, again.hint) == (type(error), error.code, error.message, error.hint)
