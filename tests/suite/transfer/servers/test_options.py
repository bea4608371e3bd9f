"""What a user may write, and what is said when it cannot be."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from suite.errors import BadInput, KvgaugeError, Missing
from suite.kv.geometry import Order
from suite.kv.parallel import Parallel
from suite.transfer.commands import transfer
from suite.transfer.options import parse_side, task_of
from suite.transfer.resources import batches, capped
from suite.transfer.task import Task


def asked(**changes):
    given = {"model": "llama-3.1-8b", "layers": 2, "prefill": "tp=1", "decode": "tp=2", "tokens": 64, "requests": 10}
    return task_of(**given | {"element_bytes": 2} | changes)


def test_a_side_is_read_with_its_defaults():
    side = parse_side("tp=4, pp=2,stages=5+3,block=64,order=nhd", element_bytes=1)
    assert side.parallel == Parallel(tp=4, pp=2, stages=(5, 3))
    assert (side.tokens_per_block, side.element_bytes, side.order) == (64, 1, Order.NHD)
    assert parse_side("dp=2", element_bytes=2).tokens_per_block == 32


@pytest.mark.parametrize(
    "text", ["", "tp", "tp=", "tp=-1", "tp=0", "tp=1,tp=2", "cp=2", "tp=4;pp=2", "order=DNH", "block=0"]
)
def test_a_side_that_makes_no_sense_is_refused(text):
    with pytest.raises(BadInput):
        parse_side(text, element_bytes=2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--prefill tp=3", "--prefill: 8 KV heads over tp=3"),
        ("--model lama-3.1-8b", "no model preset 'lama-3.1-8b'"),
        ("--layers 99", "has 32 layers, not 99"),
        ("--prefill tp=2 --decode tp=3 --model deepseek-v3", "TP ranks per DP group: 2 at prefill, 3 at decode"),
        ("--prefill tp=1,block=32 --decode tp=2,block=48", "tokens per block: 32 at prefill, 48 at decode"),
        ("--decode pp=2,stages=3+5", "stages (3, 5) hold 8 layers"),
        ("--prefill tp=128,dp=8", "1026 ranks"),
        ("--isl 64 --cached 64", "--cached 64 of --isl 64"),
        ("--cached 33", "33 cached tokens end inside a block of 32"),
        ("--isl 99999999", "--isl 99999999"),
        ("--transport ucx --op pull", "ucx cannot pull between host memory"),
        ("--transport ucx --op both", "ucx cannot pull between host memory"),
        ("--transport nixl:POSIX --op both", "nixl:POSIX cannot push or pull"),
        ("--transport copy --op handoff", "copy cannot handoff between host memory"),
        ("--transport foo", "no transport 'foo'"),
        ("--memory lots", "'lots' is not a size"),
    ],
)
def test_bad_input_is_one_message_and_no_run(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error = CliRunner().invoke(transfer, arguments.split()).exception
    assert isinstance(error, BadInput), error
    assert said in error.message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", ["--isl 0", "--requests 0", "--layers 0", "--op sideways", "--emulated-gpus 17"])
def test_click_refuses_what_is_out_of_range(arguments):
    assert CliRunner().invoke(transfer, arguments.split()).exit_code == 2


def test_memory_decides_how_many_requests_wait():
    task = capped(asked(), "copy", 8 << 20)
    assert 1 < task.batch < 10
    assert len(batches(task)[0].requests) == task.batch
    assert [request for one in batches(task) for request in one.requests] == list(range(10))
    assert capped(asked(), "copy").batch == 10


def test_memory_that_holds_no_request_is_missing_with_the_sizes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error = CliRunner().invoke(transfer, ["--memory", "1MiB"]).exception
    assert isinstance(error, Missing)
    assert "one request needs 288 MiB" in error.message
    assert "--memory allows 1 MiB" in error.message
    with pytest.raises(Missing, match="one request needs"):
        capped(asked(model="llama-3.1-405b", layers=None, tokens=1 << 22), "copy")


@pytest.mark.parametrize("model", ["llama-3.1-8b", "gpt-oss-20b", "deepseek-v3.2", "nemotron-3-nano-30b"])
def test_a_task_survives_the_way_to_a_worker(model):
    task = asked(
        model=model, layers=6, prefill="tp=2,pp=2,stages=4+2,order=NHD", decode="tp=2,dp=2,block=16", cached=32
    )
    assert Task.from_json(task.as_json()) == task


def test_every_error_says_how_to_mend_it():
    with pytest.raises(KvgaugeError) as caught:
        parse_side("tp=4,foo=3", element_bytes=2)
    assert "accepted: tp, pp, dp" in caught.value.hint
