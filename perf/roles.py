"""Who does what in each op: the places that the bytes pass, and the workers that take part."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from suite.transports.base import Op

if TYPE_CHECKING:
    from collections.abc import Mapping

Role = Literal["prefill", "decode"]
ROLES: tuple[Role, Role] = ("prefill", "decode")
FILE = "file"

# op -> the places of the bytes on their way: a worker's memory, named by its role, or the file
PLACES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "push": ("prefill", "decode"),
        "pull": ("prefill", "decode"),
        "store": ("prefill", FILE),
        "fetch": (FILE, "decode"),
        "handoff": ("prefill", FILE, "decode"),
    }
)
# the worker that posts, and whose clock is read
INITIATOR: Mapping[str, Role] = MappingProxyType(
    {"push": "prefill", "pull": "decode", "store": "prefill", "fetch": "decode", "handoff": "prefill"}
)
# what each worker posts
POSTED: Mapping[tuple[str, str], Op] = MappingProxyType(
    {
        ("push", "prefill"): Op.WRITE,
        ("pull", "decode"): Op.READ,
        ("store", "prefill"): Op.STORE,
        ("fetch", "decode"): Op.FETCH,
        ("handoff", "prefill"): Op.STORE,
        ("handoff", "decode"): Op.FETCH,
    }
)


def roles_of(op: str) -> list[Role]:
    """Return the workers that take part: one where the other side is a file."""
    return [role for role in ROLES if role in PLACES[op]]


def through_file(op: str) -> bool:
    """Return whether the bytes pass a file."""
    return FILE in PLACES[op]


def kept_by(op: str, place: str) -> Role:
    """Return the worker that fills and checks a place: its own memory, and the initiator the file."""
    return next((role for role in ROLES if role == place), INITIATOR[op])
