"""A sequence of calls as data: what hypothesis draws, what is made shorter, what a report shows and a script holds."""

from __future__ import annotations

from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable

SIZE = 16 << 10  # bytes of each side's region
INITIATOR = "initiator"
PEERS = ("target", "other")
MAX_STEPS, MAX_ROWS = 1_000, 64
_MOST = 1 << 16
_HINT = 'as printed: {"steps": [["open", "target", true], ["connect", "target"], ...]}'
_FORMS = MappingProxyType(  # verb -> what it is given
    {
        "open": ("side", "flag"),  # under a new name?
        "close": ("side",),
        "kill": ("side",),
        "register": ("side",),
        "deregister": ("side",),
        "connect": ("peer",),
        "fill": ("side", "number"),  # a seed
        "post": ("number", "peer", "way", "rows"),
        "again": ("number",),
        "wait": ("number",),
        "cancel": ("number",),
        "release": ("number",),
    }
)


class Step(NamedTuple):
    """One call: `Step("post", (1, "target", "out", ((0, 0, 8),)))` is `play.post(1, "target", "out", ((0, 0, 8),))`.

    Transfers are numbered by who draws them, so that a step can be left out and the others keep their sense.
    """

    verb: str
    arguments: tuple[Any, ...]


def as_json(steps: Iterable[Step]) -> dict[str, Any]:
    """Return what `of_json` takes back."""
    return {"steps": [[step.verb, *map(_plain, step.arguments)] for step in steps]}


def of_json(told: object) -> tuple[Step, ...]:
    """Return the steps that `as_json` told; they come from a command line, so everything is checked."""
    try:
        if not isinstance(told, dict) or set(told) != {"steps"} or not isinstance(told["steps"], list):
            raise TypeError("an object with the one field steps, a list")  # noqa: TRY301  told like any other fault
        if not 0 < len(told["steps"]) <= MAX_STEPS:
            raise ValueError(f"1 to {MAX_STEPS} steps")  # noqa: TRY301  as above
        return tuple(_step(*one) for one in told["steps"])
    except (TypeError, ValueError) as error:
        raise BadInput("bad-case", f"not a sequence: {error}"[:200], _HINT) from None


def _step(verb: object, *arguments: Any) -> Step:
    if not isinstance(verb, str) or verb not in _FORMS:
        raise ValueError(f"no step {str(verb)[:40]!a}")
    form = _FORMS[verb]
    if len(form) != len(arguments):
        raise ValueError(f"{verb} takes {len(form)} values: {', '.join(form)}")
    return Step(verb, tuple(_checked(kind, value) for kind, value in zip(form, arguments, strict=True)))


def _checked(kind: str, value: Any) -> Any:
    accepted: dict[str, tuple[Any, ...]] = {
        "side": (INITIATOR, *PEERS),
        "peer": PEERS,
        "way": ("out", "in"),
        "flag": (True, False),
    }
    if kind == "rows":
        return _rows(value)
    if kind == "number":
        return _number(value, _MOST)
    if type(value) is not (bool if kind == "flag" else str) or value not in accepted[kind]:
        raise ValueError(f"{str(value)[:40]!a} is no {kind}")
    return value


def _rows(value: Any) -> tuple[tuple[int, int, int], ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_ROWS:
        raise ValueError(f"1 to {MAX_ROWS} rows")
    rows = []
    for source, destination, length in value:
        row = (_number(source, SIZE), _number(destination, SIZE), _number(length, SIZE))
        if max(row[:2]) + length > SIZE or not length:
            raise ValueError(f"row {row} is not in {SIZE} bytes")
        rows.append(row)
    ends = sorted((to, to + length) for _, to, length in rows)
    if any(end > start for (_, end), (start, _) in pairwise(ends)):
        raise ValueError("two rows go to the same bytes")
    return tuple(rows)


def _number(value: Any, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{str(value)[:40]!a} is no number from 0 to {most}")
    return value


def _plain(value: Any) -> Any:
    return [_plain(one) for one in value] if isinstance(value, tuple) else value
