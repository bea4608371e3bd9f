"""The values of a nested document, such as a manifest, each with where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def leaves(value: object, depth: int, path: tuple[str, ...] = ()) -> Iterator[tuple[str, object]]:
    """Yield `kv.0.samples` and its value, names in order; a list of plain values, and what lies below `depth`, is one value."""
    if depth and isinstance(value, dict):
        for name in sorted(value, key=str):
            yield from leaves(value[name], depth - 1, (*path, str(name)))
    elif depth and isinstance(value, list) and any(isinstance(entry, dict | list) for entry in value):
        for number, entry in enumerate(value):
            yield from leaves(entry, depth - 1, (*path, str(number)))
    elif value is not None:
        yield ".".join(path) or "value", value
