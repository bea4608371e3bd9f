"""The shapes of marks: lines are told apart without colour, by the same shape in the figure and in its legend."""

from __future__ import annotations

from math import cos, pi, sin
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.path import Path

Corner = tuple[float, float]  # right and up, at most 1 from the middle


def _star(corners: int, inner: float, turn: float = 0.0) -> tuple[Corner, ...]:
    """Return a star; with `inner` 1 it is a polygon of twice as many corners."""
    angles = [pi / 2 + turn + pi * step / corners for step in range(2 * corners)]
    radii = [1.0 if step % 2 == 0 else inner for step in range(2 * corners)]
    return tuple((radius * cos(angle), radius * sin(angle)) for radius, angle in zip(radii, angles, strict=True))


_ARM = 0.36  # half the width of an arm of the plus
_PLUS = (
    (-_ARM, 1.0), (_ARM, 1.0), (_ARM, _ARM), (1.0, _ARM), (1.0, -_ARM), (_ARM, -_ARM),
    (_ARM, -1.0), (-_ARM, -1.0), (-_ARM, -_ARM), (-1.0, -_ARM), (-1.0, _ARM), (-_ARM, _ARM),
)  # fmt: skip

SHAPES: tuple[tuple[Corner, ...], ...] = (
    ((-1.0, 0.45), (1.0, 0.45), (1.0, -0.45), (-1.0, -0.45)),  # 0, the ceiling: a flat bar
    _star(12, 1.0),  # 1: as good as a circle
    ((-0.85, 0.85), (0.85, 0.85), (0.85, -0.85), (-0.85, -0.85)),
    ((0.0, 0.95), (1.0, -0.8), (-1.0, -0.8)),
    ((0.0, 1.0), (0.8, 0.0), (0.0, -1.0), (-0.8, 0.0)),
    ((0.0, -0.95), (1.0, 0.8), (-1.0, 0.8)),
    _PLUS,
    tuple(((x - y) * 0.72, (x + y) * 0.72) for x, y in _PLUS),
    _star(5, 0.45),
)


def marker(number: int) -> Path:
    """Return shape `number`, that of the colour of the same number, as matplotlib wants it."""
    from matplotlib.path import Path

    corners = SHAPES[number]
    return Path([*corners, corners[0]], closed=True)


def polygon(number: int) -> str:
    """Return shape `number` as the points of an SVG polygon around the origin, 10 units wide."""
    return " ".join(_pair(corner) for corner in SHAPES[number])


def _pair(corner: Sequence[float]) -> str:
    right, up = corner
    return f"{round(5 * right, 2) + 0.0:g},{round(-5 * up, 2) + 0.0:g}"
