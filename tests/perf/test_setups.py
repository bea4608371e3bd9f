"""Points that cannot share processes have groups of workers of their own, and `--require` judges their wires."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from perf.analysis import counts, everything_good
from perf.commands import sweep
from perf.planning import points
from perf.reading import read_records
from perf.require import WIRES, judge
from perf.setups import by_setup, setup_of
from perf.spec import check_spec
from perf.sweep import Options, measure
from suite.errors import BadInput
from suite.run import folder
from suite.run.network import sent_bytes
from suite.transports import base

pytestmark = pytest.mark.skipif(bool(base.load("nixl:UCX").missing()), reason="this machine lacks NIXL")

FAULTY = Path(__file__).parent / "faulty"
CACHE = {
    "model": "llama-3.1-8b",
    "dtype": "fp8",
    "tokens": 64,
    "transports": ["nixl:UCX", "copy"],
    "ops": ["push"],
    "units": ["layer"],
    "patterns": ["scattered"],
    "samples": 2,
}
TCP = {"nixl:UCX": [{}, {"UCX_TLS": "tcp"}]}


class Quiet:
    def started(self, launches, points, *, done=0):
        pass

    def measured(self, record):
        pass

    def note(self, text):
        raise AssertionError(text)


def spec_of(**changes):
    return check_spec({"launches": 1, "windows": 1, "kv": [CACHE | changes]}, source="test")


def measured(path, server="perf.server:PointServer", **changes):
    run = folder.create(path / "run")
    measure(spec_of(**changes), run, Options(seed=1, server=server), Quiet())
    return read_records(run.samples)[0]


def test_points_are_split_by_what_is_fixed_when_a_process_starts():
    planned = points(spec_of(settings=TCP))
    groups = by_setup(planned, [(position, index) for position, index in enumerate([2, 0, 1])])
    named = {setup.name: [planned[index].point.transport for _, index in order] for setup, order in groups}
    assert named == {"default": ["copy", "nixl:UCX"], "UCX_TLS=tcp": ["nixl:UCX"]}
    assert [position for _, order in groups for position, _ in order] == [0, 1, 2]
    assert setup_of(planned[0].point, emulated=True).name == "emulated"


def test_an_axis_wins_over_the_caller_and_what_transports_ask_for_is_there():
    setup = setup_of(points(spec_of(settings=TCP))[1].point)
    told = setup.environment({"UCX_TLS": "all", "HOME": "/h"}, ["nixl:UCX"])
    assert told == {"UCX_TLS": "tcp", "HOME": "/h", "UCX_PROTO_INFO": "used"}


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PATH", "DYN_KVBM_NIXL_BACKEND_UCX", "ucx_tls", "UCX_TLS\n"])
def test_only_variables_of_engines_can_be_an_axis(name):
    """The rest would be given to the back end, which knows its own settings, or is refused here."""
    try:
        planned = points(spec_of(transports=["nixl:UCX"], settings={"nixl:UCX": [{name: "x"}]}))
    except BadInput as error:
        assert "cannot be set for one point" in error.message  # noqa: PT017  both answers are right
    else:
        assert setup_of(planned[0].point).variables == ()


def test_every_setup_has_fresh_workers_and_its_wire(tmp_path):
    records = measured(tmp_path, settings=TCP)
    assert everything_good(records)
    wires = {(record.setup, record.point.transport): record.evidence.wire for record in records}
    assert wires == {("default", "nixl:UCX"): "cma", ("default", "copy"): "cma", ("UCX_TLS=tcp", "nixl:UCX"): "tcp"}
    logs = Counter(path.name.split("-")[2] for path in (tmp_path / "run" / "logs").glob("*.log"))
    assert set(logs) == {"0.0", "1.0"}
    for record in records:
        moved = record.wire_bytes * record.window_samples
        sent = min(window["lo"] for window in record.network_bytes)
        assert (sent >= moved) == (record.evidence.wire == "tcp")


def test_require_judges_what_can_use_the_wire(tmp_path):
    records = measured(tmp_path, settings=TCP)
    cma = judge(records, "cma")
    assert (cma.judged, cma.not_judged, cma.good) == (3, 0, False)
    assert len(cma.broken) == 1
    assert "UCX_TLS=tcp" in cma.broken[0]
    assert cma.broken[0].endswith("was carried by tcp")
    tcp = judge(records, "tcp")
    assert (tcp.judged, tcp.not_judged) == (2, 1)  # copy has no network
    honest = judge([record for record in records if record.setup == "default"], "cma")
    assert honest.good
    assert honest.sentences() == ["--require cma is met: 2 of 2 points can use cma, and all did."]
    none = judge(records, "gds")
    assert (none.judged, none.good) == (0, False)
    assert "nothing was judged" in none.sentences()[0]


def test_require_does_not_believe_a_point_without_a_launch(record):
    """All launches failed: there is nothing that used the wire."""
    failure = {"role": "prefill", "phase": "window", "reason": "killed by SIGKILL", "detail": ""}
    lost = record(status="failed", verified=False, evidence=None, failure=failure)
    assert "no launch of it was measured" in judge([lost], "cma").broken[0]


@pytest.mark.parametrize(
    ("server", "changes", "told"),
    [
        ("claims_cma", {"settings": {"nixl:UCX": [{"UCX_TLS": "tcp,self"}]}, "transports": ["nixl:UCX"]}, "excludes cma"),
        ("claims_tcp", {"transports": ["copy"]}, "the kernel counted"),
    ],
)  # fmt: skip
def test_a_transport_that_lies_about_its_wire_is_found_out(tmp_path, monkeypatch, server, changes, told):
    path = os.pathsep.join(filter(None, [str(FAULTY), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    (record,) = measured(tmp_path, f"faulty_transports:{server}", **changes)
    messages = [issue.message for issue in record.issues if issue.code == "contradiction"]
    assert told in "; ".join(messages)
    assert not counts(record)


def test_a_lie_is_found_out_by_the_kernel_alone(tmp_path, monkeypatch):
    """TCP forced behind our back by the caller's configuration file, and evidence that says cma."""
    path = os.pathsep.join(filter(None, [str(FAULTY), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    (record,) = measured(tmp_path, "faulty_transports:hides_tcp", transports=["nixl:UCX"])
    (told,) = [issue.message for issue in record.issues if issue.code == "contradiction"]
    assert "TCP connections carried" in told
    assert not counts(record)


def test_the_kernels_table_is_read(tmp_path):
    table = tmp_path / "dev"
    row = " ".join(str(figure) for figure in range(1, 17))
    table.write_text(f"Inter-| Receive\n face |bytes\n    lo: {row}\n  eth0:{row}\nbroken\n nonsense: 1 2\n")
    assert sent_bytes(table) == {"lo": 9, "eth0": 9}
    assert sent_bytes(tmp_path / "none") == {}
    assert "lo" in sent_bytes()


def test_the_command_offers_every_wire_that_can_be_judged():
    """Help must not load what judging needs, so the wires stand there a second time."""
    (require,) = [option for option in sweep.params if option.name == "require"]
    assert list(require.type.choices) == list(WIRES)
