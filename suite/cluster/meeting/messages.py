"""What ranks and rank 0 say to each other: closed models with limits, as JSON, never pickle.

Everything is a stranger's word until its proof has been checked, and a mistake's
afterwards: nothing passes that is not named here.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from suite.cluster.values import MAX_RANKS, shown
from suite.errors import TransferFailed

PROTOCOL = 1
MAX_MESSAGE = 1 << 20  # bytes
MAX_GREETING = 4 << 10  # bytes, of whoever has proven nothing yet
MAX_TEXT = 150_000  # characters of a piece: six bytes each at most, where JSON escapes them
LONGEST_S = 86_400.0
_REASON = 500


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("not printable")
    return text


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/ -]{0,127}$")]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.+!_-]{1,64}$")]
Hex32 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Hex64 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Reason = Annotated[str, StringConstraints(max_length=_REASON), AfterValidator(_printable)]
Rank = Annotated[int, Field(ge=0, lt=MAX_RANKS)]
Count = Annotated[int, Field(ge=0, lt=1 << 53)]
Seconds = Annotated[float, Field(gt=0, le=LONGEST_S, allow_inf_nan=False)]


class Closed(BaseModel):
    """Nothing may be in it that is not named, and nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Challenge(Closed):
    """Rank 0's first word: prove with this that you know the token."""

    kind: Literal["challenge"] = "challenge"
    protocol: Count = PROTOCOL
    nonce: Hex32


class Hello(Closed):
    """A rank's first word; `proof` covers all of it."""

    kind: Literal["hello"] = "hello"
    version: Version
    spec: Hex64
    rank: Rank
    size: Annotated[int, Field(ge=1, le=MAX_RANKS)]
    host: Name
    pid: Count
    nonce: Hex32
    proof: Hex64


class Welcome(Closed):
    """Rank 0 knows the token as well."""

    kind: Literal["welcome"] = "welcome"
    proof: Hex64


class Refusal(Closed):
    """A rank may not join."""

    kind: Literal["refusal"] = "refusal"
    code: Literal["other-token", "other-version", "other-spec", "other-size", "joined-twice", "too-late"]
    reason: Reason


class Beat(Closed):
    """Still there."""

    kind: Literal["beat"] = "beat"


class Phase(Closed):
    """The rank begins a phase and will be in another within `deadline_s`; `quiet`: without a beat."""

    kind: Literal["phase"] = "phase"
    name: Name
    deadline_s: Seconds | None
    quiet: bool


class Put(Closed):
    """A rank's part of what is gathered under `key`."""

    kind: Literal["put"] = "put"
    key: Name
    value: JsonValue


class Got(Closed):
    """Rank 0's answer to a rank, under `key`."""

    kind: Literal["got"] = "got"
    key: Name
    value: JsonValue


class Piece(Closed):
    """A line of a rank's records, or a part of one; the last part `ends` it."""

    kind: Literal["piece"] = "piece"
    index: Count
    text: Annotated[str, StringConstraints(max_length=MAX_TEXT)]
    ends: bool


class Kept(Closed):
    """The piece has been kept: send the next."""

    kind: Literal["kept"] = "kept"
    index: Count


class Abort(Closed):
    """A rank cannot go on."""

    kind: Literal["abort"] = "abort"
    reason: Reason


class Failed(Closed):
    """The run is over."""

    kind: Literal["failed"] = "failed"
    rank: Rank | None
    phase: Name
    reason: Reason


class Bye(Closed):
    """The rank has done all, and leaves."""

    kind: Literal["bye"] = "bye"


FromRank = Annotated[Beat | Phase | Put | Piece | Abort | Bye, Field(discriminator="kind")]
FromHub = Annotated[Beat | Got | Kept | Failed, Field(discriminator="kind")]
Answer = Annotated[Welcome | Refusal, Field(discriminator="kind")]

GREETING: TypeAdapter[Challenge] = TypeAdapter(Challenge)
HELLO: TypeAdapter[Hello] = TypeAdapter(Hello)
ANSWER: TypeAdapter[Welcome | Refusal] = TypeAdapter(Answer)
FROM_RANK: TypeAdapter[Beat | Phase | Put | Piece | Abort | Bye] = TypeAdapter(FromRank)
FROM_HUB: TypeAdapter[Beat | Got | Kept | Failed] = TypeAdapter(FromHub)

Said = TypeVar("Said")


def encode(message: Closed) -> bytes:
    """Return a message as JSON; `TransferFailed` where a receiver would refuse it."""
    try:
        data = json.dumps(message.model_dump(), separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode()
    except ValueError as error:
        raise TransferFailed("bad-message", f"a message that is no JSON: {error}") from None
    if len(data) > MAX_MESSAGE:
        raise TransferFailed("message-too-large", f"a message of {len(data)} bytes; at most {MAX_MESSAGE} are taken")
    return data


def decode(data: bytes, model: TypeAdapter[Said]) -> Said:
    """Return the message; `TransferFailed` names the field of anything else, and repeats nothing of it."""
    try:
        return model.validate_json(data)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = shown(".".join(map(str, fault["loc"])) or "message")
        raise TransferFailed("refused-message", f"{where}: {shown(fault['msg'])}") from None


def reason(text: str) -> str:
    """Return any text as one that a `Reason` takes: printable ASCII, and not too long."""
    return ascii(text[:_REASON])[1:-1][:_REASON]
