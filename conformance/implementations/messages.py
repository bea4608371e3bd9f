"""The protocol of `exec:`: JSON lines, one question, one answer. `harness.schema.json` is made from these classes."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.json_schema import models_json_schema
from pydantic_core import from_json

from conformance.implementations.answers import MAX_CHARACTERS, MAX_NAMES, plain, shown
from conformance.requirement import Question
from conformance.verdict import Aborted, ImplementationBroke, Refused
from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1

Text = Annotated[str, StringConstraints(max_length=MAX_CHARACTERS)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Base64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]*={0,2}$")]
Environment = Annotated[
    list[Annotated[list[Base64], Field(min_length=2, max_length=2)]],
    Field(description="[name, value] of each variable, in order; absent if the process has the environment itself"),
]


class Message(BaseModel):
    """One line. Nothing may be in it that is not named here."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Start(Message):
    """The first question to every process but one that is started for a single question."""

    kvgauge: Literal[1]
    do: Literal["start"]


class AskBackends(Message):
    """Ask which NIXL backends this environment selects."""

    do: Literal["backends"]
    environment: Environment | None = None


class AskMethod(Message):
    """Ask how the KV cache moves with this engine configuration and this environment."""

    do: Literal["method"]
    config: dict[str, Any]
    environment: Environment | None = None


class Stop(Message):
    """Ask it to leave; there is no answer."""

    do: Literal["stop"]


class Started(Message):
    """Answer `start`: who answers, what, and how it is given the environment."""

    kvgauge: Literal[1]
    name: Label
    version: Label
    answers: list[Question] = Field(min_length=1, max_length=2)
    environment: Literal["question", "process"]
    profile: str = Field(default="source-page", pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")


class Backends(Message):
    """Answer `backends`."""

    backends: list[Text] = Field(max_length=MAX_NAMES)


class Method(Message):
    """Answers `method`."""

    method: Text


class Refusal(Message):
    """Answer `backends` or `method`: this input is not accepted."""

    refused: Text


class Abort(Message):
    """Answer `backends` or `method`: the parser ended its own process, a child of the harness, instead of answering."""

    aborted: Text


Reply = TypeVar("Reply", bound=Message)


def question(do: str, **fields: object) -> bytes:
    """Return a question as a line without its end; an engine configuration that JSON cannot hold is a `BadInput`."""
    try:
        return json.dumps({"do": do, **fields}, allow_nan=False).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput("bad-config", f"JSON cannot hold this engine configuration: {error}") from None


def pairs(environment: Mapping[bytes, bytes]) -> list[list[str]]:
    """Return an environment as the protocol holds it."""
    return [[base64.b64encode(part).decode("ascii") for part in pair] for pair in environment.items()]


def read(line: bytes, expected: type[Reply]) -> Reply:
    """Return the answer in a line; raise `Refused` for a refusal, `Aborted` where it says so, `ImplementationBroke` for anything else."""
    try:
        found = from_json(line, allow_inf_nan=False)
    except ValueError as error:
        raise ImplementationBroke(f"answered {shown(line[:200])}, which is no JSON ({plain(str(error))})") from None
    if not isinstance(found, dict):
        raise ImplementationBroke(f"answered {shown(found)}, not a JSON object")
    version = found.get("kvgauge")
    if expected is Started and (type(version) is not int or version != VERSION):
        raise ImplementationBroke(f"speaks version {shown(version)} of the protocol; this kvgauge speaks {VERSION}")
    if "refused" in found and expected is not Started:
        raise Refused(plain(_valid(found, Refusal).refused))
    if "aborted" in found and expected is not Started:
        raise Aborted(plain(_valid(found, Abort).aborted))
    return _valid(found, expected)


def schema() -> str:
    """Return `harness.schema.json`."""
    models = (Start, AskBackends, AskMethod, Stop, Started, Backends, Method, Refusal, Abort)
    _, parts = models_json_schema([(model, "validation") for model in models], title=f"kvgauge exec: version {VERSION}")
    parts["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    parts["oneOf"] = [{"$ref": f"#/$defs/{model.__name__}"} for model in models]
    return json.dumps(parts, indent=2, sort_keys=True) + "\n"


def _valid(found: dict[str, Any], model: type[Reply]) -> Reply:
    try:
        return model.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = plain(".".join(map(str, first["loc"])))
        raise ImplementationBroke(f"answered {shown(found)}: {where}: {plain(first['msg'])}") from None
