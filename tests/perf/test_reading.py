from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.reading import read_records
from suite.errors import BadInput
from suite.run import lines as lines_of_a_run


@pytest.fixture
def lines(record):
    return [record(launch).model_dump_json(by_alias=True) for launch in range(3)]


@pytest.fixture
def write(tmp_path):
    def write(*lines, end="\n"):
        path = tmp_path / "samples.jsonl"
        path.write_text("\n".join(lines) + end)
        return path

    return write


def test_records_come_back_as_they_were_written(lines, write, record):
    assert read_records(write(*lines)) == ([record(0), record(1), record(2)], [])
    assert read_records(write(end="")) == ([], [])


def test_lines_of_other_kinds_are_skipped(lines, write):
    records, _ = read_records(write('{"kind": "launch", "schema": 1, "anything": []}', *lines))
    assert len(records) == 3


def test_a_torn_last_line_is_dropped_with_a_note(lines, write):
    """At whatever byte the writer was killed."""
    for cut in (1, 40, len(lines[2]) - 1):
        path = write(*lines[:2], lines[2][:cut], end="")
        records, notes = read_records(path)
        assert len(records) == 2
        assert notes == [f"{path}:3: the last line was torn when its writer stopped, and is left out"]


def test_a_whole_last_line_without_its_newline_is_kept(lines, write):
    records, notes = read_records(write(*lines, end=""))
    assert (len(records), notes) == (3, [])


def changed(line, **changes):
    return json.dumps(json.loads(line) | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 2}, "schema 2 is newer than this kvgauge, which reads 1"),
        ({"schema": 16**50}, "is newer than this kvgauge"),
        ({"launch": -1}, "launch = -1 is not accepted"),
        ({"launch": "1"}, "launch = '1' is not accepted"),
        ({"lunch": 1}, "unknown key lunch"),
        ({"load_average": float("nan")}, "load_average = nan is not accepted"),
        ({"point": {}}, r"point\.transport is missing"),
        ({"kind": 3}, None),
        ({"durations_ns": [1] * 7}, r"7 durations_ns in 2 delivered_ns windows of 4 samples"),
        ({"durations_ns": [], "delivered_ns": []}, "0 durations_ns in 0"),
        ({"delivered_ns": [0, 5]}, "took 0 ns"),
        ({"durations_ns": [1 << 63] * 8}, r"durations_ns\[0\] = 9223372036854775808 is not accepted"),
        ({"delivered_ns": [5, -5]}, r"delivered_ns\[1\] = -5 is not accepted"),
    ],
)
def test_a_broken_record_names_file_and_line(lines, write, changes, message):
    path = write(lines[0], changed(lines[1], **changes), lines[2])
    if message is None:  # another kind of line, whatever it is
        assert len(read_records(path)[0]) == 2
        return
    with pytest.raises(BadInput, match=message) as caught:
        read_records(path)
    assert caught.value.message.startswith(f"{path}:2: ")


@pytest.mark.parametrize("broken", ["{", "", "[]", "[" * 100_000, "9" * 5_000, "\ufffe"])
def test_a_broken_middle_line_is_no_torn_one(lines, write, broken):
    path = write(lines[0], broken, lines[2])
    with pytest.raises(BadInput, match=r"samples\.jsonl:2: not a JSON object"):
        read_records(path)


def test_a_failed_record_may_have_counted_nothing(lines, write):
    failed = changed(lines[0], status="failed", durations_ns=[], delivered_ns=[], verified=False)
    records, _ = read_records(write(failed))
    assert records[0].status == "failed"


def test_sizes_are_limited(lines, write, monkeypatch):
    path = write(*lines)
    monkeypatch.setattr(lines_of_a_run, "MAX_FILE_BYTES", len(lines[0]) + 1)
    with pytest.raises(BadInput, match=r"samples\.jsonl is larger than"):
        read_records(path)
    monkeypatch.setattr(lines_of_a_run, "MAX_LINE_BYTES", 100)
    with pytest.raises(BadInput, match=r"samples\.jsonl:1: longer than 100 B"):
        read_records(path)


def test_bad_paths(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        read_records(tmp_path / "samples.jsonl")
    with pytest.raises(BadInput, match="Is a directory"):
        read_records(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
def test_a_line_changed_to_anything_raises_nothing_but_bad_input(record, data):
    line = json.loads(record().model_dump_json(by_alias=True))
    table = data.draw(st.sampled_from([line, line["point"], line["evidence"]]))
    table[data.draw(st.sampled_from(sorted(table)))] = data.draw(JSON)
    text = json.dumps(line)
    with tempfile.NamedTemporaryFile("w") as file, contextlib.suppress(BadInput):
        file.write(text[: data.draw(st.integers(0, len(text)))])
        file.flush()
        read_records(Path(file.name))
