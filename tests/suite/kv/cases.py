"""Small handovers: all topologies to four ranks a side, and random ones beyond."""

from __future__ import annotations

from itertools import pairwise, product
from typing import TYPE_CHECKING

from suite.kv.geometry import Order
from suite.kv.groups import LayerGroup, Model
from suite.kv.parallel import Parallel
from suite.kv.side import Side
from tests.suite.kv.oracle import Case

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

ORDERS = list(product(Order, Order))
BLOCKS = [(2, 2), (2, 4), (4, 2)]  # tokens per block of prefill and decode
WIDTHS = (1, 2, 3, 4, 6, 8)  # tensor parallelism, heads


def grouped(heads: int, *, layers: int = 4, dim: int = 2, kinds: int = 2) -> Model:
    return Model("grouped", layers, (LayerGroup("full", tuple(range(layers)), kinds, heads, dim),))


def latent(layers: int = 4) -> Model:
    return Model("latent", layers, (LayerGroup("latent", tuple(range(layers)), 1, 1, 3),))


def fits(model: Model, prefill: int, decode: int) -> bool:
    """Tell whether a model can go from TP to TP: heads are dealt evenly on both sides, and one TP divides the other."""
    pairs = [(prefill, decode), *product({group.heads for group in model.groups}, (prefill, decode))]
    return all(max(pair) % min(pair) == 0 for pair in pairs)


def uneven(case: Case) -> bool:
    """Tell whether stages of a side hold different numbers of layers."""
    sides = (case.prefill.parallel, case.decode.parallel)
    return any(len({len(side.stage(pp, case.model.layers)) for pp in range(side.pp)}) > 1 for side in sides)


def replicated(case: Case) -> bool:
    """Tell whether several ranks hold the same K-V head."""
    heads = [group.heads for group in case.model.groups if group.kinds == 2 and not group.per_request]
    return bool(heads) and max(case.prefill.parallel.tp, case.decode.parallel.tp) > min(heads)


def is_latent(case: Case) -> bool:
    return any(group.name == "latent" for group in case.model.groups)


def topologies(layers: int) -> list[Parallel]:
    """Return every way to spread `layers` over up to four ranks, and for each number of stages an odd split."""
    found = []
    for tp, pp, dp in product(range(1, 5), repeat=3):
        if tp * pp * dp <= 4:
            found.append(Parallel(tp, pp, dp))
            if pp > 1:
                found.append(Parallel(tp, pp, dp, stages=(*[1] * (pp - 1), layers - pp + 1)))
    return found


def every_topology(step: int = 1) -> Iterator[Case]:
    """Yield each pair of topologies for MLA and 1 to 4 heads, all orders, all DP groups; of these every `step`th.

    Block sizes and cached prefixes go round, so that each meets each order.
    """
    number = 0
    for model in (latent(), *(grouped(heads) for heads in (1, 2, 3, 4))):
        for prefill, decode, order in product(topologies(4), topologies(4), ORDERS):
            if not fits(model, prefill.tp, decode.tp):
                continue
            for dp in product(range(prefill.dp), range(decode.dp)):
                number += 1
                if number % step:
                    continue
                sizes = BLOCKS[number // step % 3]
                sides = [Side(*one) for one in zip((prefill, decode), sizes, (1, 1), order, strict=True)]
                yield Case(model, *sides, tokens=7, cached=number % 2 * sizes[1], dp=dp, seed=number)


def random_model(rng: random.Random) -> Model:
    layers = rng.randint(2, 6)
    kind = rng.choices(("grouped", "latent", "windowed", "hybrid"), (5, 2, 2, 1))[0]
    if kind == "latent":
        return latent(layers)
    heads = rng.choice(WIDTHS)
    if kind == "grouped":
        return grouped(heads, layers=layers, dim=rng.randint(1, 3), kinds=rng.choice((1, 2, 2, 2)))
    other = sorted(rng.sample(range(layers), rng.randint(1, layers - 1)))
    rest = tuple(layer for layer in range(layers) if layer not in other)
    full = LayerGroup("full", rest, 2, heads, 2)
    more = rng.choice([width for width in WIDTHS if not max(width, heads) % min(width, heads)])
    if kind == "windowed":
        return Model(kind, layers, (full, LayerGroup("window", tuple(other), 2, more, 1, window=rng.randint(1, 20))))
    state = LayerGroup("state", tuple(other), 1, more, 3, per_request=True, element_bytes=4)
    return Model(kind, layers, (full, state, LayerGroup("conv", tuple(other), 2, 1, 2, per_request=True)))


def random_parallel(rng: random.Random, tp: int, layers: int) -> Parallel:
    pp, dp = rng.randint(1, min(3, layers)), rng.choice((1, 1, 2, 3))
    if pp == 1 or rng.random() < 0.4:
        return Parallel(tp, pp, dp)
    cuts = [0, *sorted(rng.sample(range(1, layers), pp - 1)), layers]
    return Parallel(tp, pp, dp, stages=tuple(b - a for a, b in pairwise(cuts)))


def random_case(rng: random.Random) -> Case:
    """Return a case of up to 8 x 3 ranks a request and side, with tables in any order and of any sufficient length."""
    model = random_model(rng)
    tps = rng.choice([tps for tps in product(WIDTHS, WIDTHS) if fits(model, *tps)])
    blocks = rng.choice([1, 2, 3, 4]), rng.choice((1, 1, 2, 3))
    sizes = [blocks[0], blocks[0] * blocks[1]]
    rng.shuffle(sizes)
    element = rng.choice((1, 1, 2))
    sides = [
        Side(random_parallel(rng, tp, model.layers), size, element, rng.choice(list(Order)))
        for tp, size in zip(tps, sizes, strict=True)
    ]
    if rng.random() < 0.5:
        sides[1] = Side(sides[1].parallel, sizes[1], element, sides[0].order)
    tokens = rng.randint(1, 16)
    cached = rng.choice((0, tokens, *range(0, tokens, sizes[1])))
    dp = rng.randrange(sides[0].parallel.dp), rng.randrange(sides[1].parallel.dp)
    spare = rng.choice((0, 1, 9)), rng.choice((0, 1, 9))
    return Case(model, *sides, tokens, cached, dp, spare, rng.randrange(1 << 30))
