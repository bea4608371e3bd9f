from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.document import parse_toml
from perf.identity import point_key
from perf.planning import MAX_POINTS, points, schedule
from perf.spec import PRESETS, check_spec, load_spec
from suite.errors import BadInput

KV = """
[[kv]]
model = "llama-3.1-8b"
tokens = 100
transports = ["copy"]
ops = ["push"]
units = ["block"]
patterns = ["scattered"]
"""
BYTES = """
[[bytes]]
sizes = [8]
transports = ["copy"]
ops = ["push"]
"""


def spec_of(text):
    return check_spec(parse_toml(text.encode(), source="s.toml"), source="s.toml")


def test_quick_is_what_the_documentation_says():
    """Two transports and ops, four units, two patterns; two message sizes; six launches."""
    spec = load_spec("quick")
    planned = points(spec)
    assert spec.launches == 6
    assert [one.kind for one in planned].count("kv") == 2 * 2 * 4 * 2
    assert [one.kind for one in planned].count("bytes") == 2 * 2 * 2
    assert {one.point.descriptor_bytes for one in planned} == {8 << 10, 64 << 10, 128 << 10, 4 << 20, 8, 4096}
    assert {(one.windows, one.samples) for one in planned} == {(2, 4), (2, 1000)}


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_fit_into_two_gigabytes(preset):
    """Both workers' pools together, for the largest point."""
    assert 2 * max(one.pool_bytes for one in points(load_spec(preset))) < 2_000_000_000


@pytest.mark.parametrize("preset", PRESETS)
def test_a_spec_survives_the_manifest(preset):
    spec = load_spec(preset)
    document = json.loads(spec.model_dump_json(by_alias=True))
    assert check_spec(document, source="manifest.json") == spec


def test_a_planned_point_carries_what_the_measuring_side_needs():
    kv, message = points(spec_of("windows = 3" + KV + BYTES))
    assert (kv.tokens, kv.windows, kv.samples) == (100, 3, 4)
    assert kv.layout is not None
    assert kv.point.descriptors == kv.layout.blocks(100) == 4
    assert kv.pool_bytes == 4 * 4 * (4 << 20)
    assert (message.kind, message.layout, message.tokens, message.samples) == ("bytes", None, 0, 1000)
    assert (message.point.workload, message.point.unit, message.point.pattern) == ("bytes", "bytes", "scattered")
    assert (message.point.descriptors, message.point.descriptor_bytes) == (1, 8)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("lunches = 3" + KV, "s.toml: unknown key lunches", "did you mean launches?"),
        (KV.replace("model", "modle"), "s.toml: unknown key kv[0].modle", "did you mean model?"),
        (KV + "'we ird' = 1", 's.toml: unknown key kv[0]."we ird"', "accepted: model, dtype"),
        (KV.replace("tokens = 100", ""), "s.toml: kv[0].tokens is missing", "needed: model, tokens, transports"),
        ("launches = 0" + KV, "s.toml: launches = 0 is not accepted", "accepted: 1 or more"),
        ("launches = true" + KV, "s.toml: launches = True is not accepted", "accepted: a whole number"),
        ("launches = '6'" + KV, "s.toml: launches = '6' is not accepted", "accepted: a whole number"),
        ("windows = 1e3" + KV, "s.toml: windows = 1000.0 is not accepted", "accepted: a whole number"),
        ("windows = 0x" + "f" * 900 + KV, "s.toml: windows = 5104", "accepted: 100 or less"),
        ("kv = 3", "s.toml: kv = 3 is not accepted", "accepted: a list"),
        ("kv = [3]", "s.toml: kv[0] = 3 is not accepted", "accepted: a table"),
        (KV.replace("['push']", "").replace("push", "pusch"), "s.toml: kv[0].ops[0] = 'pusch'", "did you mean push?"),
        (KV.replace('["copy"]', "[]"), "s.toml: kv[0].transports = a list of 0", "accepted: at least 1 of them"),
        (KV.replace('["copy"]', '["nixl UCX"]'), "s.toml: kv[0].transports[0]: 'nixl UCX'", "nixl:UCX"),
        (KV.replace('["copy"]', '["copy", "copy"]'), "s.toml: kv[0].transports: 'copy' is named twice", "once"),
        (KV.replace("llama-3.1-8b", "lama-3.1-8b"), "s.toml: kv[0].model: no model preset 'lama", "llama-3.1-8b?"),
        (
            KV.replace("llama-3.1-8b", "deepseek-v3").replace('"block"', '"head"'),
            "s.toml: kv[0].units: deepseek-v3 in this layout has no unit 'head'",
            "units: layer, block",
        ),
        (BYTES.replace("[8]", '["8 KB"]'), "s.toml: bytes[0].sizes[0]: '8 KB' is not a size", "64KiB"),
        (BYTES.replace("[8]", "[0]"), "s.toml: bytes[0].sizes[0] = 0 is not accepted", "1 or more"),
        (BYTES.replace("[8]", "[12]"), "s.toml: bytes[0].sizes[0]: 12 bytes are not checkable", "a multiple of 8"),
        (KV + KV, "s.toml: kv[1] and kv[0] both plan copy push of llama-3.1-8b, block, scattered", "differ"),
        (KV.replace("100", "90_000_000"), "s.toml: kv[0] needs", "at most 1024 GiB"),
        ("launches = 3", "s.toml: nothing to measure", "[[kv]] or [[bytes]]"),
    ],
)
def test_faults_name_file_key_value_and_what_is_accepted(text, message, hint):
    with pytest.raises(BadInput) as caught:
        spec_of(text)
    assert caught.value.message.startswith(message)
    assert hint in caught.value.hint
    assert caught.value.exit_code == 2
    assert "pydantic" not in str(caught.value)


def test_too_many_points_are_refused_before_they_are_all_made():
    tables = [
        BYTES.replace("[8]", str(list(range(8 * first, 8 * (first + 64), 8)))).replace("copy", "tcp")
        for first in range(1, 64 * 64, 64)
    ]
    names = ", ".join(f'"t{index}"' for index in range(64))
    with pytest.raises(BadInput, match=f"s.toml: more than {MAX_POINTS} points"):
        spec_of("".join(table.replace('"tcp"', names) for table in tables))


def test_files_and_presets_are_found_by_name(tmp_path):
    path = tmp_path / "my spec.toml"
    path.write_text(KV)
    assert len(points(load_spec(str(path)))) == 1
    with pytest.raises(BadInput, match=r"quik: no such file\ndid you mean quick\? presets: quick, standard"):
        load_spec("quik")
    with pytest.raises(BadInput, match="is a directory"):
        load_spec("")


WORDS = st.sampled_from(
    ["launches", "windows", "kv", "bytes", "model", "tokens", "units", "sizes", "ops", "copy", "push", "8 B", "head"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS | st.datetimes(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES | st.dictionaries(WORDS, VALUES))
def test_a_hostile_document_raises_nothing_but_bad_input(document):
    with contextlib.suppress(BadInput):
        check_spec(document, source="s.toml")


@given(st.binary(max_size=200) | st.text(alphabet="[]{}=.\"'#\n ak9_-", max_size=60).map(str.encode))
def test_hostile_bytes_raise_nothing_but_bad_input(data):
    with contextlib.suppress(BadInput):
        check_spec(parse_toml(data, source="s.toml"), source="s.toml")


@given(st.data())
def test_a_key_changed_to_anything_raises_nothing_but_bad_input(data):
    """Nearly right documents reach deeper than random ones."""
    document = parse_toml((KV + BYTES).encode(), source="s.toml")
    table = document[data.draw(st.sampled_from(["kv", "bytes"]))][0]
    table[data.draw(st.sampled_from(sorted(table)))] = data.draw(VALUES | st.lists(WORDS))
    with contextlib.suppress(BadInput):
        points(check_spec(document, source="s.toml"))


QUICK = points(load_spec("quick"))


@given(st.integers(0, 2**64), st.integers(0, 12))
def test_a_schedule_is_a_permutation_a_launch_and_reproducible(seed, launches):
    planned = QUICK
    orders = schedule(planned, launches, seed)
    assert len(orders) == launches
    assert all(sorted(order) == list(range(len(planned))) for order in orders)
    assert schedule(planned, launches + 1, seed)[:launches] == orders, "more launches leave the first ones alone"


def test_launches_and_seeds_have_orders_of_their_own():
    planned = points(load_spec("quick"))
    orders = [*schedule(planned, 6, 1), *schedule(planned, 6, 2)]
    assert len({tuple(order) for order in orders}) == 12
    with pytest.raises(BadInput, match="seed is -1"):
        schedule(planned, 1, -1)


def test_points_differ():
    keys = [point_key(one.point) for one in points(load_spec("standard"))]
    assert len(set(keys)) == len(keys)
