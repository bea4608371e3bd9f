"""Which tokens of a request move, and where each side's block table has them.

Block tables are suffixes of the prompt's blocks, so that a side may have given
back, or never asked for, what is not needed. The rules are those of
TensorRT-LLM's Python runtime (`tensorrt_llm/_torch/disaggregation/transceiver.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from suite.errors import BadInput
from suite.kv.groups import stale_blocks


@dataclass(frozen=True)
class Table:
    """One side's block table: `blocks` blocks of `tokens_per_block`, the last ones of the prompt."""

    tokens_per_block: int
    blocks: int

    def start(self, tokens: int) -> int:
        """Return the first token of the table for a prompt of `tokens`."""
        needed = -(-tokens // self.tokens_per_block)
        if self.blocks > needed:
            raise BadInput(
                "too-many-blocks",
                f"a table of {self.blocks} blocks, a prompt of {tokens} tokens has {needed}",
                "a table holds the prompt's last blocks and nothing else",
            )
        return (needed - self.blocks) * self.tokens_per_block


@dataclass(frozen=True)
class Span:
    """The tokens that move: from `start` up to `stop` in pieces of `chunk`, which are whole in a block on both sides."""

    start: int
    stop: int  # the last piece is padded
    chunk: int
    content_tokens: int  # without padding, and without what the window has left

    @property
    def chunks(self) -> int:
        """How many pieces there are."""
        return (self.stop - self.start) // self.chunk


def missing(tokens: int, source: Table, destination: Table, *, window: int | None = None, cached: int = 0) -> Span:
    """Return what the destination lacks of a prompt of `tokens`, of which it has the first `cached`.

    Nothing missing is an empty span. `BadInput` if the source lacks blocks that
    the destination waits for, or `cached` ends inside a block.
    """
    chunk = min(source.tokens_per_block, destination.tokens_per_block)
    stop = -(-tokens // chunk) * chunk
    if tokens < 1 or not 0 <= cached <= tokens:
        raise BadInput("bad-request", f"{cached} cached of {tokens} tokens", "0 to all of at least one token")
    if cached == tokens:
        return Span(stop, stop, chunk, 0)
    if cached % destination.tokens_per_block:
        raise BadInput(
            "cached-inside-block",
            f"{cached} cached tokens end inside a block of {destination.tokens_per_block}",
            "a prefix is reused in whole blocks",
        )
    first, wanted = (max(table.start(tokens), _unstale(tokens, table, window)) for table in (source, destination))
    wanted = max(wanted, cached)
    if first > wanted and window is None:
        raise BadInput(
            "source-too-short",
            f"the source has tokens from {first} on, the destination waits for {wanted} and on",
            "the destination's table must not begin before the source's",
        )
    start = min(max(first, wanted), stop)
    seen = max(start, tokens - window) if window else start
    return Span(start, stop, chunk, max(0, tokens - seen))


def _unstale(tokens: int, table: Table, window: int | None) -> int:
    """Return the first token of the first block that the window has not left."""
    return stale_blocks(tokens, table.tokens_per_block, window) * table.tokens_per_block
