"""`ranks.jsonl` comes back as it was written, or is refused by file, line and key."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.errors import BadInput
from suite.run import lines as lines_of_a_run
from suite.run.folder import RANKS, RunFolder
from suite.transfer.metrics import RankRecord, read_ranks

COUNTS = ("peers", "wire_bytes", "descriptors", "posted_descriptors")
TIMES = ("preparation_ns", "queue_ns", "transmission_ns", "postprocessing_ns")
LARGEST = 1 << 62


def record(**changes):
    given = {
        "schema": 1,
        "op": "push",
        "request": 7,
        "role": "decode-3",
        "peers": 2,
        "transport": "copy",
        "emulated": False,
        "preparation_ns": 10,
        "queue_ns": 20,
        "transmission_ns": 1_000,
        "postprocessing_ns": 40,
        "wire_bytes": 4_000,
        "descriptors": 8,
        "posted_descriptors": 1,
    }
    return RankRecord(**given | changes)


@pytest.fixture
def path(tmp_path):
    return tmp_path / RANKS


def write(path, *records, end="\n"):
    path.write_text("\n".join(json.dumps(one.as_json()) for one in records) + end)


counts = st.integers(0, LARGEST)
# Not st.text(): its first use makes tables of all of Unicode, which takes a second or more in a fresh clone.
texts = st.lists(st.sampled_from(["a", "-", "\0", "\n", '"', "\u2028", "\U0001f600"]), max_size=8).map("".join)
records = st.builds(
    record,
    op=st.sampled_from(get_args(RankRecord.model_fields["op"].annotation)),
    role=st.builds("{}-{}".format, st.sampled_from(["prefill", "decode"]), st.integers(0, 999_999)),
    transport=texts,
    emulated=st.booleans(),
    request=counts,
    **dict.fromkeys((*COUNTS, *TIMES), counts),
)


@settings(deadline=None, max_examples=50)  # each line is fsynced
@given(st.lists(records, max_size=4))
def test_records_come_back_as_the_run_folder_wrote_them(written):
    with tempfile.TemporaryDirectory() as name:
        folder = RunFolder(Path(name), RANKS)
        for one in written:
            folder.append(one.as_json())
        (folder.path / RANKS).touch()
        assert read_ranks(folder.path / RANKS) == (written, [])


def test_the_rate_is_wire_bytes_by_transmission_time_and_no_other_phase():
    assert record().gb_per_s == 4.0
    assert record(preparation_ns=0, queue_ns=0, postprocessing_ns=0).gb_per_s == 4.0
    assert record(descriptors=1, posted_descriptors=0).gb_per_s == 4.0
    assert record(wire_bytes=0).gb_per_s == 0.0


@pytest.mark.parametrize("changes", [{"emulated": True}, {"transmission_ns": 0}])
def test_there_is_no_rate_on_emulated_gpus_or_without_a_time(changes):
    assert record(**changes).gb_per_s is None
    assert "gb_per_s" not in record(**changes).as_json()


def test_a_torn_last_line_is_dropped_with_a_note(path):
    write(path, record(), record(request=8))
    whole = path.read_bytes()
    for cut in range(1, 40):
        path.write_bytes(whole + whole[:cut])
        found, notes = read_ranks(path)
        assert [one.request for one in found] == [7, 8]
        assert notes == [f"{path}:3: the last line was torn when its writer stopped, and is left out"]


@pytest.mark.parametrize(
    ("changes", "code", "said", "hint"),
    [
        ({"role": "decode"}, "bad-value", "role = 'decode' is not accepted", "(prefill|decode)-"),
        ({"role": "decode-3\n"}, "bad-value", r"role = 'decode-3\n' is not", "(prefill|decode)-"),
        ({"role": "decode-٣"}, "bad-value", "role = ", "(prefill|decode)-"),
        ({"op": "pul"}, "bad-value", "op = 'pul' is not accepted", "did you mean pull?"),
        ({"queue_ns": -1}, "bad-value", "queue_ns = -1 is not accepted", "0 or more"),
        ({"queue_ns": 1.5}, "bad-value", "queue_ns = 1.5 is not accepted", "a whole number"),
        ({"peers": True}, "bad-value", "peers = True is not accepted", "a whole number"),
        ({"wire_bytes": LARGEST + 1}, "bad-value", "wire_bytes = ", "or less"),
        ({"queue_us": 1}, "unknown-key", "unknown key queue_us", "did you mean queue_ns?"),
        ({"gb_per_s": 4.0}, "unknown-key", "unknown key gb_per_s", "accepted: schema, op"),
        ({"schema": 2}, "newer-schema", "schema 2 is newer", "a newer one"),
    ],
)
def test_a_line_that_says_something_else_is_refused_by_file_line_and_key(path, changes, code, said, hint):
    write(path, record())
    with path.open("a") as file:
        file.write(json.dumps(record().as_json() | changes) + "\n")
    with pytest.raises(BadInput) as caught:
        read_ranks(path)
    assert caught.value.code == code
    assert caught.value.message.startswith(f"{path}:2: {said}")
    assert hint in caught.value.hint


def test_a_missing_key_is_named(path):
    line = record().as_json()
    del line["role"]
    path.write_text(json.dumps(line) + "\n")
    with pytest.raises(BadInput, match=":1: role is missing"):
        read_ranks(path)


def test_a_broken_line_in_the_middle_is_not_skipped(path):
    write(path, record())
    path.write_text("{\n" + path.read_text())
    with pytest.raises(BadInput, match=":1: not a JSON object"):
        read_ranks(path)


def test_sizes_are_limited_and_a_missing_file_is_named(path, monkeypatch):
    with pytest.raises(BadInput, match=r"ranks\.jsonl: no such file"):
        read_ranks(path)
    write(path, record(), record())
    monkeypatch.setattr(lines_of_a_run, "MAX_FILE_BYTES", path.stat().st_size - 1)
    with pytest.raises(BadInput, match="is larger than"):
        read_ranks(path)
    monkeypatch.setattr(lines_of_a_run, "MAX_LINE_BYTES", 100)
    with pytest.raises(BadInput, match=":1: longer than"):
        read_ranks(path)


json_values = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.just([{}])


@settings(deadline=None)
@given(
    st.binary(max_size=200)
    | st.dictionaries(st.sampled_from(sorted(record().as_json())), json_values).map(
        lambda changes: json.dumps(record().as_json() | changes).encode() + b"\n"
    )
)
def test_whatever_is_in_the_file_makes_records_or_a_refusal(data):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / RANKS
        path.write_bytes(data)
        with contextlib.suppress(BadInput):
            found, _ = read_ranks(path)
            assert all(isinstance(one, RankRecord) for one in found)
