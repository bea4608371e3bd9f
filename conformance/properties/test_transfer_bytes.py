"""Every byte at its place, and no other: XFER-001 to XFER-017."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from conformance.properties import transfer_strategies as strategies
from conformance.properties.given import given_case
from conformance.properties.moving import SETTLE, broken, in_place, moved, refused, scene, untouched, usual
from conformance.requirement import requirement
from conformance.transfer.case import Case, apart, many
from conformance.transfer.crew import Refusal
from conformance.transfer.scene import REST

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.implementation import MovesBytes

    Observe = Callable[[str], None]

_LARGE = 1 << 20
_FOR_MANY_S = 90.0  # Mooncake over TCP takes 70 microseconds for each row


def table(*cases: Case) -> pytest.MarkDecorator:
    """Return fixed cases."""
    return pytest.mark.parametrize("case", cases, ids=[_named(one) for one in cases])


def _named(one: Case) -> str:
    rows = f"{len(one.rows)} rows" if len(one.rows) > 1 else "1 row"
    return f"{one.way} {rows} of {int(one.lengths.max(initial=0))}"


@requirement("XFER-001")
@given_case(strategies.plain(way="out"))
def test_bytes_are_there_when_notified(implementation: MovesBytes, case: Case) -> None:
    """Compared by the target, before it does anything else."""
    _there_when_notified(implementation, case)


@requirement("XFER-001")
@table(apart([_LARGE]), apart([65536] * 32))
def test_many_bytes_are_there_when_notified(implementation: MovesBytes, case: Case) -> None:
    """What does not fit a packet, or a cache."""
    _there_when_notified(implementation, case)


def _there_when_notified(implementation: MovesBytes, case: Case) -> None:
    with scene(implementation, case) as one:
        one.prepare()
        in_place(case, moved(one, look=True, rest=0).damage, "when notified, ")


@requirement("XFER-002")
@given_case(strategies.plain(way="in", tag=b""))
def test_bytes_are_there_when_read(implementation: MovesBytes, case: Case) -> None:
    """Compared by the initiator, before it does anything else."""
    with scene(implementation, case) as one:
        one.prepare()
        in_place(case, moved(one, look=True, rest=0).damage, "when done, ")


@requirement("XFER-002")
@table(apart([_LARGE], way="in", tag=b""), apart([65536] * 32, way="in", tag=b""))
def test_many_bytes_are_there_when_read(implementation: MovesBytes, case: Case) -> None:
    """What does not fit a packet, or a cache."""
    with scene(implementation, case) as one:
        one.prepare()
        in_place(case, moved(one, look=True, rest=0).damage, "when done, ")


@requirement("XFER-003")
@given_case(strategies.plain(way="out", tag=b""))
def test_bytes_are_there_when_written(implementation: MovesBytes, case: Case) -> None:
    """Compared by the target as soon as the initiator is done."""
    with scene(implementation, case) as one:
        one.prepare()
        moved(one, rest=0)
        in_place(case, one.damage(), "when its initiator was done, ")


@requirement("XFER-004")
@given_case(strategies.plain())
def test_nothing_else_changes(implementation: MovesBytes, case: Case) -> None:
    """Gaps between rows, the rest of the region, 4 KiB before it and after it."""
    untouched(case, usual(implementation, case))


@requirement("XFER-005")
@given_case(strategies.plain())
def test_the_source_stays(implementation: MovesBytes, case: Case) -> None:
    """Every byte of the source region and of its guards."""
    with scene(implementation, case) as one:
        one.prepare()
        moved(one)
        if damage := one.source_damage():
            broken(case, f"{damage['beside']} bytes of the source changed, the first at offset {damage['first']}")


@requirement("XFER-006")
@given_case(strategies.permuted())
def test_rows_in_any_order(implementation: MovesBytes, case: Case) -> None:
    """Shuffled at the source, at the destination, at both."""
    in_place(case, usual(implementation, case))


@requirement("XFER-007")
@given_case(strategies.strided())
def test_rows_at_a_stride(implementation: MovesBytes, case: Case) -> None:
    """Dense and with gaps, the same and others on both sides."""
    in_place(case, usual(implementation, case))


@requirement("XFER-008")
@given_case(strategies.odd())
def test_rows_of_any_length_at_any_address(implementation: MovesBytes, case: Case) -> None:
    """One byte and more; source and destination lie differently in their words."""
    in_place(case, usual(implementation, case))


@requirement("XFER-008")
@table(*(apart([length], way=way) for length in (1, 7, 4096, 8193, 65535, (1 << 20) + 1) for way in ("out", "in")))
def test_one_row_of_a_telling_length(implementation: MovesBytes, case: Case) -> None:
    """Around the sizes at which protocols change."""
    in_place(case, usual(implementation, case))


@requirement("XFER-009")
@given_case(strategies.with_empty_rows())
def test_an_empty_row_disturbs_none(implementation: MovesBytes, case: Case) -> None:
    """Or it is refused."""
    with scene(implementation, case) as one:
        try:
            one.prepare()
            told = one.move(rest=SETTLE)
        except Refusal:
            if (one.damage() or {"rows": 0})["rows"] != int(case.lengths.sum()):
                broken(case, "refused, after some of the rows had arrived")
            return
        if told.late:
            broken(case, "no end")
        damage = one.damage()
        in_place(case, damage)
    full = case.rows[case.lengths > 0]
    if damage and damage["beside"] and not usual(implementation, replace(case, rows=full)):
        untouched(case, damage)  # it is the empty row that did it


@requirement("XFER-010")
@given_case(strategies.with_one_source())
def test_one_source_for_several_rows(implementation: MovesBytes, case: Case) -> None:
    """As for a KV head that several ranks hold."""
    in_place(case, usual(implementation, case))


@requirement("XFER-011")
@table(apart([64, 64]), apart([64, 64], way="in"))
def test_two_rows_with_one_destination(implementation: MovesBytes, case: Case, observe: Observe) -> None:
    """Two sources for one place."""
    rows = case.rows.copy()
    rows[1, 1] = rows[0, 1]
    with scene(implementation, case, ready=False) as one:
        one.set_up()
        one.stage_bytes(rows=rows)
        try:
            one.prepare(rows=rows)
            moved(one)
        except Refusal as refusal:
            observe(f"{one.op}: refused ({refusal.code})")
            return
        damage = one.damage()
        observe(
            f"{one.op}: {'the later wins' if damage is None else 'the earlier wins' if damage['rows'] == len(rows) * 32 else 'mixed'}"
        )


@requirement("XFER-012")
@table(many(100_000), many(1))
def test_as_many_rows_as_serving_posts(implementation: MovesBytes, case: Case) -> None:
    """16 bytes each, none next to another; an error when it is prepared will do."""
    with scene(implementation, case) as one:
        one.patience_s = _FOR_MANY_S
        try:
            one.prepare()
        except Refusal:
            return
        moved(one)
        in_place(case, one.damage())


@requirement("XFER-013")
@given_case(strategies.plain(most=3, tag=b""))
def test_a_small_one_after_a_refusal(implementation: MovesBytes, case: Case) -> None:
    """The first names memory far outside every region; whether that is refused is the matter of others."""
    with scene(implementation, case) as one:
        column = one.local if one.stored else one.remote
        if refused(one, names=("far",), rows=case.rows + (np.arange(3) == column) * (1 << 40)):
            one.prepare("near")
            moved(one, "near")
            in_place(case, one.damage(), "after a refusal, ")


@requirement("XFER-014")
@given_case(strategies.mergeable())
def test_merged_or_not(implementation: MovesBytes, case: Case) -> None:
    """In order, so that all merge; and every second row first, so that none does."""
    in_place(case, usual(implementation, case), "in order: ")
    apart_rows = np.concatenate((case.rows[1::2], case.rows[::2]))
    with scene(implementation, case) as one:
        one.prepare(rows=apart_rows)
        moved(one)
        in_place(case, one.damage(), "in another order: ")


@requirement("XFER-015")
@given_case(strategies.plain(way="out", tag=b""))
def test_what_is_written_is_read_back(implementation: MovesBytes, case: Case) -> None:
    """By the same endpoints, into the memory that it came from, which has been painted over."""
    with scene(implementation, case) as one:
        one.prepare("there")
        moved(one, "there")
        one.prepare_back("back")
        moved(one, "back", count=0)
        in_place(case, one.source_damage(), "read back, ")


@requirement("XFER-016")
@given_case(strategies.plain(tag=b""))
def test_two_transfers_at_once(implementation: MovesBytes, case: Case) -> None:
    """Each has half of the rows; both are posted before either is asked."""
    if len(case.rows) == 1:
        case = apart([64, 64], way=case.way, tag=b"", seed=case.seed)
    with scene(implementation, case) as one:
        one.prepare("first", rows=case.rows[::2])
        one.prepare("second", rows=case.rows[1::2])
        moved(one, "first", "second", rest=REST)
        in_place(case, one.damage())


@requirement("XFER-017")
@given_case(strategies.plain(way="out", tag=b""))
def test_both_directions_at_once(implementation: MovesBytes, case: Case) -> None:
    """Two peers write from the first half of their region into the second half of the other's."""
    half = max(case.nbytes)
    crossed = replace(case, rows=case.rows + np.array([0, half, 0]), nbytes=(2 * half, 2 * half))
    seeds = {"initiator": case.seed, "target": case.seed + 1}
    with scene(implementation, crossed, ready=False) as one:
        one.set_up()
        told = one.arguments()
        back = {**told, "peer": one.agent("initiator"), "rows": one.between("target", "initiator")}
        for role, peer in (("initiator", "target"), ("target", "initiator")):
            source = one.painted(seeds[peer])
            one.ask(role, "stage", place="main", seed=seeds[role], rows=crossed.rows, source=source)
        one.ask_all(
            {role: ("prepare", {"name": "t", **each}) for role, each in (("initiator", told), ("target", back))}
        )
        driven = one.drive({role: {"names": ["t"], "post": True, "rest": SETTLE} for role in seeds})
        if any(answer["late"] for answer in driven.values()):
            broken(crossed, "no end while the peer wrote as well")
        for role in seeds:
            in_place(crossed, one.ask(role, "damage", place="main"), f"at the {role}, ")
