"""Two real servers with many requests in flight, and what happens to them."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from suite.run.folder import RANKS
from suite.transfer.commands import transfer
from suite.transfer.metrics import read_ranks
from suite.transfer.record import RequestRecord
from suite.transfer.requests.request import Patience
from suite.transfer.serving.manner import Manner
from suite.transports import base
from tests.suite.transfer.serving.running import everything_holds, outcomes, service, workers_find_these_tests

if TYPE_CHECKING:
    from pathlib import Path

    from suite.transfer.record import Op
    from suite.transfer.serving.service import Service
    from suite.transfer.task import SideName

needs_copy = pytest.mark.skipif(bool(base.load("copy").missing()), reason="this machine does not let processes copy")
needs_nixl = pytest.mark.skipif(bool(base.load("nixl:UCX").missing()), reason="this machine lacks NIXL")
TRANSPORTS = [
    pytest.param("copy", marks=needs_copy),
    pytest.param("nixl:UCX", marks=[needs_nixl, pytest.mark.deep]),
]
OPS = ["push", "pull"]


def served(running: Service, requests: int = 12) -> list[int]:
    return list(running.serve(range(requests)))


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("op", OPS)
def test_many_requests_share_pools_for_three(op: Op, transport: str, tmp_path: Path) -> None:
    with service(tmp_path, op, transport) as running:
        assert sorted(served(running)) == list(range(12))
        assert outcomes(running) == ["complete"] * 12
        everything_holds(running)
        assert all(server.refusals == [] for server in running.servers.values())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_layers_are_pushed_while_others_are_computed(transport: str, tmp_path: Path) -> None:
    """A layer that left before it was computed would arrive as paint; each rank posts once for each layer it holds."""
    manner = Manner(in_flight=3, layers_each=1, pace_ns=2_000_000)
    with service(tmp_path, "push", transport, manner) as running:
        served(running, 6)
        assert outcomes(running) == ["complete"] * 6
        everything_holds(running)
        moved = running.servers["prefill"].notes["r0"].moved
        assert {role: len(reports) for role, reports in moved.items()} == {"prefill-0": 4, "prefill-1": 4}
        posted = [report["queue_ns"] for report in moved["prefill-0"]]  # in the order in which they ended
        assert max(posted) - min(posted) >= 3 * manner.pace_ns


@needs_copy
def test_ranks_whose_peers_have_much_to_hear_do_not_wait_for_ever(tmp_path: Path) -> None:
    """Where both servers' ranks took turns, notifications filled a queue that nobody was looking at."""
    manner = Manner(in_flight=8, layers_each=1)
    with service(tmp_path, "push", manner=manner, batch=8) as running:
        for number in range(8):
            running.submit(number)
        served(running, 0)
        assert outcomes(running) == ["complete"] * 8
        assert running.lost == []
        everything_holds(running)


def lose(running: Service, side: SideName, number: int, signal_: int = signal.SIGKILL) -> None:
    os.kill(running.ranks[side].pids()[f"{side}-{number}"], signal_)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("side", ["decode", pytest.param("prefill", marks=pytest.mark.deep)])
def test_a_rank_that_is_killed_ends_its_requests_and_the_server_starts_again(
    side: SideName, op: Op, transport: str, tmp_path: Path
) -> None:
    with service(tmp_path, op, transport) as running:
        before = running.servers[side].incarnation
        for over in running.serve(range(12)):
            if over == 3:
                lose(running, side, 1)
        assert running.servers[side].incarnation != before
        assert [(lost.role, lost.reason) for lost in running.lost] == [(f"{side}-1", "killed by SIGKILL")]
        ends = Counter(outcomes(running))
        assert set(ends) <= {"complete", "failed", "complete on one side"}
        assert ends["complete"] >= 8
        told = {note.reason for server in running.servers.values() for note in server.notes.values() if note.reason}
        assert told
        # told by its supervisor, by the rank at the other end, or by the server that greets anew: who sees it first
        assert all(f"{side} rank 1" in reason or f"{side} restarted" in reason for reason in told), told
        everything_holds(running)


@pytest.mark.deep
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("op", OPS)
def test_a_server_that_starts_again_serves_on(op: Op, transport: str, tmp_path: Path) -> None:
    with service(tmp_path, op, transport) as running:
        for over in running.serve(range(12)):
            if over in {2, 6}:
                running.restart("decode" if over == 2 else "prefill")
        assert outcomes(running)[-2:] == ["complete", "complete"]
        everything_holds(running)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("side", ["decode", pytest.param("prefill", marks=pytest.mark.deep)])
def test_what_its_user_cancels_ends_for_both(side: SideName, op: Op, transport: str, tmp_path: Path) -> None:
    """Before it has blocks, while it moves, and after it is over, when it is too late."""
    with service(tmp_path, op, transport, Manner(in_flight=12)) as running:
        for over in running.serve(range(12)):
            if over == 1:
                for number in (1, 3, 4, 11):
                    running.cancel(side, number)
        ends = outcomes(running)
        assert ends[1] == "complete", "it was over"
        assert ends[11] == "cancelled", "it waited for blocks"
        assert set(ends) <= {"complete", "cancelled", "complete on one side"}
        everything_holds(running)


@needs_copy
def test_a_request_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    """Prefill computes for longer than anybody waits; the next ones get their blocks."""
    patience = Patience(waiting_ns=60 * 10**9, allocated_ns=60 * 10**9, transferring_ns=40_000_000)
    with service(tmp_path, "push", manner=Manner(2, 1, 30_000_000, patience)) as running:
        served(running, 5)
        assert outcomes(running) == ["failed"] * 5
        reason = running.servers["prefill"].notes["r0"].reason
        assert "timed out after" in reason
        assert "0 of 2 pieces" in reason or "1 of 2 pieces" in reason or "not posted" in reason
        everything_holds(running)


@needs_copy
@pytest.mark.deep
def test_a_rank_that_is_stopped_is_lost_after_the_deadline(tmp_path: Path) -> None:
    with service(tmp_path, "push") as running:
        for over in running.serve(range(8)):
            if over == 2:
                lose(running, "decode", 0, signal.SIGSTOP)
        assert [lost.reason for lost in running.lost] == ["stopped"]
        everything_holds(running)


@needs_copy
@pytest.mark.parametrize("extra", [[], ["--in-flight", "2", "--layers-each", "1"]], ids=["phases", "served"])
def test_each_rank_tells_its_part_of_each_request(extra: list[str], tmp_path: Path) -> None:
    """Either side's bytes add up to the request's; only those who post have posted, and took time to."""
    common = "--layers 2 --isl 96 --requests 3 --prefill tp=2 --decode tp=4 --op push --transport copy --json"
    found = CliRunner().invoke(transfer, [*common.split(), *extra, "--out", str(tmp_path / "run")])
    assert found.exit_code == 0, found.output
    ranks, notes = read_ranks(tmp_path / "run" / RANKS)
    assert notes == []
    assert {(one.request, one.role) for one in ranks} == {
        (request, role)
        for request in range(3)
        for role in ("prefill-0", "prefill-1", *(f"decode-{number}" for number in range(4)))
    }
    lines = (tmp_path / "run" / "requests.jsonl").read_text("utf-8").splitlines()
    for record in map(RequestRecord.model_validate_json, lines):
        for side in ("prefill", "decode"):
            mine = [one for one in ranks if one.request == record.request and one.role.startswith(side)]
            assert sum(one.wire_bytes for one in mine) == record.wire_bytes
            assert sum(one.descriptors for one in mine) == record.descriptors
            assert sum(one.posted_descriptors for one in mine) == (
                record.posted_descriptors if side == "prefill" else 0
            )
            assert all(one.gb_per_s for one in mine) or side == "decode"


FAULTY = "tests.suite.transfer.serving.breakable"


@needs_copy
def test_a_row_that_went_elsewhere_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workers_find_these_tests(monkeypatch)
    with service(tmp_path, "push", manner=Manner(in_flight=3, server=f"{FAULTY}:DropsRow")) as running:
        served(running, 3)
        for name, note in running.servers["decode"].notes.items():
            assert note.findings, name
            assert {role for role, _ in note.findings} <= {"decode-0", "decode-1"}
            assert f"request {name[1:]}, layer" in note.findings[0][1]["text"]


@needs_copy
def test_a_rank_that_writes_on_after_a_cancel_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its blocks were painted when they came back: what lands in them later is seen."""
    workers_find_these_tests(monkeypatch)
    manner = Manner(3, layers_each=1, pace_ns=200_000_000, server=f"{FAULTY}:WritesOn")
    with service(tmp_path, "push", manner=manner) as running:
        running.submit(0)
        while not running.servers["prefill"].notes["r0"].moved:
            running.turn()
        running.cancel("decode", 0)
        running.settle()
        assert outcomes(running) == ["cancelled"]
        with pytest.raises(AssertionError, match="decode-"):
            everything_holds(running)
