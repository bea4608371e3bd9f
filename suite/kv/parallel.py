"""How one side of a transfer spreads a model over its ranks: which layers and KV heads each rank holds.

As in NVIDIA/TensorRT-LLM `tensorrt_llm/mapping.py`: pipeline stages are
intervals of layers; with attention-DP a request lives in one DP group, whose
ranks split the heads among themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from suite.errors import BadInput

MOST_RANKS = 4096


@dataclass(frozen=True, order=True)
class Rank:
    """A rank by its place: pipeline stage, DP group, and place in that group's tensor parallelism."""

    pp: int
    dp: int
    tp: int


@dataclass(frozen=True)
class Parallel:
    """`tp` ranks split the heads in each of `dp` attention-DP groups and in each of `pp` stages.

    `stages` are the layers of each stage; without it they are as even as can be,
    the first stages longer. TensorRT-LLM's `tensor_parallel_size` is `tp * dp`.
    """

    tp: int = 1
    pp: int = 1
    dp: int = 1
    stages: tuple[int, ...] | None = None
    cp: int = 1

    def __post_init__(self) -> None:
        if self.cp != 1:
            raise BadInput("context-parallel", f"cp={self.cp}: context parallelism is not supported", "leave cp out")
        for name in ("tp", "pp", "dp"):
            if getattr(self, name) < 1:
                raise BadInput("bad-parallel", f"{name}={getattr(self, name)}", f"{name} counts ranks: 1 or more")
        if self.size > MOST_RANKS:
            raise BadInput("too-many-ranks", f"tp * pp * dp is {self.size} ranks", f"at most {MOST_RANKS}")
        if self.stages is not None and (len(self.stages) != self.pp or min(self.stages) < 1):
            raise BadInput(
                "bad-stages", f"stages {self.stages} with pp={self.pp}", "give each stage's layers, at least 1 each"
            )

    @property
    def size(self) -> int:
        """How many ranks there are."""
        return self.tp * self.pp * self.dp

    def ranks(self, dp: int) -> tuple[Rank, ...]:
        """Return the ranks of one DP group, stage by stage: those that hold a request of the group."""
        if not 0 <= dp < self.dp:
            raise BadInput("no-such-group", f"DP group {dp} of {self.dp}", f"groups are 0 to {self.dp - 1}")
        return tuple(Rank(pp, dp, tp) for pp in range(self.pp) for tp in range(self.tp))

    def number(self, rank: Rank) -> int:
        """Return the global number of a rank: stages outside, DP groups next, TP inside."""
        return (rank.pp * self.dp + rank.dp) * self.tp + rank.tp

    def stage(self, pp: int, layers: int) -> range:
        """Return the layers of a stage of a model of `layers`."""
        sizes = self.stages or even(layers, self.pp)
        if sum(sizes) != layers:
            raise BadInput("bad-stages", f"stages {sizes} hold {sum(sizes)} layers, the model has {layers}")
        if min(sizes) < 1:
            raise BadInput("bad-stages", f"{layers} layers leave some of {self.pp} stages empty", "take a smaller pp")
        ends = tuple(accumulate(sizes))
        return range(ends[pp] - sizes[pp], ends[pp])

    def heads(self, tp: int, heads: int) -> range:
        """Return the KV heads of TP rank `tp`; if there are more ranks than heads, several hold the same one."""
        if heads % self.tp and self.tp % heads:
            raise BadInput(
                "heads-do-not-split",
                f"{heads} KV heads over tp={self.tp} ranks",
                "one must divide the other, else ranks hold different numbers of heads",
            )
        first = tp * heads // self.tp
        return range(first, first + self.heads_per_rank(heads))

    def heads_per_rank(self, heads: int) -> int:
        """Return how many of `heads` KV heads each rank holds."""
        return max(1, heads // self.tp)


def even(layers: int, stages: int) -> tuple[int, ...]:
    """Return the default split of `layers`: the first `layers % stages` stages have one more."""
    share, more = divmod(layers, stages)
    return tuple(share + (stage < more) for stage in range(stages))
