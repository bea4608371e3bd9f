"""What both servers agree on for a request, against the plans that move it: bytes and rows, whole and layer by layer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from suite.kv import reshard
from suite.transfer.pools import block_tables, placed
from suite.transfer.requests.consensus import Pair, Piece
from suite.transfer.serving import shares
from suite.transfer.task import SIDES, seat_of
from tests.suite.transfer.servers.test_image import CASES

if TYPE_CHECKING:
    from suite.kv.plan import Plan
    from suite.transfer.task import Task, Way

every_case = pytest.mark.parametrize("task", CASES.values(), ids=CASES)


def planned(task: Task, way: Way, request: int, layers: range) -> list[Plan]:
    """Return the plans of a way for a stretch of layers, from pools and block tables as the ranks have them."""
    tables = {name: block_tables(task, name, range(task.requests), (1,)) for name in SIDES}
    found = []
    for pair in way.pairs:
        only = pair.only(layers)
        if not only.layers:
            continue
        pools = [
            place.at(0, 0)
            for role in (way.source, way.destination)
            for place in placed(task, *seat_of(role))
            if place.group == pair.group
        ]
        blocks = [np.array(tables[name][request][pair.group.name]) for name in SIDES]
        found.append(
            reshard.plan(only, (pools[0], pools[1]), (blocks[0], blocks[1]), tokens=task.tokens, cached=task.cached)
        )
    return found


def piece_of(plans: list[Plan]) -> Piece:
    return Piece(sum(plan.wire_bytes for plan in plans), sum(len(plan) for plan in plans))


@every_case
@pytest.mark.parametrize("layers_each", [0, 1, 3])
def test_the_shares_are_what_the_plans_move(task: Task, layers_each: int) -> None:
    for request in range(task.requests):
        each = layers_each or task.model.layers
        wanted = {}
        for way in task.ways(request):
            stretches = [range(first, first + each) for first in range(0, task.model.layers, each)]
            plans = [planned(task, way, request, layers) for layers in stretches]
            pair = Pair(int(way.source.partition("-")[2]), int(way.destination.partition("-")[2]))
            wanted[pair] = tuple(piece_of(kept) for kept in plans if kept)
        assert shares.agreed(task, request, layers_each) == wanted


@every_case
def test_layer_by_layer_the_same_bytes_are_moved_as_in_one(task: Task) -> None:
    total = reshard.total(task.model, task.prefill, task.decode, tokens=task.tokens, cached=task.cached)
    for layers_each in (0, 1, 2, 3, 4, 99):
        for request in range(task.requests):
            whole, split = (shares.agreed(task, request, each) for each in (0, layers_each))
            assert whole.keys() == split.keys()
            for pair, [piece] in whole.items():
                assert sum(part.nbytes for part in split[pair]) == piece.nbytes
                assert sum(part.rows for part in split[pair]) >= piece.rows  # what joined over layers is cut
            assert sum(piece.nbytes for pieces in split.values() for piece in pieces) == total.wire_bytes


def test_stretches_cover_every_layer_once() -> None:
    task = CASES["tp 1 to 2"]
    for layers_each in range(7):
        found = shares.stretches(task, layers_each)
        assert [layer for layers in found for layer in layers] == list(range(4))
        assert all(len(layers) == (layers_each or 4) for layers in found[:-1])


def test_a_piece_is_numbered_by_its_stretch_also_where_a_stage_begins_late() -> None:
    task = CASES["uneven stages"]  # prefill has layers 0 to 2 and 3, decode 0 to 1 and 2 to 3
    by_ranks = {shares.pair_of(way): [number for number, _ in shares.pieces(task, way, 1)] for way in task.ways(0)}
    assert sorted(by_ranks.values()) == [[0, 1], [0, 1], [2], [2], [3], [3]]


def test_requests_of_the_same_dp_groups_are_alike_and_of_others_are_not() -> None:
    task = replace(CASES["DP groups"], requests=12)  # 2 groups at prefill, 3 at decode
    found = [shares.agreed(task, request, 1) for request in range(12)]
    for request in range(6):
        assert found[request] == found[request + 6]
        assert sum(found[request] == other for other in found) == 2


def test_requests_are_alike_where_the_numbers_of_groups_have_a_common_factor() -> None:
    task = replace(CASES["DP groups"], decode=CASES["DP groups"].prefill, requests=8)
    found = [shares.agreed(task, request, 0) for request in range(8)]
    assert found[0] == found[2] == found[4] == found[6]
    assert found[0].keys().isdisjoint(found[1].keys())
