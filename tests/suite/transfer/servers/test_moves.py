"""Real requests between real worker processes; what is planted in one of them is found and named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from suite.kv.geometry import Order
from suite.kv.groups import LayerGroup, Model
from suite.kv.parallel import Parallel
from suite.kv.side import Side
from suite.transfer.record import RequestRecord
from suite.transfer.run import Asked, run
from suite.transfer.task import Task
from suite.transports import base

FAULTY = Path(__file__).parent / "faulty"
GQA = Model("gqa", 2, (LayerGroup("full", (0, 1), 2, 4, 16),))
MLA = Model("mla", 2, (LayerGroup("latent", (0, 1), 1, 1, 64),))
WINDOWS = Model("windows", 4, (LayerGroup("full", (1, 3), 2, 2, 8), LayerGroup("window", (0, 2), 2, 2, 8, window=24)))

needs_copy = pytest.mark.skipif(bool(base.load("copy").missing()), reason="this machine does not let processes copy")
needs_nixl = pytest.mark.skipif(bool(base.load("nixl:UCX").missing()), reason="this machine lacks NIXL")


@pytest.fixture(autouse=True)
def faulty_servers_can_be_imported(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(FAULTY), os.environ.get("PYTHONPATH")])))


def side(tp=1, pp=1, block=8, order=Order.HND):
    return Side(Parallel(tp, pp), block, 2, order)


def asked(model=GQA, prefill=None, decode=None, **changes):
    given = {"transport": "copy", "ops": ["push", "pull"], "seed": 7, "deadline_s": 60.0}
    task = Task(model, prefill or side(), decode or side(tp=2), tokens=37, requests=3, batch=3)
    return Asked(task=task, **given | changes)


def moved(case, tmp_path):
    """Return the summaries and the records of a run."""
    told = run(case, tmp_path / "run", lambda _op, _done: None)
    lines = (tmp_path / "run" / "requests.jsonl").read_text("utf-8").splitlines()
    return told.ops, [RequestRecord.model_validate_json(line) for line in lines]


@needs_copy
@pytest.mark.parametrize(
    ("case", "pairs", "factor"),
    [
        (asked(), 2, 1),
        (asked(prefill=side(tp=2, order=Order.NHD), decode=side(block=16)), 2, 1),
        (asked(WINDOWS, prefill=side(pp=2), decode=side()), 2, 1),
    ],
    ids=["tp 1 to 2", "tp 2 to 1, NHD to HND, larger blocks", "windows, pp 2 to 1"],
)
def test_every_byte_arrives(case, pairs, factor, tmp_path):
    ops, records = moved(case, tmp_path)
    assert [one["good"] for one in ops] == [True, True]
    assert [(record.op, record.request, record.status) for record in records] == [
        (op, request, "good") for op in ("push", "pull") for request in range(3)
    ]
    assert {record.pairs for record in records} == {pairs}
    assert {record.wire_bytes for record in records} == {factor * records[0].padded_bytes}
    assert all(record.transmission_ns > 0 and record.preparation_ns > 0 for record in records)
    assert {record.wire for record in records} == {"cma"}
    assert [one["wires"][0]["source"] for one in ops] == ["process_vm_writev", "process_vm_readv"]
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text("utf-8"))
    assert manifest["complete"]
    assert manifest["ops"] == ops


@needs_nixl
def test_nixl_gives_every_rank_of_mla_its_copy(tmp_path):
    ops, records = moved(asked(MLA, transport="nixl:UCX"), tmp_path)
    assert [one["good"] for one in ops] == [True, True]
    assert {record.wire_bytes / record.padded_bytes for record in records} == {2}
    assert {record.logical_bytes for record in records} == {37 * 2 * 64 * 2}
    assert all(wire["source"] == "UCX protocol tables" for one in ops for wire in one["wires"])
    assert [wire["ranks"] for one in ops for wire in one["wires"]] == [
        1,
        2,
    ]  # push: prefill posts; pull: both of decode


@needs_copy
@pytest.mark.parametrize(
    ("server", "said"),
    [
        ("DropsPair", "decode-1: request 0, layer 0, K, head 2, block"),
        ("swaps_two_descriptors", "decode-0: request 0, layer 0, K, head 0, block"),
        pytest.param("reads_the_wrong_rows", "decode-0: request 0, layer 0, K, head 0", marks=pytest.mark.deep),
    ],
)
def test_a_rank_that_is_wrong_is_found_and_named(server, said, tmp_path):
    ops, records = moved(asked(server=f"faulty_ranks:{server}", ops=["push"]), tmp_path)
    assert not ops[0]["good"]
    assert [record.status for record in records] == ["wrong"] * 3
    assert said in records[0].findings[0]
    assert any(said in finding for finding in ops[0]["findings"])
    if server == "swaps_two_descriptors":
        assert ": holds request 0, layer 0, V, head 0, token 0" in records[0].findings[0]
    if server == "DropsPair":
        assert all("untouched" in finding for record in records for finding in record.findings)


@needs_copy
@pytest.mark.deep
@pytest.mark.parametrize(
    ("server", "phase", "statuses"),
    [
        ("DiesInTransfer", "transfer", ["unchecked", "failed", "not-run"]),
        ("DiesInCheck", "check", ["unchecked", "unchecked", "unchecked"]),
    ],
)
@pytest.mark.parametrize("op", ["push", "pull"])
def test_what_a_killed_rank_costs(op, server, phase, statuses, tmp_path):
    ops, records = moved(asked(server=f"faulty_ranks:{server}", ops=[op]), tmp_path)
    assert [record.status for record in records] == statuses
    assert not ops[0]["good"]
    for record in records:
        assert record.failure is not None
        assert (record.failure.role, record.failure.phase) == ("decode-1", phase)
        assert record.failure.reason == "killed by SIGKILL"
    assert records[0].transmission_ns > 0


@needs_copy
@pytest.mark.deep
def test_a_rank_that_waits_for_ever_ends_at_the_deadline(tmp_path):
    ops, records = moved(asked(server="faulty_ranks:SilentAboutPair", deadline_s=5.0), tmp_path)
    assert [one["op"] for one in ops] == ["push"], "no op after one that lost a worker"
    assert ops[0]["failure"]["role"] == "decode-1"
    assert ops[0]["failure"]["phase"] == "transfer"
    assert [record.status for record in records] == ["failed", "not-run", "not-run"]
    assert records[0].failure is not None
    assert records[0].failure.reason == "no answer"
