"""`requests.jsonl` as it is read for a page: from anywhere, checked, or a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reports import requests
from reports.requests import read_requests
from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_every_line_is_a_record_in_the_order_of_the_file(
    handed: Callable[..., dict[str, Any]], transfers: Callable[..., Path]
) -> None:
    path = transfers([handed(1), handed(0), handed(0, op="pull", status="not-run", transmission_ns=0)])
    notes: list[str] = []
    found = read_requests(path / "requests.jsonl", notes)
    assert [(one.op, one.request, one.status) for one in found] == [
        ("push", 1, "good"), ("push", 0, "good"), ("pull", 0, "not-run"),
    ]  # fmt: skip
    assert notes == []


def test_a_torn_last_line_is_left_out_and_told(
    handed: Callable[..., dict[str, Any]], transfers: Callable[..., Path]
) -> None:
    file = transfers([handed(0), handed(1)]) / "requests.jsonl"
    file.write_bytes(file.read_bytes()[:-40])
    notes: list[str] = []
    assert [one.request for one in read_requests(file, notes)] == [0]
    assert "requests.jsonl:2: the last line was torn" in notes[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": 2}, "requests.jsonl:2: schema 2 is newer than this kvgauge, which reads 1"),
        ({"schema": "1"}, "requests.jsonl:2: schema = '1' is not accepted"),
        ({"status": "<b>fine</b>"}, "requests.jsonl:2: status = '<b>fine</b>' is not accepted"),
        ({"wire_bytes": -1}, "requests.jsonl:2: wire_bytes = -1 is not accepted"),
        ({"wire_bytes": 1.5}, "requests.jsonl:2: wire_bytes = 1.5 is not accepted"),
        ({"wire": "x" * 300}, "is not accepted"),
        ({"rate": 9}, "requests.jsonl:2: unknown key rate"),
        ({"request": 0}, "requests.jsonl:2: push of request 0 is told twice"),
    ],
)
def test_what_is_no_record_is_named_with_its_line(
    changes: dict[str, Any], said: str, handed: Callable[..., dict[str, Any]], transfers: Callable[..., Path]
) -> None:
    path = transfers([handed(0), handed(1)])
    (path / "requests.jsonl").write_text("", "utf-8")
    file = transfers([handed(0), handed(1) | changes]) / "requests.jsonl"
    with pytest.raises(BadInput) as refused:
        read_requests(file, [])
    assert said in refused.value.message


def test_there_is_a_limit(
    handed: Callable[..., dict[str, Any]], transfers: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = transfers(handed(number) for number in range(4)) / "requests.jsonl"
    monkeypatch.setattr(requests, "MOST", 4)
    assert len(read_requests(file, [])) == 4
    monkeypatch.setattr(requests, "MOST", 3)
    with pytest.raises(BadInput, match=r"requests.jsonl:4: more than 3 lines"):
        read_requests(file, [])
