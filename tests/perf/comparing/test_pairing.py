from __future__ import annotations

from perf.comparing.pairing import pairs


def test_equal_points_share_a_row_whatever_their_order(summaries):
    found = pairs([summaries, summaries[::-1]])
    assert len(found) == len(summaries)
    for pair in found:
        first, second = pair.members
        assert first.point == second.point


def test_a_point_of_one_run_is_a_row_of_its_own(summary):
    found = pairs([[summary(), summary(op="pull")], [summary()], []])
    assert [[one is not None for one in pair.members] for pair in found] == [[True, True, False], [True, False, False]]


def test_runs_of_one_transport_each_stand_side_by_side(summary):
    [row] = pairs([[summary(transport="nixl:UCX")], [summary(transport="ucx", settings={"UCX_TLS": "tcp"})]])
    assert [one.point.transport for one in row.members] == ["nixl:UCX", "ucx"]
    assert row.carrier == ""


def test_where_a_run_has_two_ways_only_equals_are_paired(summary):
    """Which of the two a lone third would stand beside cannot be known."""
    both = [summary(transport="nixl:UCX"), summary(transport="ucx")]
    found = pairs([both, [summary(transport="mooncake:tcp")], both[1:]])
    assert {pair.carrier: [one is not None for one in pair.members] for pair in found} == {
        "nixl:UCX": [True, False, False],
        "ucx": [True, False, True],
        "mooncake:tcp": [False, True, False],
    }


def test_settings_of_a_sweep_are_part_of_a_point(summary):
    values = [summary(settings={"UCX_TLS": name}) for name in ("tcp", "cma")]
    assert [pair.carrier for pair in pairs([values, values])] == ["nixl:UCX (UCX_TLS=cma)", "nixl:UCX (UCX_TLS=tcp)"]


def test_a_transport_never_stands_beside_the_ceiling(summary):
    assert len(pairs([[summary(transport="copy")], [summary()]])) == 2
