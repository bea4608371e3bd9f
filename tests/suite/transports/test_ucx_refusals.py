"""What a UCX endpoint refuses to be told, and to share a process with."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from suite.transports import ucx
from suite.transports.ucx import UcxTransport
from suite.world.supervisor import Group, WorkerSpec

TRANSPORT = UcxTransport("ucx")
pytestmark = pytest.mark.skipif(bool(TRANSPORT.missing()), reason=f"{TRANSPORT.missing()}")

SERVERS = Path(__file__).parent / "servers"
ROLES = ("prefill", "decode")
PLENTY_S = 60.0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"agent": "someone"}, "wrong-peer"),
        ({"address": 3}, "bad-metadata"),
        ({"address": ""}, "bad-metadata"),
        ({"address": "not base64!"}, "bad-metadata"),
        ({"address": base64.b64encode(b"x" * 200).decode()}, "bad-metadata"),  # UCX aborts over this
        ({"address": base64.b64encode(bytes(70_000)).decode(), "crc": zlib.crc32(bytes(70_000))}, "bad-metadata"),
        ({"crc": None}, "bad-metadata"),
        ({"connection": 0}, "bad-metadata"),
        ({"connection": 1 << 32}, "bad-metadata"),
        ({"connection": True}, "bad-metadata"),
        ({"connection": "1"}, "bad-metadata"),
        ({"error_handling": "off"}, "error-handling"),
        ({"error_handling": None}, "error-handling"),
    ],
)
def test_metadata_of_another_shape_is_refused(lonely, change, code):
    told = json.loads(base64.b64decode(lonely.metadata)) | change
    metadata = base64.b64encode(json.dumps(told).encode()).decode()
    assert lonely.refusal("connect", peer="decode", metadata=metadata)["code"] == code


class Lonely:
    """A worker that is connected to nobody, and the metadata that a peer could send it."""

    def __init__(self, group):
        self.group = group
        self.ask("prefill", "begin", nbytes=1 << 16, seed=0)
        self.ask("decode", "begin", nbytes=1 << 16, seed=1)
        self.ask("prefill", "open", settings={})
        self.metadata = self.ask("decode", "open", settings={})

    def ask(self, role, verb, **arguments):
        return self.group.ask(verb, {role: (verb, arguments)}, PLENTY_S)[role]

    def refusal(self, question, **arguments):
        return self.ask("prefill", "refusal", question=question, arguments=arguments)


@pytest.fixture(scope="module")
def lonely(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lonely")
    python_path = os.pathsep.join(filter(None, [str(SERVERS), os.environ.get("PYTHONPATH")]))
    variables = {**os.environ, **TRANSPORT.traits.environment, "PYTHONPATH": python_path}
    cores = sorted(os.sched_getaffinity(0))
    specs = [WorkerSpec(role, "ucx_sides:Sides", variables, cores, folder / f"{role}.log") for role in ROLES]
    with Group(specs) as group:
        yield Lonely(group)


def test_a_setting_that_there_is_not_is_refused(lonely):
    for settings in ({"error_handling": "peer"}, {"progress": "thread"}):
        assert lonely.refusal("open", settings=settings)["code"] == "bad-setting"


def test_only_write_is_served_and_only_to_a_peer(lonely):
    plan = {"rows": [[0, 0, 8]], "addresses": dict.fromkeys(ROLES, 0)}
    assert lonely.refusal("prepare", **plan, op="READ")["code"] == "unsupported"
    assert lonely.refusal("prepare", **plan)["code"] == "not-connected"


@pytest.mark.deep
def test_not_in_a_process_with_nixl(tmp_path):
    pytest.importorskip("nixl_cu12")
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SERVERS), os.environ.get("PYTHONPATH", "")])}
    cores = sorted(os.sched_getaffinity(0))
    with Group([WorkerSpec("prefill", "ucx_sides:Sides", variables, cores, tmp_path / "prefill.log")]) as group:
        arguments = {"question": "open", "arguments": {"settings": {}}}
        group.ask("begin", {"prefill": ("begin", {"nbytes": 4096, "seed": 1})}, PLENTY_S)
        group.ask("nixl", {"prefill": ("load_nixl", {})}, PLENTY_S)
        refused = group.ask("open", {"prefill": ("refusal", arguments)}, PLENTY_S)["prefill"]
    assert refused["code"] == "not-alone"
    assert "nixl_cu12" in refused["message"]


def test_what_is_missing_is_judged_without_an_import(monkeypatch):
    assert TRANSPORT.missing() is None
    monkeypatch.setattr(ucx, "find_spec", lambda _name: None)
    assert TRANSPORT.missing() == "UCXX is not installed (pip install 'kvgauge[ucx]')"
    monkeypatch.setattr(ucx, "find_spec", lambda name: None if name == "libucx" else "there")
    monkeypatch.setattr(ucx, "absent", lambda names, _environment: names)
    assert "libucp.so.0" in TRANSPORT.missing()


@pytest.mark.deep
def test_nixl_refuses_a_process_with_ucx(tmp_path):
    pytest.importorskip("nixl_cu12")
    told = "import ucxx\nfrom suite.transports.nixl_agent import NixlAgent\nNixlAgent('a', 'UCX', {})"
    variables = {**os.environ, "UCX_LOG_FILE": str(tmp_path / "ucx.log")}
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=False, env=variables)
    assert "NIXL cannot be used in a process with ucx" in done.stderr
