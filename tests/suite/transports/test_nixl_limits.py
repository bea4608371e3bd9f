"""Requests that cannot finish are refused, and no others; cuFile's settings are read as it reads them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import BadInput, Unsupported
from suite.transports.nixl_agent import Side
from suite.transports.nixl_cufile import Slab, compat_certain, largest_request, posix_pool
from suite.transports.nixl_limits import refuse_too_many
from suite.transports.nixl_merging import merged_lengths

DEFAULT = (Slab(4 << 10, 128), Slab(1 << 20, 64), Slab(16 << 20, 64))


def sides(lengths, kind="cuda"):
    """Return rows that do not merge."""
    starts = np.concatenate(([0], np.cumsum(np.asarray(lengths) + 8)[:-1]))
    rows = np.column_stack((starts, lengths, np.zeros(len(lengths), np.int64))).astype(np.uint64)
    return Side(rows, kind, 0), Side(rows.copy(), "file", 3)


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch):
    monkeypatch.delenv("CUFILE_ENV_PATH_JSON", raising=False)


@pytest.fixture
def cufile(tmp_path, monkeypatch):
    """Return what gives this process a settings file of cuFile's; that returns the environment."""

    def cufile(**properties):
        path = tmp_path / "cufile.json"
        path.write_text(json.dumps({"properties": properties}))
        monkeypatch.setenv("CUFILE_ENV_PATH_JSON", str(path))
        return {"CUFILE_ENV_PATH_JSON": str(path)}

    return cufile


@pytest.mark.parametrize(
    ("lengths", "settings", "what"),
    [
        ([4096] * 128, {}, None),
        ([4096] * 129, {}, "129 requests in one transfer, and cuFile has 128 bounce buffers of 4 KiB"),
        ([8192] * 64, {}, None),
        ([8192] * 65, {}, "65 requests in one transfer, and cuFile has 64 bounce buffers of 1024 KiB"),
        ([1 << 20] * 96, {"batch_limit": "32"}, "96 requests"),  # smaller batches do not help: all are submitted first
        ([4096] * 128 + [1 << 20] * 64, {}, None),  # two classes
        ([65 << 20], {"max_request_size": str(1 << 20)}, "65 requests"),
        ([64 << 20], {"max_request_size": str(1 << 20)}, None),
        ([32 << 20] * 33, {}, "66 requests in one transfer, and cuFile has 64 bounce buffers of 16384 KiB"),
    ],
)
def test_device_memory_in_compat_mode_needs_a_buffer_for_every_request(cufile, lengths, settings, what):
    cufile(per_buffer_cache_size_kb=16384)  # no other limit
    for kind, compat in (("host", True), ("cuda", False)):
        refuse_too_many("GDS", settings, sides(lengths, kind), compat=compat)
    refuse_too_many("GDS_MT", settings, sides(lengths), compat=True)
    if what is None:
        refuse_too_many("GDS", settings, sides(lengths), compat=True)
        return
    with pytest.raises(Unsupported, match=what) as refused:
        refuse_too_many("GDS", settings, sides(lengths), compat=True)
    assert "posix_pool_slab_count" in refused.value.hint


@pytest.mark.parametrize(
    ("length", "most_request", "buffer_kb", "most"),
    [
        (1 << 20, 16 << 20, None, None),
        ((1 << 20) + 1, 16 << 20, None, 1 << 20),
        ((1 << 20) + 1, 1 << 20, None, None),
        (32 << 20, 16 << 20, 16384, None),
        (32 << 20, 17 << 20, 16384, 16 << 20),
        ((2 << 20) + 1, 16 << 20, "16384", 1 << 20),  # text is no number
    ],
)
def test_a_request_may_not_be_larger_than_cufiles_buffer(cufile, length, most_request, buffer_kb, most):
    """Seen with cuFile 1.14: host memory too, and only batches in compat mode."""
    named = cufile(**{} if buffer_kb is None else {"per_buffer_cache_size_kb": buffer_kb})
    settings = {"max_request_size": str(most_request)}
    for rows in (sides([length], "host"), sides([length], "cuda")):
        refuse_too_many("GDS", settings, rows, compat=False)
        refuse_too_many("GDS_MT", settings, rows, compat=True)
        if most is None:
            refuse_too_many("GDS", settings, rows, compat=True)
            continue
        assert largest_request(named) == most
        with pytest.raises(Unsupported, match=rf"a request of \d+ bytes, and cuFile takes {most} in compat") as refused:
            refuse_too_many("GDS", settings, rows, compat=True)
        assert "max_request_size" in refused.value.hint


def test_rows_that_nixl_merges_are_one_request(cufile):
    cufile(per_buffer_cache_size_kb=16384)  # it has 16 MiB
    rows = np.column_stack((np.arange(4096) * 4096, np.full(4096, 4096), np.zeros(4096))).astype(np.uint64)
    refuse_too_many("GDS", {}, (Side(rows, "cuda", 0), Side(rows, "file", 3)), compat=True)


def test_a_transfer_may_not_need_more_batches_than_there_are():
    refuse_too_many("GDS", {}, sides([64] * 2048, "host"), compat=True)
    with pytest.raises(Unsupported, match=r"2049 requests in one transfer, and 16 batches .* of 128"):
        refuse_too_many("GDS", {}, sides([64] * 2049, "host"), compat=False)
    refuse_too_many("GDS", {"batch_pool_size": "17"}, sides([64] * 2049, "host"), compat=True)


@pytest.mark.parametrize("value", ["0", "-1", "1e3", "", "x", "9" * 400, "٣"])
def test_a_limit_that_is_no_positive_number_is_bad_input(value):
    with pytest.raises(BadInput, match="batch_limit = "):
        refuse_too_many("GDS", {"batch_limit": value}, sides([64]), compat=True)


def test_cufiles_settings_are_read_with_its_comments(tmp_path):
    path = tmp_path / "cufile.json"
    path.write_text(
        '{ // "properties": {"posix_pool_slab_count": [1, 1, 1]}\n'
        '"logging": {"dir": "//not/a/comment"}, /* nor\n this */\n'
        '"properties": {"posix_pool_slab_size_kb": [4, 64], "posix_pool_slab_count": [512, 256], "force_compat_mode": true}}'
    )
    named = {"CUFILE_ENV_PATH_JSON": str(path)}
    assert posix_pool(named) == (Slab(4096, 512), Slab(65536, 256))
    assert compat_certain(named)
    assert posix_pool({}) == DEFAULT


@pytest.mark.parametrize(
    ("environment", "properties", "nvidia_fs", "certain"),
    [
        ({}, {}, False, True),
        ({}, {}, True, False),
        ({"CUFILE_FORCE_COMPAT_MODE": "true"}, {}, True, True),
        ({}, {"force_compat_mode": True}, True, True),
        ({}, {"use_pci_p2pdma": True}, False, False),
        ({"CUFILE_USE_PCIP2PDMA": "false"}, {"use_pci_p2pdma": True}, False, True),
    ],
)
def test_compat_mode_is_certain_only_where_nothing_else_is_left(tmp_path, environment, properties, nvidia_fs, certain):
    path = tmp_path / "cufile.json"
    path.write_text(json.dumps({"properties": properties}))
    place = tmp_path if nvidia_fs else tmp_path / "absent"
    assert compat_certain(environment | {"CUFILE_ENV_PATH_JSON": str(path)}, place) is certain


@given(
    st.one_of(
        st.binary(max_size=500),
        st.fixed_dictionaries(
            {
                "properties": st.dictionaries(
                    st.sampled_from(["posix_pool_slab_size_kb", "posix_pool_slab_count", "force_compat_mode"]),
                    st.one_of(st.integers(), st.text(), st.lists(st.one_of(st.integers(-5, 1 << 70), st.text()))),
                )
            }
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_settings_of_any_bytes_give_a_pool(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("cufile") / "cufile.json"
    path.write_bytes(content)
    pool = posix_pool({"CUFILE_ENV_PATH_JSON": str(path)})
    assert pool
    assert all(slab.nbytes > 0 and slab.count > 0 for slab in pool)
    compat_certain({"CUFILE_ENV_PATH_JSON": str(path)})


def greedy(starts, lengths):
    """Cut into runs of equal length and stride, row by row; return the run of each row."""
    run, runs, row = 0, [], 0
    while row < len(starts):
        end = row + 1
        if end < len(starts) and lengths[end] == lengths[row] and starts[end] - starts[row] >= lengths[row]:
            stride, end = starts[end] - starts[row], end + 1
            while end < len(starts) and lengths[end] == lengths[row] and starts[end] - starts[end - 1] == stride:
                end += 1
        runs += [run] * (end - row)
        row, run = end, run + 1
    return runs


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([1, 1, 1, 2])), max_size=40), st.booleans()
)
def test_merging_is_what_cutting_row_by_row_gives(gaps, backwards):
    """The form that is quick for 65536 rows against the one that is easy to read; test_nixl_storage holds it to NIXL."""
    lengths = np.array([length for _, _, length in gaps], np.int64)
    tables = []
    for side in (0, 1):
        starts = np.cumsum([gap[side] for gap in gaps]) + np.concatenate(([0], np.cumsum(lengths)[:-1]))[: len(gaps)]
        rows = np.column_stack((starts, lengths, np.zeros(len(gaps)))).astype(np.uint64).reshape(-1, 3)
        tables.append(rows[::-1] if backwards else rows)
    runs = [greedy(table[:, 0].astype(int).tolist(), table[:, 1].tolist()) for table in tables]
    expected: list[int] = []
    for row, length in enumerate(tables[0][:, 1].tolist()):
        touches = row and all(table[row - 1, 0] + table[row - 1, 1] == table[row, 0] for table in tables)
        if touches and all(run[row - 1] == run[row] for run in runs):
            expected[-1] += length
        else:
            expected.append(length)
    assert merged_lengths(*tables).tolist() == expected
