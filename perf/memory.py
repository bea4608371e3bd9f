"""Names of memory in specs and records (`host`, `cuda:0`, `cuda:*`, `file`), and who can move bytes between which.

Nothing here loads a transport's library or CUDA: traits are data.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from perf.roles import FILE, POSTED
from suite.errors import BadInput
from suite.transports import base

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from suite.transports.base import Traits

HOST, EVERY_DEVICE = "host", "cuda:*"
MEMORY = r"host|file|cuda:[0-9]{1,2}"
_NAME = re.compile(rf"{MEMORY}|cuda:\*")


class Pair(NamedTuple):
    """The memory that holds the bytes, and the memory that is to hold them."""

    source: str
    destination: str

    def __str__(self) -> str:
        return f"{self.source} -> {self.destination}"


HOST_TO_HOST = str(Pair(HOST, HOST))


def parse_pair(text: str) -> Pair:
    """Return the pair that `text` names, such as `cuda:0 -> cuda:1`, `cuda:* -> cuda:*` or `host -> file`."""
    source, arrow, destination = (part.strip() for part in text.partition("->"))
    if not arrow or not _NAME.fullmatch(source) or not _NAME.fullmatch(destination):
        hint = "accepted: host, file, cuda:0 or cuda:* on either side of ->, such as cuda:0 -> cuda:1"
        raise BadInput("bad-memory", f"{text[:60]!r} names no pair of memories", hint)
    if source == destination == FILE:
        raise BadInput("bad-memory", "file -> file moves no KV cache", "one side must be host or cuda")
    return Pair(source, destination)


def expanded(pairs: Iterable[Pair], devices: Sequence[int]) -> list[Pair]:
    """Return the pairs with `cuda:*` replaced by every device: of two such sides, every ordered pair."""

    def side(name: str) -> list[str]:
        return [f"cuda:{ordinal}" for ordinal in devices] if name == EVERY_DEVICE else [name]

    every = [Pair(*both) for pair in pairs for both in product(side(pair.source), side(pair.destination))]
    return list(dict.fromkeys(every))


def kind_of(name: str) -> str:
    """Return `host`, `cuda` or `file`."""
    return name.partition(":")[0]


def ordinal_of(name: str) -> int | None:
    """Return the CUDA ordinal; None for memory that is no device's."""
    kind, _, number = name.partition(":")
    return int(number) if kind == "cuda" else None


def can_do(traits: Traits, op: str) -> bool:
    """Return whether a transport serves `op` between some memories."""
    return traits.ops >= {posted for (name, _), posted in POSTED.items() if name == op}


def two_sided(transport: str) -> bool:
    """Return whether both sides of a transport post, and stage what is scattered."""
    traits = traits_of(transport)
    return traits is not None and traits.two_sided


def can_move(traits: Traits, op: str, pair: Pair) -> bool:
    """Return whether a transport serves `op` between these two."""
    source, destination = kind_of(pair.source), kind_of(pair.destination)
    needed = {
        "push": {(source, destination)},
        "pull": {(destination, source)},
        "store": {(source, FILE)} if destination == FILE else set(),
        "fetch": {(destination, FILE)} if source == FILE else set(),
        "handoff": set() if FILE in {source, destination} else {(source, FILE), (destination, FILE)},
    }[op]
    return bool(needed) and can_do(traits, op) and traits.memory >= needed


def ops_for(traits: Traits, asked: Sequence[str], asked_elsewhere: Collection[str] = ()) -> list[str]:
    """Return those of `asked` that a transport can do, or what it does in their place.

    Storage neither pushes nor pulls, but its handoff stands beside them; what
    pushes and pulls has no handoff. Another table that asks for these gets them.
    """
    possible = [op for op in asked if can_do(traits, op)]
    instead = ["handoff"] if can_do(traits, "handoff") else ["push", "pull"]
    return possible or [op for op in instead if can_do(traits, op) and op not in asked_elsewhere]


@cache  # what is installed stays so, and looking takes as long as planning a sweep
def traits_of(transport: str) -> Traits | None:
    """Return the traits of an installed transport; None for a name that nobody here knows."""
    return base.load(transport).traits if transport in base.names() else None
