"""Sizes, rates and times as people read and write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import BadInput
from suite.units import format_bytes, format_ns, format_rate, gb_per_s, parse_bytes

FACTORS = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


@given(st.integers(0, 10**15 - 1), st.sampled_from(sorted(FACTORS)), st.sampled_from(("", " ", "\t")))
def test_a_whole_number_with_a_unit_is_a_size(number: int, unit: str, gap: str) -> None:
    """Bytes, KiB, MiB and GiB are powers of two, with or without a gap and blanks around."""
    assert parse_bytes(f" {number}{gap}{unit}\n") == number * FACTORS[unit]


@pytest.mark.parametrize(
    "text",
    ["", "KiB", "-1", "+1", "1.5 KiB", "1e3", "64kib", "64KB", "64K", "1 TiB", "1,000", "0x10", "\u0664 KiB", "1 KiB 2",
     "9" * 16],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    """Fractions, signs, other units, other digits and absurd lengths are refused with an example."""
    with pytest.raises(BadInput, match="is not a size") as caught:
        parse_bytes(text)
    assert caught.value.code == "bad-size"
    assert "64KiB" in caught.value.hint


@given(st.text())
def test_any_text_is_a_size_or_bad_input(text: str) -> None:
    """No text makes the parser fail in another way."""
    try:
        assert parse_bytes(text) >= 0
    except BadInput:
        return


@given(st.integers(1, 999), st.sampled_from(("B", "KiB", "MiB", "GiB")))
def test_sizes_of_specs_are_printed_as_they_are_parsed(number: int, unit: str) -> None:
    """A whole number of a unit is printed so, and reading it gives the same bytes."""
    nbytes = number * FACTORS[unit]
    assert parse_bytes(format_bytes(nbytes)) == nbytes
    assert format_bytes(nbytes) == f"{number} {unit}"


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [
        (0, "0 B"),
        (0.5, "0.5 B"),
        (1, "1 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (4 << 20, "4 MiB"),
        (1234567, "1.18 MiB"),
        (123456789, "118 MiB"),
        (5 << 40, "5120 GiB"),
    ],
)
def test_sizes_have_the_largest_unit_and_three_digits(nbytes: float, text: str) -> None:
    """The unit is the largest that keeps the number at or above one."""
    assert format_bytes(nbytes) == text


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (0, "0 ns"),
        (0.25, "0.25 ns"),
        (1, "1 ns"),
        (999, "999 ns"),
        (1_000, "1 us"),
        (1_234, "1.23 us"),
        (12_345_678, "12.3 ms"),
        (5e9, "5 s"),
        (3.6e12, "3600 s"),
    ],
)
def test_times_have_the_unit_a_reader_would_choose(duration_ns: float, text: str) -> None:
    """Nanoseconds, microseconds, milliseconds and seconds, three digits."""
    assert format_ns(duration_ns) == text


@given(st.integers(1, 1 << 50), st.integers(1, 10**15))
def test_rates_are_bytes_per_nanosecond(nbytes: int, duration_ns: int) -> None:
    """GB/s are 1e9 bytes per second."""
    assert gb_per_s(nbytes, duration_ns) == pytest.approx(nbytes / 1e9 / (duration_ns / 1e9))


@pytest.mark.parametrize(
    ("rate", "text"),
    [(0, "0 GB/s"), (0.0123, "0.0123 GB/s"), (7.256, "7.26 GB/s"), (10, "10 GB/s"), (123.4, "123 GB/s")],
)
def test_rates_have_three_digits(rate: float, text: str) -> None:
    """Three digits are as many as a measurement is worth."""
    assert format_rate(rate) == text
