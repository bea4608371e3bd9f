from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports.comparison.differences import ABSENT, differences, machine


def found(*manifests):
    return {group.title: group for group in differences(manifests)}


def test_only_what_differs_is_told_and_the_rest_is_folded(manifest):
    other = manifest | {"environment": {**manifest["environment"], "UCX_TLS": "tcp", "ZZ": "1"}, "seed": 8}
    groups = found(manifest, other)
    assert [(entry.name, entry.values) for entry in groups["Environment"].differing] == [
        ("UCX_TLS", ("all", "tcp")),  # what steers a transfer comes first
        ("ZZ", (ABSENT, "1")),
    ]
    assert len(groups["Environment"].equal) == 2
    assert [entry.name for entry in groups["Command and seed"].differing] == ["seed"]
    assert not groups["Machine"].differing
    assert next(iter(groups)) == "Environment"


def test_nested_values_have_names_of_their_own(manifest):
    specs = [{"kv": [{"units": ["page"], "tokens": tokens}], "launches": 6} for tokens in (64, 128)]
    [entry] = found(*(manifest | {"spec": spec} for spec in specs))["What was asked for (spec)"].differing
    assert (entry.name, entry.values) == ("kv.0.tokens", ("64", "128"))


def test_memory_that_reads_the_same_is_the_same_machine(manifest):
    """The kernel keeps a little of it for itself, another kernel a little more."""
    other = {"machine": manifest["machine"] | {"memory_bytes": (8 << 30) - 4096}}
    assert machine(manifest) == machine(manifest | other)
    assert machine(manifest) != machine(manifest | {"machine": manifest["machine"] | {"memory_bytes": 16 << 30}})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
KEYS = ["machine", "settings", "spec", "environment", "versions", "command", "seed", "load_average", "kvgauge"]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(st.sampled_from(KEYS), JSON), min_size=2, max_size=3))
def test_no_manifest_stops_it(manifests):
    for group in differences(manifests):
        assert all(len(entry.values) == len(manifests) for entry in group.differing)
        assert all(len(entry.values) == 1 for entry in group.equal)


@pytest.mark.parametrize("value", [{"a": {}}, [[[[1]]]] * 3])
def test_depth_and_number_are_bounded(value):
    for _ in range(200):
        value = {"a": value}
    groups = found({"spec": value}, {"spec": {str(number): number for number in range(5_000)}})
    assert len(groups["What was asked for (spec)"].differing) < 1_100
