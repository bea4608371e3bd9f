"""What ranks have put under a key, until all of them have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.errors import TransferFailed

if TYPE_CHECKING:
    from pydantic import JsonValue

MAX_OPEN = 64  # keys that one rank may be ahead


class Gathering:
    """The parts of all ranks, by key."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._parts: dict[str, dict[int, JsonValue]] = {}
        self._done: set[str] = set()

    def put(self, rank: int, key: str, value: JsonValue) -> None:
        """Add a rank's part; `TransferFailed` for a second one, or for too many keys."""
        if key in self._done or rank in self._parts.get(key, {}):
            raise TransferFailed("put-twice", f"{key!r} was put twice")
        if key not in self._parts and len(self._parts) >= MAX_OPEN:
            raise TransferFailed("too-many-keys", f"{key!r} and {MAX_OPEN} others are not gathered yet")
        self._parts.setdefault(key, {})[rank] = value

    def whole(self, key: str) -> bool:
        """Tell whether all parts are there."""
        return len(self._parts.get(key, {})) == self._size

    def missing(self, key: str) -> list[int]:
        """Return the ranks whose part is not there."""
        parts = self._parts.get(key, {})
        return [rank for rank in range(self._size) if rank not in parts]

    def take(self, key: str) -> list[JsonValue]:
        """Return all parts in the order of ranks, once they are there."""
        parts = self._parts.pop(key)
        self._done.add(key)
        return [parts[rank] for rank in range(self._size)]
