"""The options of `kvgauge sweep` that are about A and B, and what they ask for."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from perf.ab.variants import Variant
    from perf.comparing.gate import Condition
    from perf.spec import SweepSpec

LAUNCHES = 12  # of an A/B, unless its points need more, or others are asked for
SMALLEST = "2%"
NO_AB = "--fail-on and --smallest are about A and B: see --ab, and kvgauge compare for two runs"
NAMES = ("ab", "fail_on", "smallest")
_PERCENT = re.compile(r"(\d{1,2}(?:\.\d{1,3})?)\s?%", re.ASCII)
_OPTIONS = (
    click.option(
        "--ab",
        nargs=2,
        metavar="A B",
        help="Measure A and B side by side in every launch; each is NAME=VALUE[,...], default, venv:PATH or command:LINE.",
    ),
    click.option(
        "--fail-on",
        multiple=True,
        metavar="CONDITION",
        help="With --ab: exit 1 for points of B that are slower, slower:5% (or more), or inconclusive.",
    ),
    click.option(
        "--smallest",
        metavar="PERCENT",
        help=f"With --ab: differences within it are called the same.  [default: {SMALLEST}]",
    ),
)


def comparing(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of an A/B."""
    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(_OPTIONS), command)


@dataclass(frozen=True)
class Request:
    """An A/B as the command line asks for it; without `variants` it asks for none, or for that of a run that goes on."""

    variants: tuple[Variant, ...] = ()
    conditions: tuple[Condition, ...] = ()
    matters: float = 0.0
    told: bool = False  # whether anything was said of how A and B are judged

    @property
    def commands(self) -> bool:
        """Whether A and B are programs of their own."""
        return any(variant.command for variant in self.variants)

    def again(self) -> str:
        """Return what a command line that goes on must repeat, because no run folder may say it."""
        import shlex

        if all(variant.harmless for variant in self.variants):
            return ""
        return f" --ab {shlex.join(variant.text for variant in self.variants)}"


def request(*, ab: tuple[str, str] | None, fail_on: Sequence[str], smallest: str | None) -> Request:
    """Return what was asked for; raises `BadInput`."""
    from perf.ab.variants import parse_both
    from perf.comparing.gate import condition

    return Request(
        variants=parse_both(ab) if ab else (),
        conditions=tuple(condition(text) for text in fail_on),
        matters=_share(smallest or SMALLEST),
        told=bool(fail_on or smallest),
    )


def with_launches(spec: SweepSpec, asked: int | None, *, ab: bool) -> SweepSpec:
    """Return `spec` with as many launches as were asked for, or as an A/B needs to find one changed point."""
    if ab and asked is None:
        from perf.ab.judge import launches_for
        from perf.planning import points

        asked = max(LAUNCHES, launches_for(len(points(spec))))
    return spec if asked is None else spec.model_copy(update={"launches": asked})


def _share(text: str) -> float:
    found = _PERCENT.fullmatch(text)
    if found is None or not float(found[1]):
        raise BadInput("bad-smallest", f"--smallest {text[:60]!r} is no percentage above 0", "write it as 2%")
    return float(found[1]) / 100


def keywords(options: dict[str, Any]) -> dict[str, Any]:
    """Take the options of an A/B out of all options of a command."""
    return {name: options.pop(name) for name in NAMES}
