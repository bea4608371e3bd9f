"""A killed sweep goes on: no finished point is lost, none is counted twice."""

from __future__ import annotations

import json

import pytest

from perf import sweep
from perf.progress import Silent
from perf.spec import check_spec
from suite.errors import BadInput
from suite.run.folder import create

pytestmark = pytest.mark.deep  # whole sweeps, killed

SPEC = {
    "launches": 2,
    "windows": 1,
    "kv": [
        {
            "model": "llama-3.1-8b",
            "tokens": 64,
            "transports": ["copy"],
            "ops": ["push", "pull"],
            "units": ["block"],
            "patterns": ["scattered"],
            "samples": 2,
        }
    ],
}


class Stops(Silent):
    """Interrupts after `count` points, as Ctrl-C does."""

    def __init__(self, count: int) -> None:
        self._left = count

    def measured(self, record: object) -> None:
        del record
        self._left -= 1
        if not self._left:
            raise KeyboardInterrupt


@pytest.fixture
def stopped(tmp_path):
    """Return a run of four points that stopped after three, in the middle of writing a fourth."""
    folder = create(tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        sweep.measure(check_spec(SPEC, source="test"), folder, sweep.Options(seed=5), Stops(3))
    with folder.samples.open("ab") as samples:
        samples.write(b'{"schema": 1, "torn')
    return folder


def test_only_what_is_missing_is_measured(stopped):
    before = stopped.samples.read_bytes().splitlines()[:3]
    spec, options, folder = sweep.resumed(stopped.path)
    sweep.measure(spec, folder, options, Silent())
    lines = folder.samples.read_bytes().splitlines()
    assert lines[:3] == before
    records = [json.loads(line) for line in lines]
    assert sorted((one["launch"], one["point"]["op"]) for one in records) == [
        (0, "pull"),
        (0, "push"),
        (1, "pull"),
        (1, "push"),
    ]
    assert json.loads(folder.manifest.read_text())["complete"] is True


def test_the_order_is_the_one_the_first_try_had(stopped):
    """Seed and spec come from the manifest, so the last point keeps the place it was drawn for."""
    spec, options, folder = sweep.resumed(stopped.path)
    assert options.seed == 5
    sweep.measure(spec, folder, options, Silent())
    records = [json.loads(line) for line in folder.samples.read_bytes().splitlines()]
    assert [one["position"] for one in records] == [0, 1, 0, 1]


def test_a_finished_run_measures_nothing_more(stopped):
    for _ in range(2):
        sweep.measure(*sweep.resumed(stopped.path)[:1], stopped, sweep.Options(seed=5), Silent())
    assert len(stopped.samples.read_bytes().splitlines()) == 4


@pytest.mark.parametrize("text", ["", "[]", '{"spec": {}}', '{"spec": 7, "seed": 1, "settings": {}}'])
def test_a_manifest_that_is_not_ours_is_named(stopped, text):
    stopped.manifest.write_text(text)
    with pytest.raises(BadInput, match="manifest"):
        sweep.resumed(stopped.path)
