"""Two methods in one invocation: workers of their own, one run folder."""

from __future__ import annotations

import json

import pytest

from suite.transfer.options import task_of
from suite.transfer.run import Asked, run
from suite.transports import base

pytestmark = pytest.mark.skipif(bool(base.load("copy").missing()), reason="no copy between processes")


def test_methods_run_one_after_the_other_into_one_folder(tmp_path):
    task = task_of("llama-3.1-8b", layers=1, prefill="tp=1", decode="tp=2", tokens=64, requests=2, element_bytes=2)
    told = []
    asked = Asked(
        task,
        "copy",
        ["pull"],
        seed=1,
        deadline_s=30.0,
        then=[("copy", ["push"])],
        settings={"selection": [{"backend": "one"}]},
    )
    done = run(asked, tmp_path / "run", lambda op, over: told.append((op, over)))
    assert [(one["transport"], one["op"], one["good"]) for one in done.ops] == [
        ("copy", "pull", True),
        ("copy", "push", True),
    ]
    assert told == [("pull", 1), ("pull", 2), ("push", 1), ("push", 2)]
    lines = [json.loads(line) for line in (tmp_path / "run" / "requests.jsonl").read_text("utf-8").splitlines()]
    assert [(line["op"], line["request"], line["status"]) for line in lines] == [
        ("pull", 0, "good"),
        ("pull", 1, "good"),
        ("push", 0, "good"),
        ("push", 1, "good"),
    ]
    assert all(line["wire"] for line in lines)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text("utf-8"))
    assert manifest["complete"]
    assert manifest["spec"]["then"] == [{"transport": "copy", "ops": ["push"]}]
    assert manifest["settings"]["selection"] == [{"backend": "one"}]
    assert (tmp_path / "run" / "logs" / "prefill-0.log").exists()
    assert (tmp_path / "run" / "logs" / "method-2" / "prefill-0.log").exists()
