"""The one pool of blocks that a server's ledger counts, and the pools of its ranks: numbers from one to the other.

A server has a pool for each attention-DP group and, in it, for each of the
model's layer groups. Its ledger and its messages number the blocks of all of
them through; a rank counts the blocks of each pool from 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from suite.errors import BadInput
from suite.transfer.pools import pool_blocks
from suite.transfer.requests.blocks import BlockPool, new_pool
from suite.transfer.task import SIDES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from suite.transfer.requests.blocks import Need
    from suite.transfer.task import SideName, Task

Table = dict[str, list[int]]  # layer group -> blocks of a request, in the order of its tokens


@dataclass(frozen=True)
class Rooms:
    """The pools of one side."""

    task: Task
    side: SideName

    @property
    def kinds(self) -> Need:
        """Blocks of each pool: DP group by DP group, layer group by layer group."""
        groups = self.task.model.groups
        of_one = [pool_blocks(self.task, self.side, group) for group in groups]
        return tuple(of_one * self.task.side(self.side).parallel.dp)

    def pool(self, seed: int) -> BlockPool:
        """Return the pool with all blocks free, to be given in a random order: a block table is in no order."""
        rng = np.random.default_rng([seed, SIDES.index(self.side)])
        return new_pool(*self.kinds, order=rng.permutation(sum(self.kinds)).tolist())

    def need(self, request: int) -> Need:
        """Return how many blocks of each pool a request needs: none of another DP group's."""
        home = self.task.group_of(self.side, request)
        groups = self.task.model.groups
        return tuple(
            self.task.block_count(self.side, group) if dp == home else 0
            for dp in range(self.task.side(self.side).parallel.dp)
            for group in groups
        )

    def table(self, request: int, blocks: Sequence[int]) -> Table:
        """Return the block tables of a request; `BadInput` for blocks of another pool than the request needs."""
        ends = list(accumulate(self.kinds))
        found: Table = {}
        at = 0
        for kind, count in enumerate(self.need(request)):
            start, stop = ends[kind] - self.kinds[kind], ends[kind]
            mine, at = blocks[at : at + count], at + count
            if len(mine) < count:
                raise BadInput("other-pool", f"{len(blocks)} blocks; the request needs {sum(self.need(request))}")
            foreign = [block for block in mine if not start <= block < stop]
            if foreign:
                raise BadInput(
                    "other-pool", f"blocks: {foreign[0]} is not of pool {kind}, which has {start} to {stop - 1}"
                )
            if count:
                group = self.task.model.groups[kind % len(self.task.model.groups)]
                found[group.name] = [block - start for block in mine]
        if at != len(blocks):
            raise BadInput("other-pool", f"{len(blocks)} blocks; the request needs {at}")
        return found
