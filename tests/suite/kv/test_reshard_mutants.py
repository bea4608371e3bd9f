"""The oracle can fail: wrong rules are caught, and upstream's old head rule exactly where it was wrong."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from suite.errors import BadInput
from suite.kv import align, reshard
from suite.kv import pairs as pairs_module
from suite.kv import plan as plans
from suite.kv.align import missing
from suite.kv.geometry import Order
from suite.kv.parallel import Parallel, even
from suite.kv.side import Side
from tests.suite.kv.cases import grouped, random_case
from tests.suite.kv.oracle import Case, Wrong, run

if TYPE_CHECKING:
    from suite.kv.pairs import Pair

MISPLACED = {(2, 1, 4), (2, 1, 8), (2, 4, 1), (2, 8, 1), (4, 1, 8), (4, 2, 8), (4, 8, 1), (4, 8, 2)}
PIPELINES = [
    ((1, None), (1, None)),
    ((2, (1, 2)), (1, None)),
    pytest.param(((1, None), (2, (2, 1))), marks=pytest.mark.deep),
    pytest.param(((2, None), (3, None)), marks=pytest.mark.deep),
]


def old_rule(prefill_tp: int, decode_tp: int) -> Any:
    """Return `plan` under the older head rule: unequal heads were taken for equal ones when one side replicated."""

    def plan(pair: Pair, pools: Any, tables: Any, **request: int) -> plans.Plan:
        held, taken = (part.layout.geometry.heads for part in (pair.source, pair.destination))
        if held * prefill_tp != taken * decode_tp or prefill_tp == decode_tp:
            return whole_slots(pair, pools, tables)
        moved, ratio = min(held, taken), max(prefill_tp, decode_tp) // min(prefill_tp, decode_tp)
        firsts = (
            pair.destination.rank.tp % ratio * moved if prefill_tp < decode_tp else 0,
            pair.source.rank.tp % ratio * moved if prefill_tp > decode_tp else 0,
        )
        ends = [replace(part, first_head=at) for part, at in zip((pair.source, pair.destination), firsts, strict=True)]
        return reshard.plan(replace(pair, source=ends[0], destination=ends[1]), pools, tables, **request)

    return plan


def whole_slots(pair: Pair, pools: Any, tables: Any) -> plans.Plan:
    """Move all layers of each block as one piece of prefill's size, wherever decode's next block begins."""
    begin = [
        pool.block_addresses(table) + np.uint64(part.first_layer * part.layout.layer_bytes)
        for part, pool, table in zip((pair.source, pair.destination), pools, tables, strict=True)
    ]
    length = len(pair.layers) * pair.source.layout.layer_bytes
    return plans.rows(*begin, length, source_device=pools[0].device, destination_device=pools[1].device)


def is_wrong(case: Case, **rules: Any) -> bool:
    """Tell whether the oracle refuses the outcome; that a rule is refused on the way does not count."""
    try:
        run(case, **rules)
    except Wrong:
        return True
    except (BadInput, IndexError):
        return False
    return False


@pytest.mark.parametrize("pipelines", PIPELINES)
def test_the_old_head_rule_fails_in_exactly_the_known_topologies(pipelines: Any) -> None:
    """Of (heads, prefill TP, decode TP) over 1, 2, 4, 8 eight were wrong; under the new rule none is."""
    misplaced = set()
    for heads, prefill_tp, decode_tp in product((1, 2, 4, 8), repeat=3):
        sides = [
            Side(Parallel(tp, pp, stages=stages), 2, 1)
            for tp, (pp, stages) in zip((prefill_tp, decode_tp), pipelines, strict=True)
        ]
        case = Case(grouped(heads, layers=3, dim=1), *sides, tokens=6)
        run(case)
        if is_wrong(case, make=old_rule(prefill_tp, decode_tp)):
            misplaced.add((heads, prefill_tp, decode_tp))
    assert misplaced == MISPLACED


def all_write(*_: int) -> bool:
    return True


def no_turns(heads: int, prefill_tp: int, decode_tp: int, tp: int, decode_dp: int) -> bool:
    """Compare with DP group itself, so that groups beyond the number of copies have no writer."""
    copies = max(1, max(1, heads // prefill_tp) * prefill_tp // (max(1, heads // decode_tp) * decode_tp))
    return tp % copies == decode_dp


def interleaved(own: int, own_tp: int, peer_tp: int) -> range:
    return range(own, peer_tp, own_tp) if own_tp <= peer_tp else range(own % peer_tp, own % peer_tp + 1)


def no_offset(*_: Any) -> tuple[int, int]:
    return 0, 0


def even_stage(self: Parallel, pp: int, layers: int) -> range:
    sizes = even(layers, self.pp)
    return range(sum(sizes[:pp]), sum(sizes[: pp + 1]))


def drops_the_last_partial_piece(tokens: int, source: Any, destination: Any, **rest: Any) -> Any:
    span = missing(tokens, source, destination, **rest)
    return replace(span, stop=max(span.start, tokens // span.chunk * span.chunk))


def forgets_the_window(tokens: int, source: Any, destination: Any, *, window: Any, cached: int) -> Any:
    del window
    return missing(tokens, source, destination, window=None, cached=cached)


def stale_without_the_next_token(tokens: int, per_block: int, window: int | None) -> int:
    return 0 if window is None else max(0, tokens - window) // per_block


PATCHES = {
    "every replica writes": (pairs_module, "writes", all_write),
    "replicas take no turns": (pairs_module, "writes", no_turns),
    "peers are interleaved": (pairs_module, "peers", interleaved),
    "heads begin at none": (pairs_module, "first_heads", no_offset),
    "uneven stages taken for even": (Parallel, "stage", even_stage),
    "the last partial block is dropped": (reshard, "missing", drops_the_last_partial_piece),
    "windows are forgotten": (reshard, "missing", forgets_the_window),
    "windows count without the next token": (align, "stale_blocks", stale_without_the_next_token),
}


def cases(count: int = 60) -> list[Case]:
    rng = random.Random(5)  # noqa: S311  cases, not secrets
    return [random_case(rng) for _ in range(count)]


@pytest.mark.parametrize("name", PATCHES)
def test_a_wrong_rule_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of a few random cases finds each wrong rule."""
    few = cases()
    where, what, wrong = PATCHES[name]
    monkeypatch.setattr(where, what, wrong)
    assert any(is_wrong(case) for case in few)


def hnd_for_nhd(pair: Pair, pools: Any, tables: Any, **request: int) -> plans.Plan:
    """Take any page for HND, as a reshaped view of an NHD buffer does."""
    ends = [replace(part, layout=replace(part.layout, order=Order.HND)) for part in (pair.source, pair.destination)]
    pools = tuple(replace(pool, layout=end.layout) for pool, end in zip(pools, ends, strict=True))
    return reshard.plan(replace(pair, source=ends[0], destination=ends[1]), pools, tables, **request)


def prefix_a_block_late(pair: Pair, pools: Any, tables: Any, *, tokens: int, cached: int) -> plans.Plan:
    return reshard.plan(pair, pools, tables, tokens=tokens, cached=min(tokens, cached + block(pair)))


def prefix_a_block_early(pair: Pair, pools: Any, tables: Any, *, tokens: int, cached: int) -> plans.Plan:
    return reshard.plan(pair, pools, tables, tokens=tokens, cached=max(0, cached // block(pair) - 1) * block(pair))


def block(pair: Pair) -> int:
    return pair.destination.layout.tokens_per_block


def tables_in_memory_order(pair: Pair, pools: Any, tables: Any, **request: int) -> plans.Plan:
    return reshard.plan(pair, pools, tuple(np.sort(table) for table in tables), **request)


def first_layers(pair: Pair, pools: Any, tables: Any, **request: int) -> plans.Plan:
    """Begin at the first layer of the stage, as if stages were equal."""
    ends = [replace(part, first_layer=0) for part in (pair.source, pair.destination)]
    return reshard.plan(replace(pair, source=ends[0], destination=ends[1]), pools, tables, **request)


MAKERS = (hnd_for_nhd, prefix_a_block_late, prefix_a_block_early, tables_in_memory_order, first_layers)


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_a_wrong_plan_is_caught(make: Any) -> None:
    """Some of a few random cases finds each wrong way to make a plan from a right pair."""
    assert any(is_wrong(case, make=make) for case in cases())


def test_nhd_taken_for_hnd_is_silent_where_no_head_is_cut() -> None:
    """With equal TP the bytes are right all the same, with unequal they are not: TensorRT-LLM issue 6507."""
    for tp, wrong in ((2, False), (4, True)):
        sides = Side(Parallel(2), 2, 1, Order.NHD), Side(Parallel(tp), 2, 1, Order.NHD)
        assert is_wrong(Case(grouped(4), *sides, tokens=6), make=hnd_for_nhd) == wrong


def test_the_right_rules_pass_the_same_cases() -> None:
    """Nothing above is caught because the cases themselves are wrong."""
    for case in cases():
        run(case)
