"""The manifest of a run: what, where and with which settings, and no secret."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from suite.errors import BadInput
from suite.run import manifest
from suite.run.machine import REDACTED

if TYPE_CHECKING:
    from pathlib import Path


def begun() -> dict[str, Any]:
    return manifest.begin(seed=7, spec={"launches": 6}, settings={"transports": ["copy"]})


def test_a_run_that_starts_is_not_complete() -> None:
    """A new manifest has the spec, the machine and the load, and no end."""
    started = begun()
    assert started["schema"] == manifest.SCHEMA
    assert (started["seed"], started["spec"], started["settings"]) == (7, {"launches": 6}, {"transports": ["copy"]})
    assert (started["complete"], started["finished_at"]) == (False, None)
    assert len(started["load_average"]) == 1
    assert started["machine"]["cores"] > 0
    assert started["kvgauge"] == started["versions"]["kvgauge"]
    assert json.loads(json.dumps(started, allow_nan=False)) == started


@pytest.mark.parametrize("complete", [True, False])
def test_a_run_that_ends_says_whether_it_is_whole(complete: bool) -> None:  # noqa: FBT001  a parameter of the test
    """The end adds its time and load, and changes nothing else, least of all the manifest of the start."""
    started = begun()
    before = json.dumps(started)
    ended = manifest.end(started, complete=complete)
    assert json.dumps(started) == before
    assert ended["complete"] is complete
    assert ended["finished_at"] >= started["started_at"]  # type: ignore[operator]
    assert len(ended["load_average"]) == 2  # type: ignore[arg-type]
    changed = {name for name in ended if ended[name] != started[name]}
    assert changed <= {"complete", "finished_at", "load_average"}
    assert set(ended) == set(started)


def test_a_manifest_with_an_odd_load_can_still_end() -> None:
    """A manifest from elsewhere, whose load is not a list, gets the load of its end."""
    assert len(manifest.end({"load_average": None}, complete=False)["load_average"]) == 1  # type: ignore[arg-type]


def test_secrets_of_the_environment_and_the_command_stay_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password in a variable or on the command line does not reach the manifest; steering variables do."""
    monkeypatch.setenv("MY_SERVICE_TOKEN", "hunter2hunter2")
    monkeypatch.setenv("SOME_URL", "redis://:hunter3hunter3@host")
    monkeypatch.setenv("UCX_TLS", "cma,tcp")
    monkeypatch.setattr(sys, "argv", ["kvgauge", "run", "--password=hunter4hunter4", "--out", "runs/a b"])
    started = begun()
    assert "hunter" not in json.dumps(started)
    assert started["environment"]["UCX_TLS"] == "cma,tcp"
    assert started["environment"]["MY_SERVICE_TOKEN"] == REDACTED
    assert started["command"] == ["kvgauge", "run", f"--password={REDACTED}", "--out", "runs/a b"]


def test_times_are_utc_in_milliseconds() -> None:
    """A time is ISO 8601 with its offset, so times sort as text."""
    text = manifest.now()
    assert len(text) == len("2026-01-02T03:04:05.678+00:00")
    told = datetime.fromisoformat(text)
    assert told.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - told) < timedelta(minutes=1)


def test_a_manifest_is_read_back(tmp_path: Path) -> None:
    """What was written as JSON is what is read."""
    path = tmp_path / "manifest.json"
    started = begun()
    path.write_text(json.dumps(started), encoding="utf-8")
    assert manifest.read(path) == started


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"null", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a": "' + b" " * (16 << 20) + b'"}']
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: bytes) -> None:
    """Truncated, foreign, deeply nested and huge files are refused by name."""
    path = tmp_path / "manifest.json"
    path.write_bytes(text)
    with pytest.raises(BadInput, match="is not a manifest") as caught:
        manifest.read(path)
    assert caught.value.code == "bad-manifest"


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    """A folder without a manifest is no run."""
    with pytest.raises(BadInput, match="No such file") as caught:
        manifest.read(tmp_path / "manifest.json")
    assert caught.value.code == "no-run"
