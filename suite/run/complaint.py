"""A failed schema check -> one `BadInput` that a user can act on.

pydantic's own text names Python types and links to its web site; ours names the
file, the dotted key, the value and what is accepted. Only one fault is told:
the first unknown key, because a misspelt key also counts as a missing one, else the
first fault.
"""

from __future__ import annotations

import difflib
import json
import re
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from suite.errors import BadInput, KvgaugeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic_core import ErrorDetails

Record = TypeVar("Record", bound=BaseModel)

_SHOWN = 60  # characters of a value or key: enough to recognise it
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_QUOTED = re.compile(r"'([^']*)'")
_ACCEPTED = {  # pydantic's error type -> what is accepted instead
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "text of the form {pattern}",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
    "literal_error": "{expected}",
}


def complaint(error: ValidationError, *, source: str, model: type[BaseModel]) -> BadInput:
    """Return the error to raise for `error`, found in `source` when it was read as a `model`."""
    faults = error.errors(include_url=False)
    fault = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    key = dotted(fault["loc"])
    if fault["type"] == "extra_forbidden":
        return BadInput("unknown-key", f"{source}: unknown key {key}", _near_keys(model, fault["loc"]))
    if fault["type"] == "missing":
        return BadInput("missing-key", f"{source}: {key} is missing", _required_keys(model, fault["loc"]))
    cause = fault.get("ctx", {}).get("error")
    if isinstance(cause, KvgaugeError):
        where = f"{source}: {key}" if key else source
        return BadInput(cause.code, f"{where}: {cause.message}", cause.hint)
    what = f"{key} = {shown(fault['input'])}" if key else shown(fault["input"])
    return BadInput("bad-value", f"{source}: {what} is not accepted", _accepted(fault))


def dotted(location: Sequence[int | str]) -> str:
    """Return a place in a document as its reader would write it: `kv[0].tokens`."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _BARE_KEY.fullmatch(part) else json.dumps(part))
    return _cut(text)


def shown(value: object) -> str:
    """Return `value` short enough for a message; never recurses, since a hostile document may nest deeply."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return _cut(repr(value))


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return `did you mean X? `, or nothing if no known word is near."""
    near = difflib.get_close_matches(word[:_SHOWN], known, n=1)
    return f"did you mean {near[0]}? " if near else ""


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _accepted(fault: ErrorDetails) -> str:
    accepted = _ACCEPTED.get(fault["type"], "another kind of value").format_map(fault.get("ctx", {}))
    known = _QUOTED.findall(accepted) if fault["type"] == "literal_error" else []
    value = fault["input"]
    return (did_you_mean(value, known) if isinstance(value, str) else "") + f"accepted: {accepted}"


def _near_keys(model: type[BaseModel], location: Sequence[int | str]) -> str:
    keys = list(_fields(_model_at(model, location[:-1])))
    return f"{did_you_mean(str(location[-1]), keys)}accepted: {', '.join(keys)}"


def _required_keys(model: type[BaseModel], location: Sequence[int | str]) -> str:
    fields = _fields(_model_at(model, location[:-1]))
    return f"needed: {', '.join(key for key, field in fields.items() if field.is_required())}"


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_at(model: type[BaseModel], location: Sequence[int | str]) -> type[BaseModel]:
    """Return the model that describes the table at `location` of a document described by `model`."""
    for key in location:
        field = _fields(model).get(key) if isinstance(key, str) else None
        if field is not None:  # an index stays inside the field's list, a key of the user's inside its table
            model = _inner_model(field.annotation) or model
    return model


def _inner_model(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _inner_model(inner))), None)


def checked(line: Mapping[str, object], source: str, model: type[Record], *, schema: int) -> Record:
    """Return a line of a JSONL file as `model`; `BadInput` for one of a newer schema, and for what is wrong with it."""
    told = line.get("schema", schema)
    if isinstance(told, int) and told > schema:
        message = f"{source}: schema {shown(told)} is newer than this kvgauge, which reads {schema}"
        raise BadInput("newer-schema", message, "read it with the kvgauge that wrote it, or a newer one")
    try:
        return model.model_validate(line, strict=True)
    except ValidationError as error:
        raise complaint(error, source=source, model=model) from None
