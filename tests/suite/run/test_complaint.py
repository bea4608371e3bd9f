from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from suite.run.complaint import complaint, dotted, shown


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


class Lane(BaseModel):
    model_config = ConfigDict(extra="forbid")

    transport: str
    percent: float


class Evidence(BaseModel):
    lanes: list[Lane]


class Line(BaseModel):
    evidence: Evidence | None


def test_keys_inside_nested_optional_tables_are_found():
    line = {"evidence": {"lanes": [{"transport": "cma", "percnt": 1.0}]}}
    with pytest.raises(ValidationError) as caught:
        Line.model_validate(line)
    error = complaint(caught.value, source="f:1", model=Line)
    assert error.message == "f:1: unknown key evidence.lanes[0].percnt"
    assert error.hint == "did you mean percent? accepted: transport, percent"


def test_the_form_of_a_text_is_told():
    class Named(BaseModel):
        role: str = Field(pattern="^[a-z]+$")

    with pytest.raises(ValidationError) as caught:
        Named.model_validate({"role": "A"})
    error = complaint(caught.value, source="f:1", model=Named)
    assert (error.message, error.hint) == ("f:1: role = 'A' is not accepted", "accepted: text of the form ^[a-z]+$")
