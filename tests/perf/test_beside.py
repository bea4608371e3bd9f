"""Ceilings and the witness in the launches of a sweep: there once, found again, and never the sweep's undoing."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from perf import beside, perftest, sweep, witness
from perf.asides import WitnessRecord
from perf.perftest import PerftestFailed
from perf.progress import Silent
from perf.reading import read_run
from perf.spec import check_spec
from perf.testimony import compared
from suite.errors import BadInput, Missing
from suite.run.folder import create
from suite.transports.base import load
from suite.world.supervisor import WorkerFailed

TABLE = {"sizes": ["64 KiB"], "patterns": ["hot"], "ops": ["push"], "samples": 10}


def has_tool():
    try:
        perftest.find()
    except Missing:
        return False
    return not load("nixl:UCX").missing()


needs_tool = pytest.mark.skipif(not has_tool(), reason="no ucx_perftest or no NIXL: pip install '.[ucx]'")


class Notes(Silent):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def spec(transports=("nixl:UCX",), launches=1, **changes):
    table = TABLE | {"transports": list(transports)} | changes
    asked = {"launches": launches, "windows": 1, "ceilings": True, "witness": True, "bytes": [table]}
    return check_spec(asked, source="test")


def measured(path, wanted, watcher=None):
    folder = create(path)
    sweep.measure(wanted, folder, sweep.Options(seed=3), watcher or Silent())
    return read_run(folder.samples)


@needs_tool
def test_one_run_has_points_ceilings_and_the_witness(tmp_path):
    found = measured(tmp_path / "run", spec())
    (point,) = found.points
    (said,) = found.witnesses
    assert said.test == "ucp_put_bw"
    assert said.error_handling
    assert not said.problem
    assert said.wire == point.evidence.wire == "cma"
    assert {one.launch for one in found.asides} == {0}
    assert {(one.name, one.working_set_bytes) for one in found.ceilings} == {
        (name, 1 << 20) for name in ("memory copy", "tcp loopback, 1 connection", "tcp loopback, 4 connections")
    }
    (told,) = compared(found.points, found.witnesses)
    assert told.same_wire
    assert told.ratio.median == pytest.approx(told.ours.median / told.theirs.median)


@needs_tool
@pytest.mark.deep
def test_a_resumed_run_has_each_aside_once(tmp_path):
    class Stops(Silent):
        def measured(self, _record):
            raise KeyboardInterrupt

    folder = create(tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        sweep.measure(spec(launches=3), folder, sweep.Options(seed=3), Stops())
    again, options, same = sweep.resumed(folder.path)
    sweep.measure(again, same, options, Silent())
    found = read_run(folder.samples)
    assert Counter(one.launch for one in found.points) == {0: 1, 1: 1, 2: 1}
    asides = Counter(
        (one.launch, one.kind, getattr(one, "name", ""), getattr(one, "pages", "")) for one in found.asides
    )
    assert set(asides.values()) == {1}
    assert {launch for launch, *_ in asides} >= {1, 2}


@pytest.mark.deep
def test_workers_that_measure_no_ceiling_cost_a_note(tmp_path, monkeypatch):
    def fails(*_args, **_options):
        raise WorkerFailed("copier", "copy", "killed by SIGKILL", "")

    monkeypatch.setattr(beside.ceilings, "measure", fails)
    watcher = Notes()
    found = measured(tmp_path / "run", spec(["copy"]), watcher)
    assert len(found.points) == 1
    assert not found.asides
    assert watcher.notes == ["no ceilings in launch 1: copier worker, copy: killed by SIGKILL"]


@pytest.mark.deep
@needs_tool
def test_a_witness_that_fails_is_kept_as_such(tmp_path, monkeypatch):
    def fails(*_args, **_options):
        raise PerftestFailed("perftest-late", "ucx_perftest was not done after 60 s")

    monkeypatch.setattr(witness, "run_pair", fails)
    watcher = Notes()
    found = measured(tmp_path / "run", spec(), watcher)
    (said,) = found.witnesses
    assert said.gb_per_s is None
    assert "not done after 60 s" in said.problem
    assert "not done after 60 s" in watcher.notes[0]
    assert compared(found.points, found.witnesses) == []


@pytest.mark.deep
def test_without_the_tool_a_sweep_says_so_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(witness, "find", lambda _environment: _raise(Missing("no-perftest", "no ucx_perftest")))
    watcher = Notes()
    found = measured(tmp_path / "run", spec(["copy"]), watcher)
    assert not found.witnesses
    assert "no witness: no ucx_perftest" in watcher.notes


def _raise(error):
    raise error


def test_a_launch_that_stopped_between_two_witnesses_has_the_other_still_to_come():
    wanted = [
        witness.Wanted(test, 4096, error_handling=True, nixl=True, settings=()) for test in ("ucp_put_bw", "ucp_get")
    ]
    asked = beside.Beside((1 << 20,), tuple(wanted), {}, None, print)
    done = {"ceiling", witness.key_of(witnessed(0, 1.0, nbytes=4096))}
    (left,) = asked.steps(0, done, volume=None)
    assert left.args[0].test == "ucp_get"


def test_what_stands_beside_what():
    """Error handling and variables are the point's; points that move elsewhere, or not hot, have no witness."""
    table = TABLE | {
        "transports": ["nixl:UCX", "ucx", "copy"],
        "patterns": ["hot", "scattered"],
        "ops": ["push", "pull"],
        "settings": {
            "nixl:UCX": [{}, {"ucx_error_handling_mode": "none"}, {"UCX_TLS": "tcp"}],
            "ucx": [{}, {"error_handling": "off"}],
        },
    }
    wanted = witness.all_wanted(sweep_points(table))
    found = {(one.test, one.error_handling, one.settings) for one in wanted}
    assert found == {
        ("ucp_put_bw", True, ()),
        ("ucp_put_bw", False, ()),
        ("ucp_put_bw", True, (("UCX_TLS", "tcp"),)),
        ("ucp_get", True, ()),
        ("ucp_get", False, ()),
        ("ucp_get", True, (("UCX_TLS", "tcp"),)),
        ("tag_bw", True, ()),
        ("tag_bw", False, ()),
    }
    assert len(wanted) == len(found)


def sweep_points(table):
    from perf.planning import points

    return points(check_spec({"bytes": [table]}, source="test"))


def test_the_witness_has_the_environment_of_its_point():
    wanted = witness.Wanted("ucp_put_bw", 4096, error_handling=True, nixl=True, settings=(("UCX_TLS", "tcp"),))
    told = wanted.environment({"UCX_TLS": "all", "UCX_RNDV_THRESH": "8192", "HOME": "/home/a"})
    assert told == {"UCX_TLS": "tcp", "UCX_RNDV_THRESH": "8192", "UCX_MAX_RMA_RAILS": "2", "HOME": "/home/a"}
    direct = witness.Wanted("tag_bw", 4096, error_handling=True, nixl=False, settings=())
    assert direct.environment({}) == {}


def witnessed(launch, rate, **changes):
    told = {"test": "ucp_put_bw", "nbytes": 4 << 20, "error_handling": True, "gb_per_s": rate, "latency_us": 400.0}
    told |= {"launch": launch, "wire": "cma", "load_average": 0.0, "started_at": "2026-11-24T05:00:00Z"}
    return WitnessRecord.model_validate(told | {"version": "1.21.0", "command": "ucx_perftest -e"} | changes)


HOT = {"pattern": "hot", "unit": "bytes", "workload": "bytes", "descriptors": 1, "logical_bytes": 4 << 20}


def test_ratios_are_of_the_same_launch(launches):
    """4 MiB in 12.5 ms are 0.336 GB/s; a launch in which both were fast is no faster than its witness."""
    points = launches(6, **HOT)
    rate = 4 * 2 * (4 << 20) / 100e6
    ratios = (0.5, 0.8, 1.0, 1.25, 2.0, 4.0)
    (told,) = compared(points, [witnessed(launch, rate / ratio) for launch, ratio in enumerate(ratios)])
    assert told.ratio.median == pytest.approx(1.125)
    assert (told.ratio.low, told.ratio.high) == (pytest.approx(0.5), pytest.approx(4.0))
    assert told.reasons == ()


def test_a_short_fall_is_explained_in_numbers(launches):
    points = launches(6, phases_ns={"gather": 24_000_000}, **HOT)
    said = [witnessed(launch, 10.0, wire="tcp") for launch in range(6)]
    (told,) = compared(points, said)
    assert not told.same_wire
    assert told.reasons == (
        "other wires: ours cma, the witness's tcp",
        "one transfer took 12 ms on average from post to completion, the witness 400 us",
        "2 ms of it, or beside it at the receiver, is gather",
        "500 us a transfer is the wait for the acknowledgement",
    )


@pytest.mark.parametrize(
    "changes",
    [{"launch": 9}, {"error_handling": False}, {"settings": {"UCX_TLS": "tcp"}}, {"nbytes": 8}, {"test": "tag_bw"}],
)
def test_a_witness_of_something_else_is_none(launches, changes):
    assert compared(launches(6, **HOT), [witnessed(**{"launch": 0, "rate": 1.0} | changes)]) == []


def test_emulated_points_have_no_witness(launches):
    assert compared(launches(6, emulated=True, **HOT), [witnessed(0, 1.0)]) == []


@pytest.mark.parametrize("kind", ["ceiling", "witness"])
@pytest.mark.parametrize("change", [{"more": 1}, {"launch": -1}, {"gb_per_s": "x"}, {"schema": 2}])
def test_a_damaged_aside_is_told_with_its_line(tmp_path, kind, change):
    line = witnessed(0, 1.0) if kind == "witness" else None
    fields = line.model_dump(mode="json", by_alias=True) if line else {"kind": "ceiling", "schema": 1, "launch": 0}
    path = tmp_path / "samples.jsonl"
    path.write_text(f"{json.dumps(fields | change)}\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"samples\.jsonl:1"):
        read_run(path)
