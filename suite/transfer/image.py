"""The whole image that a rank's region must have, written and compared piece by piece."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from suite.kv.geometry import Order
from suite.memory.content import Viewable
from suite.transfer.pools import GUARD_BYTES, placed, region_bytes
from suite.transfer.task import SIDES, rank_of
from suite.transfer.words import WORD, Numbering, held, paint, place, times_odd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from suite.memory.region import Region
    from suite.transfer.pools import Placed, Tables
    from suite.transfer.task import SideName, Task

_PIECE_BYTES = 1 << 20  # stays in the caches: pieces of 16 MiB took four times as long
_NOBODY = -1


@dataclass(frozen=True)
class Finding:
    """Wrong rows of one request (None: of nobody's memory), with the first of them in words."""

    request: int | None
    rows: int
    text: str


@dataclass(frozen=True)
class _Piece:
    """What must be in a region from `offset` on; of a pool, `first` is its first block."""

    offset: int
    expected: NDArray[np.uint8]
    pool: _PoolImage | None = None
    first: int = 0


@dataclass(frozen=True)
class _PoolImage:
    """One group's pool on a rank, and whose each block is."""

    placed: Placed
    numbering: Numbering
    layers: tuple[int, ...]  # of the model
    heads: tuple[int, ...]  # of the model
    moved: range | None  # tokens; None: whole blocks
    owner: NDArray[np.int64]  # shape (blocks,): request, or nobody
    token: NDArray[np.int64]  # shape (blocks,): the block's first one
    inner: NDArray[np.uint64] = field(repr=False)  # words of a block of request 0 and token 0, shape (rows, words)

    def words(self, epoch: int, first: int, last: int) -> NDArray[np.uint8]:
        """Return the content of blocks `first` up to `last` as if all were used, shape (blocks, bytes)."""
        number, row = self.numbering, self.placed.layout.row_bytes
        identities = self.owner[first:last] * number.request_stride + self.token[first:last] * number.token_stride
        base = times_odd(identities.astype(np.uint64) + np.uint64(number.base(epoch)))
        whole = (base[:, None, None] + self.inner).view(np.uint8)
        return whole[:, :, :row].reshape(last - first, -1)

    def wholly_used(self, first: int, last: int) -> bool:
        """Tell whether no byte of blocks `first` up to `last` is paint."""
        tokens = self.token[first:last]
        ends = tokens + self.placed.layout.tokens_per_block
        moved = self.moved is None or bool((tokens.min() >= self.moved.start) and (ends.max() <= self.moved.stop))
        return moved and bool((self.owner[first:last] != _NOBODY).all())

    def keep_paint(self, content: NDArray[np.uint8], painted: NDArray[np.uint8], block: int) -> None:
        """Put paint back over the tokens of one block that are not moved; both have shape (bytes,)."""
        layout = self.placed.layout
        tokens = int(self.token[block]) + np.arange(layout.tokens_per_block)
        if self.moved is None or (tokens[0] >= self.moved.start and tokens[-1] < self.moved.stop):
            return
        outside = (tokens < self.moved.start) | (tokens >= self.moved.stop)
        before, after = (1, layout.geometry.heads) if layout.order == Order.NHD else (layout.geometry.heads, 1)
        shape = (
            layout.geometry.layers * layout.geometry.kinds * before,
            layout.tokens_per_block,
            after * layout.row_bytes,
        )
        content.reshape(shape)[:, outside] = painted.reshape(shape)[:, outside]

    def describe(self, block: int, row: int) -> str:
        """Return the place of row `row` of a block in words."""
        layout, group = self.placed.layout, self.placed.group
        per_page = layout.geometry.heads * layout.tokens_per_block
        page, inside = divmod(row, per_page)
        layer, kind = divmod(page, layout.geometry.kinds)
        head, token = divmod(inside, layout.tokens_per_block)
        if layout.order == Order.NHD:
            token, head = divmod(inside, layout.geometry.heads)
        where = f"{place(group, self.layers[layer], kind, self.heads[head])}, block {block} of {group.name}"
        if self.owner[block] == _NOBODY:
            return f"unused, {where}, row {token}"
        return f"request {self.owner[block]}, {where}, token {self.token[block] + token}"


class Image:
    """What a rank's region holds in one epoch: the blocks of `tables`, and paint everywhere else."""

    def __init__(self, task: Task, name: SideName, number: int, epoch: int, tables: Tables) -> None:
        self._task, self._name, self._epoch = task, name, epoch
        self._rank = number + (task.prefill.parallel.size if name == SIDES[1] else 0)
        self._numberings = tuple(Numbering.of(task, index) for index in range(len(task.model.groups)))
        every = placed(task, name, number)
        self.nbytes = region_bytes(every)
        self._pools = [
            _pool_image(task, name, number, pool, numbering, tables=tables)
            for pool, numbering in zip(every, self._numberings, strict=True)
        ]

    def hold(self, request: int, table: Mapping[str, Sequence[int]]) -> None:
        """Let the blocks of a request's tables be its own from now on."""
        for pool, blocks in self._blocks_of(table):
            pool.owner[blocks] = request
            first = self._task.first_token(self._name, pool.placed.group)
            pool.token[blocks] = first + np.arange(len(blocks)) * pool.placed.layout.tokens_per_block

    def drop(self, table: Mapping[str, Sequence[int]]) -> None:
        """Let blocks be nobody's: paint."""
        for pool, blocks in self._blocks_of(table):
            pool.owner[blocks], pool.token[blocks] = _NOBODY, 0

    def write_blocks(self, region: Region, table: Mapping[str, Sequence[int]], layers: range, *, blank: bool) -> None:
        """Write some of the model's layers of a request's blocks: what they must hold, or (`blank`) paint."""
        for pool, blocks in self._blocks_of(table):
            layout = pool.placed.layout
            mine = [index for index, layer in enumerate(pool.layers) if layer in layers]
            if not mine:
                continue
            start, stop = mine[0] * layout.layer_bytes, (mine[-1] + 1) * layout.layer_bytes
            for block in blocks.tolist():
                at = pool.placed.offset + block * layout.block_bytes
                whole = (
                    paint(self._rank, self._epoch, at, layout.block_bytes)
                    if blank
                    else self._expected(pool, block, block + 1, at)[0]
                )
                region.write(at + start, whole[start:stop])

    def compare_blocks(self, region: Region, table: Mapping[str, Sequence[int]]) -> tuple[list[Finding], int]:
        """Compare every byte of a request's blocks; return the findings, and how many bytes were compared."""
        pieces = (
            _Piece(at, self._expected(pool, block, block + 1, at).ravel(), pool, block)
            for pool, blocks in self._blocks_of(table)
            for block in blocks.tolist()
            if (at := pool.placed.offset + block * pool.placed.layout.block_bytes) and pool.layers
        )
        return self._compared(region, pieces)

    def _blocks_of(self, table: Mapping[str, Sequence[int]]) -> Iterator[tuple[_PoolImage, NDArray[np.int64]]]:
        for pool in self._pools:
            yield pool, np.asarray(table.get(pool.placed.group.name, ()), np.int64)

    def write(self, region: Region) -> None:
        """Write all of it."""
        for piece in self._pieces():
            region.write(piece.offset, piece.expected)

    def compare(self, region: Region) -> list[Finding]:
        """Compare every byte; return a finding for each request, group and guard with wrong bytes, first piece first."""
        return self._compared(region, self._pieces())[0]

    def _compared(self, region: Region, pieces: Iterable[_Piece]) -> tuple[list[Finding], int]:
        wrong: dict[tuple[int | None, str], Finding] = {}
        read = _reader(region)
        compared = 0
        for piece in pieces:
            compared += len(piece.expected)
            found = read(piece.offset, len(piece.expected))
            if np.array_equal(found, piece.expected):
                continue
            for key, finding in self._findings(piece, found):
                before = wrong.get(key)
                rows = finding.rows + (before.rows if before else 0)
                wrong[key] = Finding(finding.request, rows, before.text if before else finding.text)
        return list(wrong.values()), compared

    def _pieces(self) -> Iterator[_Piece]:
        at = 0
        for pool in self._pools:
            yield self._guard(at, pool.placed.offset)
            yield from self._blocks(pool)
            at = pool.placed.offset + pool.placed.nbytes
        yield self._guard(at, self.nbytes)

    def _guard(self, start: int, stop: int) -> _Piece:
        return _Piece(start, paint(self._rank, self._epoch, start, stop - start))

    def _blocks(self, pool: _PoolImage) -> Iterator[_Piece]:
        size = pool.placed.layout.block_bytes
        if not size:
            return
        step = max(1, _PIECE_BYTES // size)
        for first in range(0, pool.placed.blocks, step):
            last = min(first + step, pool.placed.blocks)
            offset = pool.placed.offset + first * size
            yield _Piece(offset, self._expected(pool, first, last, offset).ravel(), pool, first)

    def _expected(self, pool: _PoolImage, first: int, last: int, offset: int) -> NDArray[np.uint8]:
        """Return what must be in blocks `first` up to `last`, shape (blocks, bytes)."""
        if pool.wholly_used(first, last):
            return pool.words(self._epoch, first, last)
        size = pool.placed.layout.block_bytes
        expected = paint(self._rank, self._epoch, offset, (last - first) * size).reshape(-1, size)
        used = np.flatnonzero(pool.owner[first:last] != _NOBODY)
        if len(used):
            content = pool.words(self._epoch, first, last)
            for block in used.tolist():
                pool.keep_paint(content[block], expected[block], first + block)
            expected[used] = content[used]
        return expected

    def _findings(self, piece: _Piece, found: NDArray[np.uint8]) -> Iterator[tuple[tuple[int | None, str], Finding]]:
        if piece.pool is None:
            at = piece.offset + int(np.flatnonzero(found != piece.expected)[0])
            text = f"a guard was written to, {at % GUARD_BYTES} bytes into page {at // GUARD_BYTES} of the region"
            yield (None, f"guard at {piece.offset}"), Finding(None, 1, text)
            return
        layout, pool = piece.pool.placed.layout, piece.pool
        shape = (-1, layout.block_bytes // layout.row_bytes, layout.row_bytes)
        rows, wanted = found.reshape(shape), piece.expected.reshape(shape)
        wrong = (rows != wanted).any(axis=2)
        owners = pool.owner[piece.first : piece.first + len(wrong)]
        for owner in np.unique(owners[wrong.any(axis=1)]).tolist():
            blocks, inside = np.nonzero(wrong & (owners == owner)[:, None])
            block, row = int(blocks[0]), int(inside[0])
            text = f"{pool.describe(piece.first + block, row)}: {self._held(rows[block, row], wanted[block, row])}"
            request = None if owner == _NOBODY else owner
            yield (request, pool.placed.group.name), Finding(request, len(blocks), text)

    def _held(self, row: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> str:
        """Say what the first wrong word of a row is."""
        start = int(np.flatnonzero(row != wanted)[0]) // WORD * WORD
        if start + WORD > len(row):
            return f"wrong from byte {start} of the row on"
        word = int(row[start : start + WORD].copy().view(np.uint64)[0])
        return held(word, self._numberings, rank=self._rank, epoch=self._epoch)


def _reader(region: Region) -> Callable[[int, int], NDArray[np.uint8]]:
    """Return what gives (offset, size) of a region: as a view where the CPU can address it, else as a copy."""
    if isinstance(region, Viewable):
        view = region.view()
        return lambda offset, size: view[offset : offset + size]

    def copied(offset: int, size: int) -> NDArray[np.uint8]:
        out = np.empty(size, np.uint8)
        region.read(offset, out)
        return out

    return copied


def _pool_image(
    task: Task, name: SideName, number: int, pool: Placed, numbering: Numbering, *, tables: Tables
) -> _PoolImage:
    side = task.side(name)
    rank = rank_of(side.parallel, number)
    layers = side.layers(task.model, pool.group, rank)
    heads = tuple(side.parallel.heads(rank.tp, pool.group.heads))
    owner, token = np.full(pool.blocks, _NOBODY, np.int64), np.zeros(pool.blocks, np.int64)
    for request, groups in tables.items():
        if task.group_of(name, request) == rank.dp:
            table = np.asarray(groups[pool.group.name], np.int64)
            owner[table] = request
            token[table] = task.first_token(name, pool.group) + np.arange(len(table)) * pool.layout.tokens_per_block
    moved = task.moved(pool.group) if name == SIDES[1] else None
    return _PoolImage(pool, numbering, layers, heads, moved, owner, token, _inner(pool, numbering, layers, heads))


def _inner(pool: Placed, numbering: Numbering, layers: tuple[int, ...], heads: tuple[int, ...]) -> NDArray[np.uint64]:
    """Return the words of a block of request 0 that begins at token 0, in memory order: shape (rows, words of a row)."""
    axes = {
        "layer": np.array(layers, np.uint64) * np.uint64(numbering.layer_stride),
        "kind": np.arange(pool.group.kinds, dtype=np.uint64) * np.uint64(numbering.kind_stride),
        "head": np.array(heads, np.uint64) * np.uint64(numbering.head_stride),
        "token": np.arange(pool.layout.tokens_per_block, dtype=np.uint64) * np.uint64(numbering.token_stride),
        "word": np.arange(numbering.words, dtype=np.uint64),
    }
    inside = ("head", "token") if pool.layout.order == Order.HND else ("token", "head")
    total = np.zeros((), np.uint64)
    for name in ("layer", "kind", *inside, "word"):
        total = np.add.outer(total, axes[name])
    return times_odd(total.reshape(-1, numbering.words))
