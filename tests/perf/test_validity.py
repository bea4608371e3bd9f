"""Every doubt in the registry is raised by records made for it, and by none that are clean; nothing else can be raised."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import perf
from perf.analysis import summarise
from perf.draft import Draft, Window
from perf.planning import PlannedPoint
from perf.record import Around, Issue, Point, Usage
from perf.validity import LEVELS, REGISTRY, UNKNOWN, as_markdown, doubt, issue, merged, ordered

PAGE = Path(__file__).parents[2] / "docs" / "validity.md"
EVIDENCE = {"wire": "cma", "source": "UCX_PROTO_INFO", "count": 4}
MS = 1_000_000


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """Let no draft read the load of the machine that the tests run on."""
    monkeypatch.setattr("perf.draft.machine.load_average", lambda: 0.1)


def usage(waited=0):
    return {"prefill": Usage(wall_ns=[50 * MS] * 2, cpu_ns=[49 * MS] * 2, system_ns=[0, 0], waited_ns=[waited] * 2, switches=[0, 0])}  # fmt: skip


def around(stolen=0, cpus=4):
    return Around(cpus=cpus, window_ns=[50 * MS] * 2, stolen_ns=[stolen] * 2)


def drafted(count=6, *, evidence=EVIDENCE, storage=None, network=(), delivered_ns=40 * MS, **changes):
    """Return launches as a sweep makes them: through `Draft`, which has doubts of its own."""
    fields = {"transport": "nixl:UCX", "op": "push", "workload": "bytes", "pattern": "scattered", "unit": "bytes",
              "descriptor_bytes": 4 << 20, "descriptors": 1}  # fmt: skip
    planned = PlannedPoint(Point.model_validate(fields | changes), "bytes", None, 0, windows=2, samples=4)
    records = []
    for launch in range(count):
        draft = Draft(launch, 0, planned)
        told = {"allocation": "4k", "content": {}, "filesystem": "ext4" if storage else ""}
        draft.opened({"prefill": told})
        size = 4 << 20
        draft.prepared({"logical_bytes": size, "padded_bytes": size, "wire_bytes": size, "posted_descriptors": 1})
        timing = {"durations_ns": [delivered_ns // 4] * 4, "delivered_ns": delivered_ns, "posted_ns": [10] * 4}
        window = Window(timing, 8 * size, *(storage or (None, None)), network=dict(network),
                        around={"window_ns": delivered_ns, "stolen_ns": 0})  # fmt: skip
        draft.warmed_up(window)
        draft.window(window)
        draft.window(window)
        draft.closed({"phases_ns": {}, "evidence": [evidence]})
        records.append(draft.measured())
    return records


def paired(record, slow):
    """Return three pairs at once, one of which takes `slow` times as long."""
    return [
        record(launch, source=f"cuda:{one}", destination="cuda:3", flows=3,
               delivered_ns=[round(50 * MS * (slow if one == 2 else 1))] * 2)
        for launch in range(6) for one in range(3)
    ]  # fmt: skip


def failing(record):
    lost = {"role": "decode", "phase": "window", "reason": "killed by SIGKILL", "detail": ""}
    return [*map(record, range(6)), record(6, status="failed", verified=False, failure=lost)]


def each(record, times):
    """Return a launch for each of `times`, which its two windows take, in ms."""
    return [record(launch, delivered_ns=[round(one * MS)] * 2) for launch, one in enumerate(times)]


CAUSES = {
    "wrong-bytes": lambda record: [*map(record, range(6)), record(6, verified=False)],
    "failed": failing,
    "contradiction": lambda record: [*map(record, range(6)), record(6, issues=[issue("contradiction", "tcp and cma")])],
    "above-limit": lambda _: drafted(source="cuda:0", destination="cuda:1", delivered_ns=10_000)[:1]
    + drafted(7, source="cuda:0", destination="cuda:1")[1:],
    "few-launches": lambda record: list(map(record, range(5))),
    "few-samples": lambda record: [record(one, durations_ns=[12 * MS] * 4, window_samples=2) for one in range(6)],
    "launches-differ": lambda record: each(record, [50, 64, 52, 66, 48, 61]),
    "samples-differ": lambda record: [record(one, durations_ns=[10, 20] * 4) for one in range(6)],
    "drift": lambda record: [record(one, delivered_ns=[50 * MS, 60 * MS]) for one in range(6)],
    "trend": lambda record: each(record, [50, 51, 52, 54, 56, 57]),
    "slow-start": lambda record: [record(one, durations_ns=[30, 10, 10, 10] * 2) for one in range(6)],
    "straggler": lambda record: each(record, [50, 50, 90, 50, 51, 50]),
    "slow-pair": lambda record: paired(record, 1.6),
    "loaded-machine": lambda record: [record(one, usage=usage(6 * MS), around=around()) for one in range(6)],
    "wire-unknown": lambda _: drafted(evidence=EVIDENCE | {"wire": "unknown", "reason": "no table"}),
    "several-wires": lambda record: [*map(record, range(5)), record(5, evidence=EVIDENCE | {"wire": "tcp"})],
    "several-allocations": lambda record: [*map(record, range(5)), record(5, allocation="huge")],
    "several-setups": lambda record: [*map(record, range(5)), record(5, setup="other")],
    "several-sizes": lambda record: [*map(record, range(5)), record(5, wire_bytes=65 << 20)],
    "several-descriptor-counts": lambda record: [*map(record, range(5)), record(5, posted_descriptors=3)],
    "recorded-twice": lambda record: [*map(record, range(6)), record(0, started_at="2026-11-24T06:00:00Z")],
    "above-copy": lambda record: [
        *map(record, range(6)), *(record(one, transport="copy", delivered_ns=[60 * MS] * 2) for one in range(6)),
    ],
    "hot": lambda _: drafted(pattern="hot"),
    "page-cache": lambda _: drafted(transport="nixl:POSIX", op="store", destination="file", storage=(0, 4096)),
}  # fmt: skip


def codes(records):
    return {one.code for summary in summarise(records) for one in summary.issues}


@pytest.mark.parametrize("code", [one.code for one in REGISTRY])
def test_a_doubt_is_raised_by_what_it_is_about_and_is_the_only_one(code, record):
    found = codes(CAUSES[code](record))
    assert found == {code}


@pytest.mark.parametrize(
    "clean",
    [
        lambda record: each(record, [50, 52, 49, 51, 50, 53]),
        lambda record: [record(one, usage=usage(MS), around=around()) for one in range(6)],
        lambda record: paired(record, 1.2),
        lambda _: drafted(),
        lambda _: drafted(source="cuda:0", destination="cuda:1"),
    ],
    ids=["steady", "own machine", "pairs", "a sweep's", "devices"],
)  # fmt: skip
def test_clean_records_raise_none(clean, record):
    assert codes(clean(record)) == set()


@pytest.mark.parametrize(
    ("record_load", "steal", "waits", "level"),
    [
        (0.5, 0, 0, None),
        (4.0, 0, 0, None),  # our own two workers and the supervisor are three of them
        (9.0, 0, 0, "OPEN"),
        (0.5, 10 * MS, 0, "OPEN"),  # two ticks in each of six launches
        (0.5, 0, 6 * MS, "NOTE"),  # in one launch of six
    ],
)
def test_a_loaded_machine_is_known_by_load_steal_or_waiting(record, record_load, steal, waits, level):
    records = [
        record(one, load_average=record_load, usage=usage(waits if one == 3 else 0), around=around(steal, cpus=4))
        for one in range(6)
    ]
    (summary,) = summarise(records)
    assert [one.level for one in summary.issues] == ([level] if level else [])


def test_a_record_of_an_older_kvgauge_says_nothing_of_its_machine(record):
    assert codes([record(one, load_average=50.0) for one in range(6)]) == set()


def test_an_interface_cannot_send_faster_than_its_line_rate(monkeypatch):
    monkeypatch.setattr("perf.draft.line_rates", lambda: {"eth0": 1.25})
    assert codes(drafted(network={"eth0": 40_000_000})) == set(), "1 GB/s in 40 ms"
    found = drafted(network={"eth0": 60_000_000})
    assert codes(found) == {"above-limit", "few-launches"}
    assert "1.5 GB/s on eth0 while a window was open: its line rate is 1.25 GB/s" in found[0].issues[0].message
    assert codes(drafted(network={"eth0": 60_000}, delivered_ns=40_000)) == set(), "too short for two clocks"


def test_a_launch_that_is_in_no_number_is_listed_with_its_reason(record):
    records = [*failing(record), record(7, verified=False), record(8, issues=[issue("above-limit", "too fast")])]
    (summary,) = summarise(records)
    assert summary.launches == 6
    assert [(one.launch, one.code) for one in summary.left_out] == [
        (6, "failed"), (7, "wrong-bytes"), (8, "above-limit"),
    ]  # fmt: skip
    assert "SIGKILL" in summary.left_out[0].why
    assert all(one.why for one in summary.left_out)


def test_only_the_registry_makes_issues():
    """An `Issue(...)` elsewhere could have a code that nobody has written down."""
    for file in Path(perf.__file__).parent.rglob("*.py"):
        calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
        made = [node for node in calls if isinstance(node.func, ast.Name) and node.func.id == "Issue"]
        assert not made or file.name == "validity.py", file


def test_codes_are_told_once_and_in_words():
    assert len({one.code for one in REGISTRY}) == len(REGISTRY) == len(CAUSES)
    for one in REGISTRY:
        assert one.means.endswith(".")
        assert one.remedy.endswith(".")
        assert one.title
        assert set(one.levels) <= set(LEVELS)


def test_a_wrong_code_or_level_is_a_mistake_of_ours():
    with pytest.raises(KeyError):
        issue("made-up", "x")
    with pytest.raises(KeyError):
        issue("hot", "x", level="INVALID")
    assert len(issue("hot", "x" * 5_000).message) == 2_000


def test_a_doubt_of_another_version_is_kept_and_told_as_one(record):
    stranger = Issue(level="OPEN", code="from-the-future", message="odd")
    (summary,) = summarise([record(one, issues=[stranger]) for one in range(6)])
    assert summary.issues == (stranger,)
    assert doubt("from-the-future").code == UNKNOWN
    assert merged([stranger, stranger.model_copy(update={"message": "p"})]).message == "odd (and 1 more like it)"
    assert ordered([issue("hot", "x"), issue("contradiction", "x")])[0].code == "contradiction"


def test_the_page_has_the_table():
    assert as_markdown() in PAGE.read_text()
