"""The style sheet: text is readable in both themes, colours are variables, and nothing moves."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import product

import pytest

SHEET = files("reports").joinpath("templates", "report.css").read_text("utf-8")
READABLE = 4.5  # WCAG 2.2, 1.4.3, level AA, for text of any size
TEXT = ("ink", "quiet", "accent", "good", "bad", "warn", "ceiling", *(f"c{number}" for number in range(1, 9)))
THEMES = ("light", "dark")
Colour = tuple[float, ...]


def variables(theme: str) -> dict[str, Colour]:
    """Return the colours of one theme, each channel from 0 to 1."""
    pairs = re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", SHEET)
    return {name: tuple(channel / 255 for channel in bytes.fromhex(pair[theme == "dark"][1:])) for name, *pair in pairs}


def luminance(colour: Colour) -> float:
    """WCAG 2.2, relative luminance."""
    linear = [channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Colour, other: Colour) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def mixed(share: float, one: Colour, other: Colour) -> Colour:
    """Return what `color-mix(in srgb, one share, other)` is."""
    return tuple(share * a + (1 - share) * b for a, b in zip(one, other, strict=True))


def test_the_measure_is_right() -> None:
    assert contrast((0.0,) * 3, (1.0,) * 3) == pytest.approx(21)
    assert contrast((119 / 255,) * 3, (1.0,) * 3) == pytest.approx(4.48, abs=0.01)  # a known near miss


@pytest.mark.parametrize(("theme", "text", "ground"), [*product(THEMES, TEXT, ("paper", "page"))])
def test_text_is_readable_in_both_themes(theme: str, text: str, ground: str) -> None:
    colours = variables(theme)
    assert contrast(colours[text], colours[ground]) >= READABLE


@pytest.mark.parametrize(("theme", "text"), [*product(THEMES, ("ink", "warn"))])
def test_a_banner_is_readable(theme: str, text: str) -> None:
    colours = variables(theme)
    assert contrast(colours[text], colours["warn-paper"]) >= READABLE


@pytest.mark.parametrize("theme", THEMES)
def test_a_pressed_button_is_readable(theme: str) -> None:
    colours = variables(theme)
    assert contrast(colours["paper"], colours["accent"]) >= READABLE


@pytest.mark.parametrize(("theme", "text"), [*product(THEMES, ("ink", "quiet", "bad", "good"))])
def test_shaded_cells_of_the_matrix_are_readable(theme: str, text: str) -> None:
    colours = variables(theme)
    shades = [
        int(share) for share in re.findall(r"color-mix\(in srgb, var\(--accent\) (\d+)%, var\(--paper\)\)", SHEET)
    ]
    assert len(shades) == 4
    for share in shades:
        assert contrast(colours[text], mixed(share / 100, colours["accent"], colours["paper"])) >= READABLE


def test_colours_are_written_in_one_place() -> None:
    """Then `light-dark` and the theme on the root element decide everywhere."""
    rules = re.sub(r":root[^{]*\{[^}]*\}", "", SHEET)
    assert not re.search(r"#[0-9a-f]{3,8}\b(?![^{]*\{)|\brgba?\(|\bhsla?\(", rules)


def test_nothing_moves() -> None:
    """Whoever asks for reduced motion needs no rule of their own."""
    assert not re.search(r"\b(animation|transition|scroll-behavior|@keyframes)\b", SHEET)
