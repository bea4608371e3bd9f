"""Sides in worker processes: kept from case to case, new after a death, and strangers' modules are found."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from conformance.implementations.loading import load
from conformance.transfer.case import apart
from conformance.transfer.crew import Died, Refusal
from conformance.transfer.loading import is_transport, taken_apart
from suite.errors import BadInput, Missing
from suite.transports.copy import CopyTransport


@pytest.fixture
def copy():
    found = load("copy")
    if lacking := found.transport.missing():
        pytest.skip(lacking)
    yield found
    found.close()


@pytest.mark.deep
def test_workers_are_kept_and_are_new_after_a_death(copy):
    case = apart([64, 64])
    for _ in range(2):
        with copy.scene(case) as scene:
            scene.set_up()
            scene.stage_bytes()
            scene.prepare()
            told = scene.move(look=True)
            assert (told.damage, told.late, told.arrived) == (None, [], [(scene.agent("initiator"), b"there")])
    assert copy.crew.started == 1
    pids = copy.crew.pids()
    with copy.scene(case) as scene:
        scene.set_up()
        os.kill(pids["target"], signal.SIGKILL)
        with pytest.raises(Died, match="the target killed by SIGKILL"):
            scene.ask("target", "usage")
    with copy.scene(case) as scene:
        scene.set_up()
        with pytest.raises(Refusal, match=r"initiator, release: KeyError"):
            scene.ask("initiator", "release", name="no such")
        assert set(scene.ask("target", "usage")) == {"descriptors", "threads", "bytes"}
    assert copy.crew.started == 2
    assert not set(pids.values()) & set(copy.crew.pids().values())


@pytest.mark.deep
def test_what_never_ends_is_late_and_the_other_side_is_not(copy):
    impatient = type(copy)("copy", copy.transport, patience_s=0.5)
    try:
        with impatient.scene(apart([64])) as scene:
            scene.set_up()
            scene.stage_bytes()
            scene.prepare()
            assert scene.move(count=2).late == ["target"]
    finally:
        impatient.close()


def test_a_name_is_taken_apart():
    found = taken_apart("nixl:UCX?memory=cuda&UCX_TLS=tcp&num_threads=2")
    assert (found.transport, found.memory) == ("nixl:UCX", "cuda")
    assert (dict(found.environment), dict(found.settings)) == ({"UCX_TLS": "tcp"}, {"num_threads": "2"})
    assert taken_apart("ucx").memory == "host"


@pytest.mark.parametrize(
    "spec", ["ucx?", "ucx?memory", "ucx?memory=tape", "ucx?" + "&".join(f"a{n}=1" for n in range(200))]
)
def test_options_that_are_none_are_refused(spec):
    if spec == "ucx?":
        assert dict(taken_apart(spec).settings) == {}
        return
    with pytest.raises(BadInput):
        taken_apart(spec)


def test_a_transport_is_told_from_a_function_that_reads_settings(tmp_path, monkeypatch):
    (tmp_path / "strange_kv.py").write_text(
        "from suite.transports.copy import CopyTransport\n"
        "transport = CopyTransport('mine')\n"
        "def parse(environment):\n    return ['UCX']\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert load("strange_kv:transport").answers == {"transfer"}
    assert load("strange_kv:CopyTransport").answers == {"transfer"}
    assert load("strange_kv:parse").answers == {"backends"}
    with pytest.raises(BadInput, match="is no transport"):
        load("strange_kv:parse?memory=host")
    assert is_transport(CopyTransport)
    assert not is_transport(open)
    sys.modules.pop("strange_kv")


def test_a_transport_that_the_machine_lacks_is_missing(monkeypatch):
    monkeypatch.setattr(CopyTransport, "missing", lambda *_: "no such call")
    with pytest.raises(Missing, match="copy: no such call"):
        load("copy")


def test_what_a_transport_cannot_do_is_said():
    from conformance.requirement import registry

    reference = load("reference:memory")
    lacks = {one.id: reference.unable(one) for one in registry().values() if reference.unable(one)}
    assert set(lacks) == {one.id for one in registry().values() if "processes" in one.needs}
    assert set(lacks.values()) == {"its peers are all in one process, which a fault would end"}
    ucx = load("copy")
    told = {one.id: ucx.unable(one) for one in registry().values() if ucx.unable(one)}
    assert told["XFER-601"] == "it moves no files"
    assert told["XFER-407"] == "it says that it cannot cancel"
