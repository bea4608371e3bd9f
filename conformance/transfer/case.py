"""One transfer to be tried, as data: what hypothesis draws, what a report shows, what a printed line runs again."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from conformance.faults.cells import checked
from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

Way = Literal["out", "in"]  # from the initiator (WRITE, STORE), or to it (READ, FETCH)
SOURCE, DESTINATION, LENGTH = range(3)
MAX_BYTES, MAX_ROWS, MAX_POSTS = 256 << 20, 1_000_000, 100_000
_MANY, _SHORT = 1000, 256
_HINT = 'as printed: {"rows": [[source, destination, length], ...], "nbytes": [source, destination]}'


@dataclass(frozen=True, eq=False)
class Case:
    """Rows of (offset at the source, offset at the destination, length), shape (N, 3) int64, and what is around them.

    `nbytes` are the sizes of the two regions, `starts` where they begin within a page.
    `many` rows are shown as a number. `edit` is done to the peer's metadata, or to the file:
    ("flip", byte, bits), ("cut", what is left, 0), ("be", number, 0). `seed` is of the bytes moved.
    `fault` is what happens meanwhile: (fault, role, phase) of `conformance.faults.cells`.
    """

    rows: NDArray[np.int64]
    nbytes: tuple[int, int]
    way: Way = "out"
    tag: bytes = b"there"
    posts: int = 1
    starts: tuple[int, int] = (0, 0)
    seed: int = 1
    many: int = 0
    edit: tuple[str, int, int] | None = None
    fault: tuple[str, str, str] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the fields that are not as they are by default; `of_json` takes them back."""
        told: dict[str, Any] = (
            {"many": self.many} if self.many else {"rows": self.rows.tolist(), "nbytes": [*self.nbytes]}
        )
        plain = {"way": self.way, "posts": self.posts, "starts": [*self.starts], "seed": self.seed}
        told |= {name: value for name, value in plain.items() if value != _DEFAULTS[name]}
        if self.tag != b"there":
            told["tag"] = _shown(self.tag)
        if self.edit is not None:
            told["edit"] = [*self.edit]
        if self.fault is not None:
            told["fault"] = [*self.fault]
        return told

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Return the bytes of each row, shape (N,)."""
        return self.rows[:, LENGTH]


_DEFAULTS: Mapping[str, Any] = {"way": "out", "posts": 1, "starts": [0, 0], "seed": 1}


def case(rows: Any, nbytes: tuple[int, int] | None = None, **more: Any) -> Case:
    """Return a case of `rows`; without `nbytes` the regions end with the last row."""
    table = np.asarray(rows, np.int64).reshape(-1, 3)
    ends = (table[:, :2] + table[:, LENGTH:]).max(axis=0, initial=1)
    return Case(table, (int(ends[0]), int(ends[1])) if nbytes is None else nbytes, **more)


def apart(lengths: Any, **more: Any) -> Case:
    """Return rows of these lengths in order, with gaps that are no stride and that nothing can merge over."""
    sizes = np.asarray(lengths, np.int64)
    number = np.arange(len(sizes))
    gaps = (8 + 8 * (number % 2), 16 - 8 * (number % 2))
    ends = [np.cumsum(sizes + gap) for gap in gaps]
    rows = np.column_stack((*(end - sizes for end in ends), sizes))
    return case(rows, (int(ends[0][-1]) + 8, int(ends[1][-1]) + 8), **more)


def many(count: int, length: int = 16, **more: Any) -> Case:
    """Return `count` rows of `length` bytes, apart; shown as a number."""
    return apart(np.full(count, length), many=count, **more)


def landed(rows: NDArray[np.int64], source: NDArray[np.uint8], before: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what `before` has become when `rows` of `source` have arrived in it; of two rows the later wins."""
    after = before.copy()
    if _alike(rows[:, LENGTH]):
        within = np.arange(rows[0, LENGTH])
        after[rows[:, DESTINATION, None] + within] = source[rows[:, SOURCE, None] + within]
        return after
    for start, to, length in rows.tolist():
        after[to : to + length] = source[start : start + length]
    return after


def reached(starts: NDArray[np.int64], lengths: NDArray[np.int64], size: int) -> NDArray[np.bool_]:
    """Return which of `size` bytes are in rows, shape (size,)."""
    found = np.zeros(size, np.bool_)
    if _alike(lengths):
        found[starts[:, None] + np.arange(lengths[0])] = True
        return found
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        found[start : start + length] = True
    return found


def _alike(lengths: NDArray[np.int64]) -> bool:
    """Tell whether rows are so many, and so short, that one call of numpy's for all of them is better than one for each."""
    return len(lengths) > _MANY and bool((lengths == lengths[0]).all()) and lengths[0] <= _SHORT


def of_json(told: object) -> Case:
    """Return the case that `as_json` told; it comes from a command line, so everything is checked."""
    if not isinstance(told, dict):
        raise BadInput("bad-case", "a case is a JSON object", _HINT)
    try:
        more: dict[str, Any] = {name: told[name] for name in ("way", "posts", "seed") if name in told}
        if "starts" in told:
            more["starts"] = _pair(told["starts"], 4096)
        if "tag" in told:
            more["tag"] = _bytes(told["tag"])
        if "edit" in told:
            more["edit"] = _edit(told["edit"])
        if "fault" in told:
            more["fault"] = checked(told["fault"])
        _check(told, more)
        if "many" in told:
            return many(max(1, _number(told["many"], MAX_ROWS)), **more)
        return case(_rows(told["rows"]), _pair(told["nbytes"], MAX_BYTES), **more)
    except (KeyError, TypeError, ValueError, OverflowError, binascii.Error) as error:
        raise BadInput("bad-case", f"not a case: {error}", _HINT) from None


def _check(told: Mapping[str, Any], more: Mapping[str, Any]) -> None:
    strange = set(told) - {"rows", "nbytes", "many", "way", "posts", "starts", "seed", "tag", "edit", "fault"}
    lacking = [] if "many" in told else sorted({"rows", "nbytes"} - set(told))
    if lacking:
        raise ValueError(f"{lacking[0]} is missing")
    if strange:
        raise ValueError(f"no field {min(map(str, strange))[:40]!r}")
    if more.get("way", "out") not in {"out", "in"}:
        raise ValueError("way is out or in")
    _number(more.get("posts", 1), MAX_POSTS)
    _number(more.get("seed", 1), 1 << 32)


def _rows(told: object) -> NDArray[np.int64]:
    rows = np.asarray(told, np.int64)
    if rows.shape[1:] != (3,) or len(rows) > MAX_ROWS or (rows < 0).any() or rows.max(initial=0) > MAX_BYTES:
        raise ValueError("rows are lists of three numbers")
    return rows


def _number(value: object, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{str(value)[:40]} is no number from 0 to {most}")
    return value


def _pair(value: Any, most: int) -> tuple[int, int]:
    first, second = value
    return _number(first, most), _number(second, most)


def _edit(value: Any) -> tuple[str, int, int]:
    kind, first, second = value
    if kind not in {"flip", "cut", "be"}:
        raise ValueError("an edit is flip, cut or be")
    return kind, _number(first, MAX_BYTES), _number(second, MAX_BYTES)


def _shown(tag: bytes) -> Any:
    """Return text as it is, long repeated bytes as [byte, count], and everything else in base64."""
    if len(tag) > 64 and len(set(tag)) == 1:  # noqa: PLR2004  shorter ones are shown
        return [tag[0], len(tag)]
    return {"base64": base64.b64encode(tag).decode()}


def _bytes(told: Any) -> bytes:
    if isinstance(told, list):
        value, count = _number(told[0], 255), _number(told[1], 64 << 20)
        return bytes([value]) * count
    return base64.b64decode(told["base64"], validate=True)
