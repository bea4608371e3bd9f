from __future__ import annotations

import pytest
from pydantic import ValidationError

from perf.complaint import complaint, dotted, shown
from perf.record import PointRecord


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ((), ""),
        (("kv", 0, "tokens"), "kv[0].tokens"),
        (("a b", "\x1b[31m"), r'"a b"."\u001b[31m"'),
        (("k" * 100,), "k" * 57 + "..."),
    ],
)
def test_a_place_is_written_as_its_reader_would(location, text):
    assert dotted(location) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [({"a": {}}, "a table"), ([1, [2]], "a list of 2"), ("\n", r"'\n'"), (None, "None")],
)
def test_values_are_shown_short(value, text):
    assert shown(value) == text
    assert len(shown("x" * 1_000)) == 60


def test_keys_inside_nested_optional_tables_are_found(record):
    """A failure or evidence is `X | None` in the schema."""
    line = record().model_dump(by_alias=True)
    line["evidence"]["lanes"] = [{"transport": "cma", "device": "memory", "percnt": 1.0}]
    with pytest.raises(ValidationError) as caught:
        PointRecord.model_validate(line)
    error = complaint(caught.value, source="f:1", model=PointRecord)
    assert error.message == "f:1: unknown key evidence.lanes[0].percnt"
    assert error.hint == "did you mean percent? accepted: transport, device, percent"
