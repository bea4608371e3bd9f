"""What one invocation moves: a model, the two sides, the requests; and which ranks talk for each of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from suite.kv.geometry import Order
from suite.kv.groups import LayerGroup, Model, stale_blocks
from suite.kv.pairs import pairs
from suite.kv.parallel import Parallel
from suite.kv.side import Side

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from suite.kv.pairs import Pair
    from suite.kv.parallel import Rank

SideName = Literal["prefill", "decode"]
SIDES: tuple[SideName, SideName] = ("prefill", "decode")


@dataclass(frozen=True)
class Task:
    """`requests` prompts of `tokens` each; `batch` of them have blocks in the pools at the same time.

    Decode has the first `cached` tokens of each prompt already: whole blocks, which must stay as they are.
    """

    model: Model
    prefill: Side
    decode: Side
    tokens: int
    requests: int
    batch: int
    cached: int = 0

    def side(self, name: SideName) -> Side:
        """Return a side by its name."""
        return self.prefill if name == "prefill" else self.decode

    def roles(self) -> list[str]:
        """Return the role of every rank, prefill's first."""
        return [role_of(name, number) for name in SIDES for number in range(self.side(name).parallel.size)]

    def group_of(self, name: SideName, request: int) -> int:
        """Return the attention-DP group in which a request lives: they take turns."""
        return request % self.side(name).parallel.dp

    def ranks_of(self, name: SideName, request: int) -> list[str]:
        """Return the roles of the ranks that hold a request."""
        parallel = self.side(name).parallel
        return [role_of(name, parallel.number(rank)) for rank in parallel.ranks(self.group_of(name, request))]

    def ways(self, request: int) -> tuple[Way, ...]:
        """Return the pairs of ranks that hand over a request."""
        return _ways(self, self.group_of("prefill", request), self.group_of("decode", request))

    def every_way(self) -> list[Way]:
        """Return each two ranks that talk, once."""
        found = {(way.source, way.destination): way for request in range(self.requests) for way in self.ways(request)}
        return list(found.values())

    def block_count(self, name: SideName, group: LayerGroup) -> int:
        """Return how many blocks a request has in the group's pool on one side."""
        return group.blocks(self.tokens, self.side(name).tokens_per_block)

    def first_token(self, name: SideName, group: LayerGroup) -> int:
        """Return the first token of a request's first block."""
        size = self.side(name).tokens_per_block
        return 0 if group.per_request else stale_blocks(self.tokens, size, group.window) * size

    def moved(self, group: LayerGroup) -> range:
        """Return the tokens that decode must hold: whole pieces of the smaller block, of what both sides keep."""
        if group.per_request:
            return range(1)
        piece = min(self.prefill.tokens_per_block, self.decode.tokens_per_block)
        first = max(self.cached, *(self.first_token(name, group) for name in SIDES))
        return range(first, -(-self.tokens // piece) * piece)

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Task:
        """Return the task that a supervisor sent."""
        groups = tuple(LayerGroup(**group | {"layers": tuple(group["layers"])}) for group in told["model"]["groups"])
        model = Model(told["model"]["name"], told["model"]["layers"], groups)
        counts = {name: told[name] for name in ("tokens", "requests", "batch", "cached")}
        return cls(model, _side(told["prefill"]), _side(told["decode"]), **counts)


@dataclass(frozen=True)
class Way:
    """Two ranks that talk: the role of each, and what they hand over, a pair for each layer group that both hold."""

    source: str
    destination: str
    pairs: tuple[Pair, ...]


def role_of(name: SideName, number: int) -> str:
    """Return a worker's role: `decode-3`."""
    return f"{name}-{number}"


def seat_of(role: str) -> tuple[SideName, int]:
    """Return the side and the global number of a role."""
    name, _, number = role.partition("-")
    return ("prefill" if name == "prefill" else "decode"), int(number)


def rank_of(parallel: Parallel, number: int) -> Rank:
    """Return the rank with a global number."""
    return next(rank for rank in _every_rank(parallel) if parallel.number(rank) == number)


def _every_rank(parallel: Parallel) -> Iterator[Rank]:
    for group in range(parallel.dp):
        yield from parallel.ranks(group)


@cache  # of every request's kind the same; a task is a value
def _ways(task: Task, prefill_dp: int, decode_dp: int) -> tuple[Way, ...]:
    found: dict[tuple[str, str], list[Pair]] = {}
    for group in task.model.groups:
        for pair in pairs(task.model, group, task.prefill, task.decode, prefill_dp=prefill_dp, decode_dp=decode_dp):
            roles = (
                role_of("prefill", task.prefill.parallel.number(pair.source.rank)),
                role_of("decode", task.decode.parallel.number(pair.destination.rank)),
            )
            found.setdefault(roles, []).append(pair)
    return tuple(Way(*roles, tuple(both)) for roles, both in sorted(found.items()))


def _side(told: Mapping[str, Any]) -> Side:
    stages = told["parallel"]["stages"]
    parallel = Parallel(**dict(told["parallel"]) | {"stages": None if stages is None else tuple(stages)})
    return Side(parallel, told["tokens_per_block"], told["element_bytes"], Order(told["order"]))
