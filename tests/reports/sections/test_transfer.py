"""A run of transfers: who was moved, what was on the wire, how long it took; and what is no such run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reports.data import report_data
from reports.formats.html import render
from reports.formats.junit import render as junit
from reports.formats.markdown import render as markdown
from reports.sections.transfer import MOST_LINES, transfer
from reports.sections.transfer_ops import ops_of
from reports.writing import read_report
from suite.transfer.record import RequestRecord
from tests.reports.formats.test_html import ATTACKS, checked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reports.sections.transfer import Transfer

    Handed = Callable[..., dict[str, Any]]
    Transfers = Callable[..., Path]

FAILURE = {"role": "decode-1", "phase": "move", "reason": "killed by SIGKILL", "detail": "last words"}


def told(path: Path) -> Transfer:
    found = read_report(path).transfer
    assert found is not None
    return found


def both(handed: Handed, count: int = 4, **changes: Any) -> list[dict[str, Any]]:
    return [handed(number, op=op, **changes) for op in ("push", "pull") for number in range(count)]


def cells(found: Transfer) -> dict[str, tuple[str, ...]]:
    return {row.name: row.cells for row in found.rows}


def test_a_request_that_never_moved_has_no_share_in_bytes_and_times(handed: Handed, transfers: Transfers) -> None:
    lost = {"status": "cancelled", "transmission_ns": 0, "preparation_ns": 900_000_000, "wire_bytes": 1 << 40}
    found = told(transfers([handed(0), handed(1, **lost)]))
    assert cells(found)["Wire bytes"] == ("8 MiB",)
    assert found.phase(found.ops[0], "prepare") == "1 ms"
    assert found.sentences[0].startswith("Of 2 requests of push: 1 moved and right, 1 cancelled.")


def test_a_good_run_says_so_in_one_sentence(handed: Handed, transfers: Transfers) -> None:
    found = told(transfers(both(handed)))
    assert found.sentences == (
        "All 4 requests of push and of pull were moved, and every byte was compared: 126 MiB, all right.",
        "On the wire are 2.67 bytes for each byte of the KV cache: of a request, 1 MiB fill up blocks and 4 MiB are further copies for other ranks.",
        "Push: a request was moved in 2 ms (median); the first after connecting took 2 ms.",
        "Pull: a request was moved in 2 ms (median); the first after connecting took 2 ms.",
    )
    assert found.troubles == ()


def test_each_op_has_a_column(handed: Handed, transfers: Transfers) -> None:
    lines = both(handed)
    lines[0] |= {"pairs": 2, "logical_bytes": 2 << 20}  # of another DP group
    assert cells(told(transfers(lines))) == {
        "Requests": ("4 good", "4 good"), "Pairs of ranks": ("2 to 4", "4"), "Descriptors planned": ("112", "112"),
        "Descriptors posted": ("56", "56"), "Logical bytes": ("2 MiB to 3 MiB", "3 MiB"), "Padded bytes": ("4 MiB", "4 MiB"),
        "Wire bytes": ("8 MiB", "8 MiB"), "Wire for each logical byte": ("\N{MULTIPLICATION SIGN} 2.91", "\N{MULTIPLICATION SIGN} 2.67"), "Bytes compared": ("63 MiB", "63 MiB"),
        "Wire": ("cma on 2 ranks", "cma on 2 ranks"), "Says who": ("UCX protocol tables", "UCX protocol tables"),
    }  # fmt: skip


def test_phases_of_requests_are_medians_of_their_records_the_rest_is_the_manifests(
    handed: Handed, transfers: Transfers
) -> None:
    lines = [handed(0, transmission_ns=9_000_000), handed(1, transmission_ns=1_000_000), handed(2)]
    found = told(transfers(lines))
    [op] = found.ops
    assert found.phases == ("register", "metadata", "prepare", "transfer", "check")
    assert found.phase(op, "transfer") == "2 ms (1 to 9)"
    assert found.phase(op, "metadata") == "9 ms"
    assert [(bar.label, bar.total_ns) for bar in found.took] == [
        ("push, each rank, once", 9_500_000), ("push, each request", 3_002_000), ("push, each batch", 18_000_000),
    ]  # fmt: skip


def test_not_to_wait_is_a_time_where_requests_are_in_flight(handed: Handed, transfers: Transfers) -> None:
    """Else the median would be of those alone that waited. One at a time nobody waits, and there is no such phase."""
    found = told(
        transfers(handed(number, pieces=4, queue_ns=waited) for number, waited in enumerate((0, 0, 6_000_000)))
    )
    assert found.phases == ("register", "metadata", "queue", "prepare", "transfer", "check")
    assert found.phase(found.ops[0], "queue") == "0 ns (0 ns to 6 ms)"
    assert cells(found)["Posts of all ranks"] == ("4",)
    assert not any("after connecting" in sentence for sentence in found.sentences), "others were in flight"


def test_the_ops_of_each_transport_stand_apart(handed: Handed, transfers: Transfers) -> None:
    lines = [handed(n, transport=name) for name in ("nixl:UCX", "copy") for n in range(2)]
    path = transfers(lines, [])
    manifest = json.loads((path / "manifest.json").read_text())
    good = {"op": "push", "good": True, "requests": {"good": 2}, "checked_bytes": 1 << 20}
    manifest["spec"]["then"] = [{"transport": "copy", "ops": ["push"]}]
    manifest["ops"] = [good | {"transport": "nixl:UCX"}, good | {"transport": "copy"}]
    found = transfer(manifest, [RequestRecord.model_validate(one) for one in lines])
    assert [op.name for op in found.ops] == ["push by nixl:UCX", "push by copy"]
    assert found.sentences[0].startswith("All 2 requests of push by nixl:UCX and of push by copy were moved")
    assert dict(found.about)["Transport"] == "nixl:UCX, then copy"
    assert found.lines[2].op == "push by copy"


def test_what_is_on_the_wire_adds_up_and_is_drawn_once_where_it_is_the_same(
    handed: Handed, transfers: Transfers
) -> None:
    [one] = told(transfers(both(handed))).weights
    assert (one.label, one.logical, one.padding, one.copies) == ("push, pull", 3 << 20, 1 << 20, 4 << 20)
    assert told(transfers(both(handed, wire_bytes=1 << 20))).weights == (), (
        "fewer bytes than there are: nothing to draw"
    )


def test_a_lost_rank_is_named_with_what_it_cost(handed: Handed, transfers: Transfers) -> None:
    lost = {"transmission_ns": 0, "failure": FAILURE}
    lines = [handed(0), handed(1, status="unchecked", failure=FAILURE), *(handed(n, status="failed", **lost) for n in (2, 3)),
             handed(4, status="not-run", transmission_ns=0)]  # fmt: skip
    summary = {"op": "push", "good": False, "failure": FAILURE, "checked_bytes": 0, "wires": [],
               "requests": {"good": 1, "unchecked": 1, "failed": 2, "not-run": 1}}  # fmt: skip
    path = transfers(lines, [summary], complete=False)
    found = told(path)
    assert found.sentences[0] == (
        "Of 5 requests of push: 1 moved and right, 1 moved, but not compared, 2 failed, 1 never begun."
        " Decode-1 failed, in the phase move: killed by SIGKILL."
    )
    first, second = found.troubles
    assert (first.level, first.requests, first.detail) == ("FAILED", ("push: requests 1 to 3",), "last words")
    assert (second.sentence, second.requests) == ("Never begun: the op had ended before", ("push: request 4",))
    text = checked(render(read_report(path))).text
    assert "What the worker had printed last" in text
    assert "last words" in text


def test_wrong_bytes_are_told_even_where_they_are_of_no_request(handed: Handed, transfers: Transfers) -> None:
    wrong = "request 1, layer 0, K, head 2, token 3: untouched"
    lines = [handed(0), handed(1, status="wrong", findings=[wrong])]
    summary = {
        "op": "push",
        "good": False,
        "requests": {"good": 1, "wrong": 1},
        "findings": [f"push, {wrong}", "push, decode-0: a guard is broken"],
    }
    found = told(transfers(lines, [summary]))
    assert [(one.level, one.sentence) for one in found.troubles] == [
        ("INVALID", wrong), ("INVALID", "push, decode-0: a guard is broken"),
    ]  # fmt: skip
    stray = {"op": "push", "good": False, "requests": {"good": 1}, "findings": ["push, decode-0: a guard is broken"]}
    sentence = told(transfers([handed(0)], [stray])).sentences[0]
    assert "Memory that belongs to no request holds wrong bytes." in sentence
    assert "all right" not in sentence


def test_a_worker_that_is_lost_after_all_was_compared_makes_no_byte_wrong(handed: Handed, transfers: Transfers) -> None:
    summary = {"op": "push", "good": False, "requests": {"good": 2}, "failure": FAILURE, "checked_bytes": 1 << 20}
    data = read_report(transfers([handed(0), handed(1)], [summary]))
    assert data.sentences[0] == (
        "Of 2 requests of push: 2 moved and right. Decode-1 failed, in the phase move: killed by SIGKILL."
    )
    assert "The requests are right, but the run did not end well." in render(data)
    silent = {"op": "push", "good": False, "requests": {"good": 2}}
    assert (
        "The run is not good, and does not say why." in told(transfers([handed(0), handed(1)], [silent])).sentences[0]
    )


def test_a_rank_that_was_replaced_and_a_request_that_was_cancelled_are_told(
    handed: Handed, transfers: Transfers
) -> None:
    asked = {"role": "prefill", "phase": "serve", "reason": "its user went away", "detail": ""}
    summary = {
        "op": "push",
        "good": False,
        "requests": {"good": 1, "cancelled": 1},
        "lost": ["decode-1: killed by SIGKILL", 7],
    }
    found = told(transfers([handed(0), handed(1, status="cancelled", failure=asked)], [summary]))
    assert [(one.level, one.sentence) for one in found.troubles] == [
        ("FAILED", "Cancelled: its user went away"),
        ("OPEN", "push: decode-1: killed by SIGKILL; its server was started again"),
    ]


def test_a_run_that_was_killed_says_what_there_is_and_what_is_not(handed: Handed, transfers: Transfers) -> None:
    path = transfers([handed(number) for number in range(3)], [], complete=False, finished_at=None)
    spec = json.loads((path / "manifest.json").read_text())["spec"]
    spec |= {"ops": ["push", "pull"], "transfer": spec["transfer"] | {"requests": 5}}
    path = transfers([handed(number, wire="") for number in range(3)], [], complete=False, spec=spec)
    with (path / "requests.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"schema":1,"op":"pu')
    data = read_report(path)
    assert data.sentences[0] == (
        "Of 10 requests of push and pull: 3 moved and right, 7 without a record. The run was stopped before it ended."
    )
    assert data.notes == ("requests.jsonl:4: the last line was torn when its writer stopped, and is left out",)
    assert data.transfer is not None
    assert cells(data.transfer)["Requests"] == ("3 good, 2 without a record", "5 without a record")
    text = checked(render(data)).text
    assert "This run is not complete." in text
    assert "No wire is proven." in text


def test_nothing_recorded_is_a_readable_page(transfers: Transfers) -> None:
    page = checked(render(read_report(transfers([], [], complete=False))))
    assert "Nothing was moved: no request is recorded." in page.text
    assert "points" not in page.ids


def test_a_manifest_that_counts_otherwise_is_doubted(handed: Handed, transfers: Transfers) -> None:
    """A line was taken out: what is left is not told as if it were all."""
    path = transfers([handed(number) for number in range(4)])
    lines = (path / "requests.jsonl").read_text().splitlines(keepends=True)
    (path / "requests.jsonl").write_text("".join(lines[1:]))
    found = told(path)
    assert "1 without a record" in found.sentences[0]
    assert found.troubles[0].sentence == "push: manifest.json counts 4 good; requests.jsonl has 3 good"


def test_emulated_gpus_have_no_time_anywhere(handed: Handed, transfers: Transfers) -> None:
    times = {"preparation_ns": 77_123_456, "transmission_ns": 88_123_456}
    data = read_report(transfers(both(handed, emulated=True, **times)))
    assert data.transfer is not None
    assert data.transfer.took == data.transfer.timed == data.transfer.phases == ()
    page = render(data)
    for number in ("77.1", "88.1", "77123456", "88123456", "9 ms", "18 ms", "GB/s"):
        assert number not in page, number
    assert "on an emulated GPU a duration is no GPU&#39;s" in page.replace("'", "&#39;")
    assert "Emulated GPUs." in page
    assert data.transfer.weights, "bytes are true"


def test_requests_are_told_one_by_one_and_the_rest_is_counted(handed: Handed, transfers: Transfers) -> None:
    found = told(transfers(handed(number) for number in range(MOST_LINES + 7)))
    assert len(found.lines) == MOST_LINES
    assert found.left_out == 7
    line = found.lines[3]
    assert (line.request, line.status, line.ranks, line.descriptors, line.wire_bytes, line.times) == (
        3, "good", "1 → 4", "112, posted as 56", "8 MiB", ("1 ms", "2 ms"),
    )  # fmt: skip


def test_a_status_or_a_field_of_tomorrow_shows_up() -> None:
    """Records as a later version of the model may have them: no word of it needs to be known here."""

    class Later(RequestRecord):
        status: str  # type: ignore[assignment]  # any word
        op: str  # type: ignore[assignment]  # any word
        queue_ns: int = 0
        reason: str = ""
        stage: int = 1

    made = {"batch": 0, "transport": "ucx", "emulated": False, "transmission_ns": 5_000, "queue_ns": 7_000}
    records = [Later(op="handoff", request=0, status="good", **made),
               Later(op="handoff", request=1, status="evicted", reason="the pool was full", pieces=1, stage=8, **made)]  # fmt: skip
    found = transfer({"complete": True}, records)
    assert found.phases == ("queue", "transfer")
    assert "1 evicted" in found.sentences[0]
    assert found.troubles[0].sentence == "Evicted: the pool was full"
    assert found.lines[1].remark == "the pool was full; stage: 8"
    checked(render(report_data({}, [], [], transfer=found)))


def test_text_of_a_stranger_is_text(handed: Handed, transfers: Transfers) -> None:
    texts = [attack[:100].encode("utf-8", "replace").decode() for attack in ATTACKS]
    failures = [dict.fromkeys(("role", "phase", "reason", "detail"), text) for text in texts]
    lines = [
        handed(number, status="failed", transport=text, wire=text, findings=[text], failure=failures[number])
        for number, text in enumerate(texts)
    ]
    wires = [{"wire": text, "source": text, "reason": text, "ranks": 1} for text in texts]
    told = {"good": True, "requests": dict.fromkeys(texts, 1), "findings": texts, "wires": wires}
    ops = [{"op": name, "failure": failures[number]} | told for number, name in enumerate(["push", *texts])
           if number < len(texts)]  # fmt: skip
    path = transfers(lines, ops)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["spec"]["ops"] = ["push", *texts]
    for place, attack in ((manifest["spec"], texts[0]), (manifest["spec"]["transfer"]["model"], texts[1])):
        place |= {"transport": attack, "name": attack}
    (path / "manifest.json").write_text(json.dumps(manifest))
    page = checked(render(read_report(path)))
    assert texts[0] in page.text
    assert len(page.text) < 200_000, "ops of a stranger are not all told"


WEIRD: list[Any] = [
    None,
    [],
    {},
    "x",
    -1,
    1 << 80,
    1.5,
    True,
    [[]],
    {"a": {}},
    float("inf"),
    [None, 1, "op", {"op": 1}],
    {"op": {}},
]


@pytest.mark.parametrize("value", WEIRD)
def test_a_manifest_of_other_types_is_left_out(value: Any, handed: Handed, transfers: Transfers) -> None:
    record = [RequestRecord.model_validate(handed(0))]
    whole = json.loads((transfers([handed(0)]) / "manifest.json").read_text())
    summary = whole["ops"][0]
    for manifest in (
        {"ops": value, "spec": value},
        whole | {"ops": [summary | {name: value} for name in summary], "spec": {"ops": value, "transfer": value}},
        whole
        | {
            "spec": {
                "ops": ["push"],
                "transfer": dict.fromkeys(whole["spec"]["transfer"], value),
                "emulated_gpus": value,
            }
        },
        whole | {"ops": [summary | {"wires": [dict.fromkeys(("wire", "source", "reason", "ranks"), value)]}]},
        whole | {"ops": [summary | {"phases_ns": dict.fromkeys(summary["phases_ns"], value)}]},
    ):
        found = transfer(manifest, record)
        assert sum(op.right for op in found.ops) == 1
        junit(report_data(manifest, [], [], transfer=found))
        assert markdown(report_data(manifest, [], [], transfer=found))


def test_ops_come_in_the_order_that_was_asked_for(handed: Handed) -> None:
    records = [RequestRecord.model_validate(handed(0, op=op)) for op in ("push", "pull")]
    assert [op.name for op in ops_of({"spec": {"ops": ["pull", "push"]}}, records)] == ["pull", "push"]


def test_the_same_run_gives_the_same_bytes(handed: Handed, transfers: Transfers) -> None:
    path = transfers(both(handed))
    assert render(read_report(path)) == render(read_report(path))
