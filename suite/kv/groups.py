"""What a model keeps of a request: groups of layers that keep the same, for every token, for a window of them, or once.

Sources: formulas of the published model code; the window rule is TensorRT-LLM's
(`tensorrt_llm/_torch/disaggregation/transceiver.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from suite.errors import BadInput


@dataclass(frozen=True)
class LayerGroup:
    """Layers that keep rows of one shape, in a pool of their own.

    A row is what one layer keeps of one head (K or V) for one token: `dim`
    elements. With `per_request` it is kept once, however long the prompt is.
    """

    name: str
    layers: tuple[int, ...]  # numbers in the model, rising
    kinds: int  # 2: K and V; 1: MLA's joint latent, an indexer's key, a state
    heads: int  # of the whole model; 1 if every rank keeps the same
    dim: int
    window: int | None = None  # in tokens; None: the whole prompt
    per_request: bool = False
    element_bytes: int | None = None  # None: those of the cache's data type
    fp8_dim: int | None = None  # bytes of a row of a one-byte cache, where scales or wider parts lie in it

    def row(self, element_bytes: int) -> tuple[int, int]:
        """Return (elements, bytes of one) of a row in a cache of `element_bytes`."""
        own = self.element_bytes or element_bytes
        return (self.fp8_dim, own) if self.fp8_dim and own == 1 else (self.dim, own)

    def bytes_per_token(self, element_bytes: int) -> int:
        """Return the bytes of one token over all layers; of the whole state if it is kept per request."""
        elements, size = self.row(element_bytes)
        return len(self.layers) * self.kinds * self.heads * elements * size

    def logical_bytes(self, tokens: int, element_bytes: int) -> int:
        """Return the bytes of a request of `tokens`, without padding."""
        kept = 1 if self.per_request else min(tokens, self.window or tokens)
        return kept * self.bytes_per_token(element_bytes)

    def blocks(self, tokens: int, tokens_per_block: int) -> int:
        """Return how many blocks a request has in this group's pool: those that its window has not left."""
        if self.per_request:
            return 1
        return -(-tokens // tokens_per_block) - stale_blocks(tokens, tokens_per_block, self.window)

    def padded_bytes(self, tokens: int, tokens_per_block: int, element_bytes: int) -> int:
        """Return the bytes of a request's blocks."""
        block = 1 if self.per_request else tokens_per_block
        return self.blocks(tokens, tokens_per_block) * block * self.bytes_per_token(element_bytes)


def stale_blocks(tokens: int, tokens_per_block: int, window: int | None) -> int:
    """Return how many leading blocks of a prompt the window has left when the next token is computed.

    That token is in its own window, so `window - 1` tokens of the prompt are still seen.
    """
    return 0 if window is None else max(0, (tokens + 1 - window) // tokens_per_block)


@dataclass(frozen=True)
class Model:
    """A model's layer groups; `layers` counts all layers, also those that keep nothing (pipeline stages cut them)."""

    name: str
    layers: int
    groups: tuple[LayerGroup, ...]

    def group(self, name: str) -> LayerGroup:
        """Return the group of that name; `BadInput` if there is none."""
        for group in self.groups:
            if group.name == name:
                return group
        names = ", ".join(group.name for group in self.groups)
        raise BadInput("unknown-group", f"{self.name} has no layer group {name!r}", f"groups: {names}")

    def bytes_per_token(self, element_bytes: int) -> int:
        """Return the bytes that every further token of a long prompt adds."""
        return sum(g.bytes_per_token(element_bytes) for g in self.groups if not (g.window or g.per_request))

    def constant_bytes(self, element_bytes: int) -> int:
        """Return the bytes that do not grow with a long prompt: full windows and states."""
        groups = [group for group in self.groups if group.window or group.per_request]
        return sum(group.logical_bytes(group.window or 1, element_bytes) for group in groups)

    def logical_bytes(self, tokens: int, element_bytes: int) -> int:
        """Return the bytes of a request of `tokens`, without padding."""
        return sum(group.logical_bytes(tokens, element_bytes) for group in self.groups)

    def padded_bytes(self, tokens: int, tokens_per_block: int, element_bytes: int) -> int:
        """Return the bytes of a request's blocks in all pools."""
        return sum(group.padded_bytes(tokens, tokens_per_block, element_bytes) for group in self.groups)

    def first(self, layers: int) -> Model:
        """Return the model's first `layers` layers, so that it fits into a small memory; groups without one are gone."""
        if not 1 <= layers <= self.layers:
            raise BadInput("layers", f"{self.name} has {self.layers} layers, not {layers}", f"take 1 to {self.layers}")
        cut = [replace(g, layers=tuple(layer for layer in g.layers if layer < layers)) for g in self.groups]
        return Model(self.name, layers, tuple(group for group in cut if group.layers))
