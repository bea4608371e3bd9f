from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf.analysis import summarise
from perf.record import Evidence, Failure
from perf.rows import row as row_of
from perf.verdict import verdict
from perf.words import share

HEAD = {"unit": "head", "descriptor_bytes": 8192, "descriptors": 8192, "posted_descriptors": 8192}
MESSAGE = {
    "workload": "bytes",
    "unit": "bytes",
    "descriptor_bytes": 4096,
    "descriptors": 1,
    "posted_descriptors": 1,
    "logical_bytes": 4096,
    "durations_ns": [3_900] * 1_000,
    "window_samples": 500,
    "verified_bytes": 0,
}
LOST = Failure(role="decode", phase="window", reason="stopped", detail="")


def test_a_good_run_says_rate_share_check_and_wire(launches):
    summaries = summarise(
        [
            *launches(6),
            *launches(6, delivered_ms=48, transport="copy"),
            *launches(6, delivered_ms=160, **HEAD),
            *launches(6, delivered_ms=70, transport="copy", **HEAD),
            *launches(6, **MESSAGE),
        ]
    )
    assert verdict(summaries) == [
        "nixl:UCX moved llama-3.1-8b's KV cache at 5.37 GB/s [5.37, 5.37] in scattered whole blocks (push),"
        " 96 % of a bare process-to-process copy; all 6 GiB checked, carried by cma.",
        "nixl:UCX, llama-3.1-8b in scattered single heads of 8 KiB (push): 1.68 GB/s [1.68, 1.68],"
        " 44 % of a bare process-to-process copy.",
        "A single 4 KiB push by nixl:UCX took 3.9 us [3.9, 3.9]; 99 % of 6000 took at most 3.9 us.",
        "After the transfers of 5 points, 24 GiB were compared and every byte was right.",
    ]


def test_nothing_is_said_without_data(record):
    assert verdict([]) == ["Nothing was measured."]
    lost = [record(launch, status="failed", failure=LOST, durations_ns=[], delivered_ns=[]) for launch in range(2)]
    assert verdict(summarise(lost)) == ["1 of 1 point failed in at least one launch.", "1 of 1 point gave no number."]


def test_only_a_copy_is_a_run_too(launches):
    first, *_ = verdict(summarise(launches(6, transport="copy")))
    assert first.startswith("copy moved llama-3.1-8b's KV cache at 5.37 GB/s")
    assert "%" not in first


def test_failures_wrong_bytes_and_doubts_are_counted(launches, record):
    summaries = summarise(
        [
            *launches(6),
            record(6, verified=False),
            *launches(6, op="pull"),
            record(6, op="pull", status="failed", failure=LOST),
            *launches(2, pattern="contiguous"),
        ]
    )
    sentences = verdict(summaries)
    assert "but other launches left wrong bytes, carried by cma" in next(line for line in sentences if "(push)" in line)
    assert sentences[-3:] == [
        "1 of 3 points left wrong bytes in at least one launch.",
        "1 of 3 points failed in at least one launch.",
        "1 of 3 points carry a doubt, told with the point.",
    ]
    assert not any("every byte was right" in line for line in sentences)


def test_a_wire_without_proof_is_not_named(launches):
    evidence = Evidence(wire="unknown", source="", count=0)
    assert "without proof of the wire" in verdict(summarise(launches(6, evidence=evidence)))[0]


def test_push_comes_first_and_settings_are_named(launches):
    records = [*launches(6), *launches(6, op="pull"), *launches(6, settings={"UCX_TLS": "tcp"})]
    starts = [re.match(r"(.*) moved .*\((\w+)\)", line).groups() for line in verdict(summarise(records))[:3]]
    assert starts == [("nixl:UCX", "push"), ("nixl:UCX", "pull"), ("nixl:UCX (UCX_TLS=tcp)", "push")]


def test_the_emulator_has_no_rates_anywhere(launches):
    """Design: moved, every byte checked, wire, and no rate, ratio or ceiling."""
    summaries = summarise(
        [*launches(6, emulated=True), *launches(6, emulated=True, **HEAD), *launches(6, emulated=True, **MESSAGE)]
    )
    sentences = verdict(summaries)
    assert sentences[0] == (
        "nixl:UCX moved llama-3.1-8b's KV cache in scattered whole blocks (push) on emulated devices,"
        " which have no rates; all 6 GiB checked, carried by cma."
    )
    rows = [str(text) for row in map(row_of, summaries) for text in (row.throughput, row.latency, row.share)]
    assert not any(re.search(r"GB/s|%|\d [num]?s\b", text) for text in [*sentences, *rows])
    assert set(rows) == {"\N{EN DASH}"}


def test_a_row_puts_every_number_into_words(launches, record):
    records = [*launches(6), record(6, verified=False), *launches(6, transport="copy", delivered_ms=40)]
    copy, row = map(row_of, summarise(records))
    shown = {name: str(value) for name, value in vars(row).items() if name not in {"point", "issues"}}
    assert shown == {
        "what": "block 4 MiB scattered",
        "op": "push",
        "transport": "nixl:UCX",
        "ceiling": "False",
        "throughput": "5.37 [5.37, 5.37]",
        "latency": "12 ms [12, 12]",
        "share": "80 %",
        "wire": "cma",
        "verified": "False",
        "checked": "wrong bytes",
        "posted": "16",
        "bytes_moved": "64 MiB",
        "launches": "6, 1 failed",
        "remark": "invalid",
    }
    assert (copy.share, copy.checked, copy.launches) == ("\N{EN DASH}", "6 GiB", "6")


def test_merged_descriptors_and_missing_intervals_show(launches):
    [row] = map(row_of, summarise(launches(2, posted_descriptors=1)))
    assert row.posted == "1 of 16"
    assert str(row.throughput) == "5.37"


@pytest.mark.parametrize(
    ("fraction", "text"), [(1.25, "125 %"), (0.96, "96 %"), (0.0961, "9.6 %"), (0.00123, "0.12 %"), (0, "0 %")]
)
def test_shares(fraction, text):
    assert share(fraction) == text


@settings(max_examples=40)
@given(st.data())
def test_any_run_can_be_told(record, data):
    """Whatever failed, whatever is missing: sentences end with a stop and never show None or nan."""

    def choose(*values):
        return data.draw(st.sampled_from(values))

    records = [
        record(
            launch=launch,
            **choose({}, HEAD, MESSAGE)
            | {
                "transport": choose("copy", "nixl:UCX"),
                "op": choose("push", "pull"),
                "pattern": choose("scattered", "contiguous"),
                "status": choose("measured", "measured", "failed"),
                "verified": data.draw(st.booleans()),
                "emulated": data.draw(st.booleans()),
                "evidence": choose(None, Evidence(wire="cma", source="", count=1)),
            },
        )
        for launch in range(data.draw(st.integers(0, 9)))
    ]
    summaries = summarise(records)
    rows = [str(value) for row in map(row_of, summaries) for value in list(vars(row).values())[1:]]
    assert not any(re.search(r"None|nan|inf\b", text) for text in [*verdict(summaries), *rows])
    assert all(sentence.endswith(".") for sentence in verdict(summaries))


def test_what_the_settings_selected_is_told_first(launches):
    """By name GDS would come before UCX."""
    summaries = summarise([*launches(6, transport="nixl:GDS"), *launches(6, transport="nixl:UCX")])
    assert verdict(summaries)[0].startswith("nixl:GDS")
    assert verdict(summaries, ["nixl:UCX"])[0].startswith("nixl:UCX")
