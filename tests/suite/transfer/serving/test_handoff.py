"""Requests handed over as files, between real worker processes and by real storage back ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from suite.transfer.driver import Plan
from suite.transfer.options import task_of
from suite.transfer.resources import prepared
from suite.transfer.serving.manner import Manner
from suite.transfer.serving.op import run_served
from suite.transports import base

pytestmark = [
    pytest.mark.deep,
    pytest.mark.skipif(bool(base.load("nixl:POSIX").missing()), reason="no NIXL"),
]
KVGAUGE = Path(sys.executable).parent / "kvgauge"
FAULTY = Path(__file__).parent / "faulty"
needs_emulated_gpus = pytest.mark.skipif(
    find_spec("cuda") is None or shutil.which("cc") is None, reason="no emulated GPUs"
)


@pytest.fixture(autouse=True)
def faulty_seats_can_be_imported(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(FAULTY), os.environ.get("PYTHONPATH")])))


def handed_over(folder, transport="nixl:POSIX", manner=None, *, emulated_gpus=0, **changes):
    """Run a handoff; return what came of it. No file is left in `folder` but what workers printed."""
    asked = {"layers": 2, "prefill": "tp=2", "decode": "tp=4", "tokens": 100, "requests": 3, "element_bytes": 2}
    task = task_of("llama-3.1-8b", **asked | changes)
    resources = prepared(task, transport, folder, emulated_gpus=emulated_gpus)
    plan = Plan(task, transport, resources, folder, seed=3, deadline_s=60.0)
    result = run_served(plan, "handoff", manner or Manner(), 1, lambda _record: None)
    assert not [path for path in folder.rglob("*") if path.suffix not in {".log", ".json"}]
    return result


def statuses(result):
    return [record.status for record in sorted(result.records, key=lambda record: record.request)]


def test_every_byte_comes_over_by_files_and_the_kernel_says_how(tmp_path):
    result = handed_over(tmp_path, manner=Manner(in_flight=3))
    assert result.good, result
    assert statuses(result) == ["good"] * 3
    how = "direct" if result.files["direct"] else "buffered"
    assert {(one["operation"], one["wire"].split(", ")[1]) for one in result.evidence} == {
        ("STORE", how),
        ("FETCH", how),
    }
    assert len(result.evidence) == 6  # two ranks stored, four fetched
    for record in result.records:
        assert record.wire_bytes == record.padded_bytes
        assert 0 < record.store_ns < record.transmission_ns


def test_rows_that_do_not_suit_direct_io_go_through_the_page_cache_on_both_sides(tmp_path):
    result = handed_over(tmp_path, decode="tp=2,block=8,order=NHD", tokens=40)
    assert result.good, result
    assert not result.files["direct"]
    assert result.files["why"]
    assert result.wire.endswith("buffered")


def test_pieces_of_layers_and_dp_groups_find_their_file(tmp_path):
    result = handed_over(tmp_path, manner=Manner(in_flight=2, layers_each=1), prefill="tp=1,pp=2,dp=2", decode="tp=2")
    assert result.good, result
    assert {record.pieces for record in result.records} == {4}


def test_a_block_that_was_not_stored_is_found_and_named(tmp_path):
    result = handed_over(tmp_path, manner=Manner(server="faulty_files:SkipsBlock"))
    assert statuses(result) == ["wrong"] * 3
    said = " ".join(finding for record in result.records for finding in record.findings)
    assert {f"decode-{number}" for number in range(4) if f"decode-{number}:" in said} == {"decode-0", "decode-1"}


def test_who_announces_before_it_has_stored_is_found(tmp_path):
    result = handed_over(tmp_path, manner=Manner(server="faulty_files:AnnouncesEarly"))
    assert statuses(result) == ["wrong"] * 3


def test_a_rank_that_dies_while_it_stores_fails_its_request_and_the_rest_goes_on(tmp_path):
    manner = Manner(server="faulty_files:DiesWhileStoring", doubt_ns=10**12)  # nobody may be killed for being in doubt
    result = handed_over(tmp_path, manner=manner)
    assert statuses(result) == ["good", "failed", "good"]
    assert "prefill" in result.records[1].failure.reason
    assert result.stray == []


@needs_emulated_gpus
@pytest.mark.parametrize("transport", ["nixl:GDS", "nixl:GDS_MT"])
def test_emulated_gpus_hand_over_by_gds(transport, tmp_path):
    result = handed_over(tmp_path, transport, Manner(in_flight=2), emulated_gpus=4)
    assert result.good, result
    assert result.wire == "gds compat"
    assert {one["operation"] for one in result.evidence} == {"STORE", "FETCH"}


@needs_emulated_gpus
def test_what_cufile_cannot_hold_at_once_goes_in_parts(tmp_path, monkeypatch):
    """With cuFile's own pool of 64 bounce buffers a larger transfer would wait for ever."""
    settings = tmp_path / "own.json"
    settings.write_text('{"properties": {"allow_compat_mode": true}}')
    monkeypatch.setenv("CUFILE_ENV_PATH_JSON", str(settings))
    result = handed_over(
        tmp_path, "nixl:GDS", Manner(in_flight=3), emulated_gpus=2, prefill="tp=1", decode="tp=2", tokens=1024
    )
    assert result.good, result
    assert {record.posted_descriptors > 64 * record.pieces for record in result.records} == {True}


def test_a_kill_leaves_no_file_behind(tmp_path):
    arguments = "transfer --layers 2 --isl 512 --requests 5000 --memory 100MiB --transport nixl:POSIX --out run"
    process = subprocess.Popen(
        [KVGAUGE, *arguments.split()], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(
            lambda: (
                (tmp_path / "run" / "requests.jsonl").exists() and (tmp_path / "run" / "requests.jsonl").read_bytes()
            )
        )
        assert list(tmp_path.rglob("*.kv"))
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: not list(tmp_path.rglob("kvgauge-*")))


def wait_until(true):
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
