"""The table of `docs/models.md`, made from the data; a test holds the page to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.kv.models import PRESETS

if TYPE_CHECKING:
    from suite.kv.groups import LayerGroup, Model

_COLUMNS = ("model", "layers", "which keep", "B/token bf16", "fp8", "constant MB", "8k", "32k", "128k")
_LENGTHS = (8192, 32768, 131072)  # tokens


def markdown() -> str:
    """Return the table, a row for each preset."""
    lines = [_COLUMNS, ("---",) * len(_COLUMNS), *(_row(model) for model in PRESETS.values())]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _row(model: Model) -> tuple[str, ...]:
    constant = model.constant_bytes(2)
    return (
        f"`{model.name}`",
        str(model.layers),
        "; ".join(_keeps(group) for group in model.groups),
        str(model.bytes_per_token(2)),
        str(model.bytes_per_token(1)),
        f"{constant / 1e6:.4g}" if constant else "-",
        *(f"{model.logical_bytes(tokens, 2) / 1e9:.3g}" for tokens in _LENGTHS),
    )


def _keeps(group: LayerGroup) -> str:
    """Return the layers, K and V (2) or one kind, heads and elements of a group, and for how much of the prompt."""
    shape = "x".join(str(size) for size in (group.kinds, group.heads, group.dim) if size > 1)
    span = f", window {group.window}" if group.window else ", once" if group.per_request else ""
    size = f" of {group.element_bytes} B" if group.element_bytes else ""
    return f"{len(group.layers)} {group.name} {shape}{size}{span}"
