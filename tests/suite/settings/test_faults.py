"""Faults are printable, short and complete."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import BadInput, Exit
from suite.settings.faults import Fault, SettingsError, escaped, show, show_name, suggestion

ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.lists(st.text())


@given(ANYTHING)
def test_shown_values_are_short_printable_ascii(value: object) -> None:
    """No value can reach the terminal as anything but one short line of printable ASCII."""
    shown = show(value)
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) < 120


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        (b"\xff", r"'\xff'"),
        (b"on", "'on'"),
        ("\x1b[2J", r"'\x1b[2J'"),
        pytest.param(16**5000, "a huge number", id="huge"),
    ],
)
def test_values_are_shown_as_yaml_or_escaped(value: object, shown: str) -> None:
    """YAML's words stand for null and booleans, text is quoted, the rest is escaped."""
    assert show(value) == shown


def test_long_values_are_cut_and_their_length_told() -> None:
    """A huge value takes one line, which says how much is left out."""
    assert show(b"x" * 1_000_000).endswith("... (1000002 characters)")
    assert len(escaped("x" * 1_000_000)) < 250


def test_names_are_shown_as_typed_if_they_are_plain() -> None:
    """A plain name has no quotes, any other is escaped."""
    assert show_name(b"DYN_KVBM_x") == "DYN_KVBM_x"
    assert show_name(b"\xff") == r"'\xff'"
    assert show_name("\N{CYRILLIC CAPITAL LETTER HA}") == r"'\u0425'"


def test_suggestions_ignore_case_and_are_silent_about_strangers() -> None:
    """A near miss in any letter case is found; an unlike or gigantic word costs nothing and finds nothing."""
    assert suggestion("nixl", ["UCX", "NIXL"]) == "NIXL"
    assert suggestion("mooncak", ["UCX", "MOONCAKE"]) == "MOONCAKE"
    assert suggestion("POSIX", ["UCX", "GDS"]) == ""
    assert suggestion("z" * 10_000_000, ["UCX"]) == ""


def test_one_fault_is_one_line_and_many_are_a_short_list() -> None:
    """One fault is the message; many are counted, the first twenty shown and all kept."""
    one = Fault("A", "'x'", "is wrong", "y")
    assert str(SettingsError([one], "f.yaml")) == "f.yaml: A='x' is wrong. Accepted: y"
    many = SettingsError([one] * 1000)
    assert many.message.startswith("1000 settings cannot be accepted:")
    assert many.message.endswith("and 980 more")
    assert len(many.faults) == 1000


def test_a_settings_error_is_a_value_error_for_strangers() -> None:
    """Callers that know nothing of us catch `ValueError`; commands leave with the code for wrong use."""
    error = SettingsError([Fault("A", "'x'", "is wrong", "y")])
    assert isinstance(error, ValueError)
    assert isinstance(error, BadInput)
    assert error.exit_code is Exit.USAGE
