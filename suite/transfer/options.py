"""What the user wrote, checked: sides such as `tp=4,pp=2`, and the model cut to some layers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from suite.errors import BadInput
from suite.kv.geometry import Order
from suite.kv.models import preset
from suite.kv.parallel import Parallel
from suite.kv.reshard import total
from suite.kv.side import Side
from suite.transfer.requests.request import Patience
from suite.transfer.serving.manner import Manner
from suite.transfer.task import SIDES, Task
from suite.transports import base

if TYPE_CHECKING:
    from collections.abc import Sequence

_NUMBERS = ("tp", "pp", "dp", "block")
_ACCEPTED = "tp, pp, dp (ranks), block (tokens of a block), stages (layers of each: 3+5), order (HND or NHD)"
MOST_WORKERS = 256
MOST_TOKENS = 1 << 22


def parse_side(text: str, *, element_bytes: int) -> Side:
    """Return the side that e.g. `tp=4,pp=2` describes; one rank, blocks of 32 tokens and HND are the defaults."""
    given: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name not in {*_NUMBERS, "stages", "order"} or name in given:
            raise BadInput(
                "bad-side", f"{part[:60]!r} in {text[:60]!r} is no part of a layout", f"accepted: {_ACCEPTED}"
            )
        given[name] = value
    number = {name: _number(name, given[name]) for name in _NUMBERS if name in given}
    stages = tuple(_number("stages", piece) for piece in given["stages"].split("+")) if "stages" in given else None
    parallel = Parallel(number.get("tp", 1), number.get("pp", 1), number.get("dp", 1), stages)
    return Side(parallel, number.get("block", 32), element_bytes, _order(given.get("order", "HND")))


def task_of(
    model: str,
    *,
    layers: int | None,
    prefill: str,
    decode: str,
    tokens: int,
    requests: int,
    element_bytes: int,
    cached: int = 0,
) -> Task:
    """Return the task, all requests in one batch; `BadInput` names whatever cannot be."""
    whole = preset(model)
    sides = [parse_side(text, element_bytes=element_bytes) for text in (prefill, decode)]
    if tokens > MOST_TOKENS:
        raise BadInput("too-many-tokens", f"--isl {tokens}", f"at most {MOST_TOKENS}")
    task = Task(
        whole.first(layers) if layers is not None else whole,
        sides[0],
        sides[1],
        tokens=tokens,
        requests=requests,
        batch=requests,
        cached=cached,
    )
    if len(task.roles()) > MOST_WORKERS:
        raise BadInput("too-many-ranks", f"{len(task.roles())} ranks", f"a process each: at most {MOST_WORKERS}")
    for name, side in zip(SIDES, sides, strict=True):
        side.parallel.stage(0, task.model.layers)
        for group in task.model.groups:
            _refuse_split(name, side.parallel, group.heads)
    if not cached < tokens:
        raise BadInput("nothing-missing", f"--cached {cached} of --isl {tokens}", "decode must lack at least one token")
    total(task.model, task.prefill, task.decode, tokens=tokens, cached=cached)  # refuses what cannot be handed over
    return task


def manner_of(
    methods: Sequence[tuple[str, Sequence[str]]],
    *,
    in_flight: int,
    layers_each: int | None,
    pace_ms: float | None,
    deadline_s: float,
) -> Manner | None:
    """Return how two servers are to serve requests; None: one request after the other, in phases that are timed apart."""
    if in_flight == 1 and layers_each is None and pace_ms is None:
        return None
    for transport, ops in methods:
        if base.load(transport).traits.two_sided:
            raise BadInput(
                "one-at-a-time",
                f"{transport} matches messages by their order, so it moves one request at a time",
                "leave out --in-flight, --layers-each and --pace, or take nixl:UCX or copy",
            )
        if layers_each is not None and set(ops) - {"push"}:
            raise BadInput(
                "only-push",
                "--layers-each is for a push: who pulls is told once, when all layers can be read",
                "add --op push",
            )
    limit = int(deadline_s * 1e9)
    patience = Patience(waiting_ns=limit, allocated_ns=limit, transferring_ns=limit)
    return Manner(in_flight, layers_each or 0, int((pace_ms or 0) * 1e6), patience)


def _refuse_split(name: str, parallel: Parallel, heads: int) -> None:
    try:
        parallel.heads(0, heads)
    except BadInput as error:
        raise BadInput(error.code, f"--{name}: {error.message}", error.hint) from error


def _number(name: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise BadInput("bad-side", f"{name}={text[:60]!r} is not a number", "a whole number, such as tp=4")
    return int(text)


def _order(text: str) -> Order:
    try:
        return Order(text.upper())
    except ValueError:
        raise BadInput("bad-side", f"order={text[:60]!r}", "HND or NHD") from None
