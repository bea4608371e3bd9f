"""Records of A and B -> rows: what is paired, what is left out and why, and what is said."""

from __future__ import annotations

import json

import pytest

from perf.ab.against import against, sides
from perf.asides import CommandRecord, Printed
from perf.record import Evidence, Failure
from suite.errors import BadInput

LOST = Failure(role="prefill", phase="window", reason="killed by SIGSEGV", detail="")
WRONG = Failure(role="decode", phase="check", reason="wrong bytes", detail="untouched: 1 x")


def rows(path, **options):
    return {(row.what.split()[0], row.by): row for row in against(path, **options).rows}


def test_points_are_paired_by_launch_and_differ_in_their_side_alone(ab_run, twins):
    path = ab_run([*twins(1.1), *twins(1.0, op="pull"), *twins(1.0, transport="copy")])
    found = rows(path)
    assert {key: row.verdict for key, row in found.items()} == {
        ("push", "nixl:UCX"): "slower",
        ("pull", "nixl:UCX"): "same",
        ("push", "copy"): "same",
    }
    slow = found["push", "nixl:UCX"]
    assert slow.judgement.ratio == pytest.approx(1 / 1.1, rel=0.005)
    assert len(slow.ratios) == slow.judgement.launches == 12
    assert slow.b_gb_per_s / slow.a_gb_per_s == pytest.approx(1 / 1.1, rel=0.01)


def test_launches_in_which_one_side_failed_are_left_out_on_both_and_that_is_said(ab_run, twins):
    records = twins(1.1, launches=14)
    for place in (5, 20):  # B in launch 2, A in launch 10
        records[place] = records[place].model_copy(
            update={"status": "failed", "failure": LOST, "verified": False, "durations_ns": [], "delivered_ns": []}
        )
    [row] = against(ab_run(records)).rows
    assert row.judgement.launches == 12
    assert row.verdict == "slower"
    assert [text.split(" failed")[0] for text in row.remarks] == ["A", "B"]
    assert "1 of 14 launches, which are left out on both sides" in row.remarks[0]


def test_sides_that_never_met_are_not_compared(ab_run, twins):
    records = [one for one in twins() if (one.launch < 6) == (one.point.variant == "A")]
    [row] = against(ab_run(records)).rows
    assert (row.verdict, row.refused, row.judgement) == ("not compared", "no launch has both", None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"emulated": True}, "emulated: no rate"),
        ({"allocation": "huge"}, "unlike memory: A had 256 MiB in 4k pages"),
        ({"status": "failed", "failure": WRONG, "verified": False, "durations_ns": [], "delivered_ns": []}, "no launch counts"),
    ],
)  # fmt: skip
def test_what_is_unlike_or_emulated_has_no_ratio(ab_run, twins, changes, reason):
    both = "emulated" in changes
    records = [one.model_copy(update=changes) if both or one.point.variant == "B" else one for one in twins()]
    [row] = against(ab_run(records)).rows
    assert (row.verdict, row.ratios, row.a_gb_per_s, row.b_gb_per_s) == ("not compared", (), None, None)
    assert row.refused == reason


def test_a_point_of_one_side_alone_is_named(ab_run, twins):
    records = [one for one in twins() if one.point.variant == "B"]
    [row] = against(ab_run(records)).rows
    assert (row.verdict, row.refused) == ("not compared", "only in B")


def test_another_wire_is_remarked_not_refused(ab_run, twins):
    tcp = Evidence(wire="tcp", source="UCX_PROTO_INFO")
    records = [one.model_copy(update={"evidence": tcp}) if one.point.variant == "B" else one for one in twins(2.0)]
    [row] = against(ab_run(records)).rows
    assert row.verdict == "slower"
    assert row.remarks == ("wire: cma in A, tcp in B",)


def test_the_sentences_count_the_verdicts_and_warn_when_the_ceiling_moved(ab_run, twins):
    found = against(ab_run([*twins(1.3), *twins(1.3, transport="copy")]))
    assert found.sentences[0] == "B against A, 2 points: 2 slower."
    assert "12 launches" in found.sentences[1]
    assert found.sentences[2].startswith("copy, in which no transfer library has a part")
    assert against(ab_run([], "empty")).sentences == ("Nothing was measured on either side.",)


def test_only_what_differs_between_the_sides_is_told(ab_run):
    other = {"label": "venv:old", "versions": {"nixl-cu12": "1.4.0", "numpy": "2.0"}, "python_version": "3.12.1"}
    path = ab_run([], a={"versions": {"nixl-cu12": "1.5.1", "numpy": "2.0"}}, b=other)
    found = against(path)
    assert found.a.facts == ("nixl-cu12 1.5.1",)
    assert found.b.facts == ("nixl-cu12 1.4.0", "python 3.12.1")


def test_a_setting_that_only_one_side_has_does_not_part_them(ab_run, twins):
    records = [*twins(1.1, settings={"files": "2"}), *twins(1.1, op="pull", settings={"files": "2"})]
    for place, one in enumerate(records):
        if one.point.variant == "B":
            settings = one.point.settings | {"io": "buffered"}
            records[place] = one.model_copy(update={"point": one.point.model_copy(update={"settings": settings})})
    path = ab_run(records, b={"settings": {"io": "buffered"}})
    found = against(path).rows
    assert [(row.by, row.verdict) for row in found] == [("nixl:UCX (files=2)", "slower")] * 2


@pytest.mark.parametrize("settings", [{}, {"ab": 7}, {"ab": {"A": 1, "B": []}}, {"ab": {"A": {"versions": 3}}}])
def test_a_hostile_manifest_is_read_as_far_as_it_makes_sense(settings):
    assert [one.label for one in sides({"settings": settings})] == ["not recorded", "not recorded"]


def test_a_run_without_a_and_b_is_refused(ab_run, twins):
    path = ab_run(twins(), settings={})
    with pytest.raises(BadInput, match="has no A and B"):
        against(path)


def printed(launch, variant, *rates, problem=""):
    made = [Printed(tool="nixlbench", op="write", block_bytes=65536, batch=batch, gb_per_s=rate, notes=["not verified"])
            for batch, rate in enumerate(rates, 1)]  # fmt: skip
    return CommandRecord(launch=launch, variant=variant, rows=made, problem=problem, load_average=0.1, started_at="x")


def test_rows_that_commands_printed_are_paired_by_what_they_say_they_are(ab_run):
    records = [printed(launch, side, 5.0 + launch, (2.0 + launch) * (1 if side == "A" else 0.9))
               for launch in range(12) for side in "AB"]  # fmt: skip
    records[3] = printed(1, "B", problem="it left with status 1")
    found = against(ab_run(records))
    assert [(row.what, row.verdict) for row in found.rows] == [
        ("nixlbench write, 64 KiB", "same"),
        ("nixlbench write, 64 KiB \N{MULTIPLICATION SIGN} 2", "slower"),
    ]
    assert found.rows[0].judgement.launches == 11
    assert found.notes == ("not verified", "B failed: it left with status 1")


def test_a_record_is_written_without_a_variant_where_there_is_none(record):
    plain, sided = record(), record(variant="B")
    assert "variant" not in json.loads(plain.model_dump_json())["point"]
    assert json.loads(sided.model_dump_json())["point"]["variant"] == "B"
