"""Errors that a user can act on, and the codes that scripts see."""

from __future__ import annotations

import pytest

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
