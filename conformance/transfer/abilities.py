"""What a transport can do, as requirements ask for it; and why it cannot, in words for a verdict of skip."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from suite.transports.base import Op

if TYPE_CHECKING:
    from conformance.transfer.case import Way
    from suite.transports.base import Traits

_WHY = MappingProxyType(
    {
        "one-sided": "its target takes part in each transfer, or it has none",
        "notify": "it notifies nobody",
        "read": "it does not read",
        "memory": "it has no peer: the other side is a file",
        "file": "it moves no files",
        "cancel": "it says that it cannot cancel",
        "deregister": "its endpoints cannot deregister one region",
        "threads": "it does not say that threads may share an endpoint",
        "processes": "its peers are all in one process, which a fault would end",
    }
)


def abilities(traits: Traits, *, deregisters: bool) -> frozenset[str]:
    """Return the words of `Requirement.needs` that hold."""
    memory = bool(traits.ops & {Op.WRITE, Op.READ})
    found = {
        "memory": memory,
        "one-sided": memory and not traits.two_sided,
        "notify": memory and traits.notifies,
        "read": bool(traits.ops & {Op.READ, Op.FETCH}),
        "file": bool(traits.ops & {Op.STORE, Op.FETCH}),
        "cancel": traits.cancels,
        "deregister": deregisters,
        "threads": traits.threads,
    }
    return frozenset(word for word, holds in found.items() if holds)


def why_not(word: str) -> str:
    """Return why a transport without this ability is not asked."""
    return _WHY[word]


def operation(traits: Traits, way: Way, *, file: bool = False) -> Op:
    """Return the operation that goes this way, between memory and a `file` if that is asked for or all that there is.

    A transport that knows one way only goes that.
    """
    memory, files = (
        ((Op.WRITE, Op.READ), (Op.STORE, Op.FETCH)) if way == "out" else ((Op.READ, Op.WRITE), (Op.FETCH, Op.STORE))
    )
    return (
        next(op for op in (*files, *memory) if op in traits.ops)
        if file
        else next(op for op in (*memory, *files) if op in traits.ops)
    )
