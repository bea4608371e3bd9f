"""The control messages between prefill and decode: closed models with limits, as JSON, never pickle.

They say what TensorRT-LLM's Python runtime says in ZMQ and msgpack
(`tensorrt_llm/_torch/disaggregation`: rank info, REQUEST_DATA,
KV_AGENT_RESULT, CANCEL_SESSION). Everything in them is a stranger's word:
nothing passes that is not named here, every number and list has a limit, and
what is refused is named by peer and field.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from suite.errors import TransferFailed

MAX_MESSAGE = 4 << 20  # bytes; the largest is an announcement
MAX_BLOCKS = 1 << 16  # of one request: two million tokens in blocks of 32
MAX_PAIRS = 1 << 12  # 64 ranks a side, each with each
MAX_PIECES = 1 << 8  # layers
MAX_REASON = 500  # characters
_SHOWN = 60
_LARGEST = (1 << 63) - 1


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("not printable")
    return text


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")]
Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Reason = Annotated[str, StringConstraints(max_length=MAX_REASON), AfterValidator(_printable)]
Rank = Annotated[int, Field(ge=0, lt=1 << 16)]
Block = Annotated[int, Field(ge=0, lt=1 << 31)]
Count = Annotated[int, Field(ge=0, le=_LARGEST)]


class Closed(BaseModel):
    """Nothing may be in it that is not named, and nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PairOf(Closed):
    """A prefill rank and a decode rank."""

    prefill: Rank
    decode: Rank


class PieceOf(Closed):
    """What one post moves."""

    nbytes: Count
    rows: Count


class ShareOf(Closed):
    """What one pair moves, in pieces."""

    pair: PairOf
    pieces: list[PieceOf] = Field(min_length=1, max_length=MAX_PIECES)


class Hello(Closed):
    """The first message of a session: how many ranks there are, and how many blocks the pool has."""

    kind: Literal["hello"] = "hello"
    ranks: int = Field(ge=1, le=1 << 16)
    pool_blocks: int = Field(ge=1, lt=1 << 31)


class Announcement(Closed):
    """Here are the blocks to write to (push) or to read (pull), and what the plans make of them."""

    kind: Literal["announcement"] = "announcement"
    request: Name
    blocks: list[Block] = Field(min_length=1, max_length=MAX_BLOCKS)
    shares: list[ShareOf] = Field(min_length=1, max_length=MAX_PAIRS)


class PostedSays(Closed):
    """A rank has posted."""

    kind: Literal["posted"] = "posted"
    request: Name
    pair: PairOf


class DoneSays(Closed):
    """A rank has moved a piece."""

    kind: Literal["done"] = "done"
    request: Name
    pair: PairOf
    index: int = Field(ge=0, lt=MAX_PIECES)
    moved: PieceOf


class FailedSays(Closed):
    """A rank has failed."""

    kind: Literal["failed"] = "failed"
    request: Name
    pair: PairOf
    reason: Reason
    stopped: bool


class CancelSays(Closed):
    """The request is over at the sender, which needs proof that `unproven` have stopped."""

    kind: Literal["cancel"] = "cancel"
    request: Name
    outcome: Literal["failed", "cancelled"]
    reason: Reason
    unproven: list[PairOf] = Field(max_length=MAX_PAIRS)


class StoppedSays(Closed):
    """These pairs cannot write any more."""

    kind: Literal["stopped"] = "stopped"
    request: Name
    pairs: list[PairOf] = Field(min_length=1, max_length=MAX_PAIRS)


Body = Hello | Announcement | PostedSays | DoneSays | FailedSays | CancelSays | StoppedSays


class Message(Closed):
    """A body, and who says it to whom, as which message of the session."""

    sender: Name
    incarnation: Hex
    to: Hex | None  # the receiver's incarnation; a hello may not know it yet
    token: Hex  # of the run
    sequence: Count
    body: Annotated[Body, Field(discriminator="kind")]


def encode(message: Message) -> bytes:
    """Return the message as JSON; raises `TransferFailed` where it is larger than a receiver would take."""
    data = message.model_dump_json().encode()
    if len(data) > MAX_MESSAGE:
        raise TransferFailed("message-too-large", f"a message of {len(data)} bytes; at most {MAX_MESSAGE} are taken")
    return data


def decode(data: bytes, peer: str) -> Message:
    """Return the message that `peer` sent; raises `TransferFailed` and names the field for anything else."""
    if len(data) > MAX_MESSAGE:
        raise refused(peer, "size", f"{len(data)} bytes; at most {MAX_MESSAGE} are taken")
    try:
        return Message.model_validate_json(data)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, fault["loc"])) or "message"
        raise refused(peer, where, fault["msg"]) from None  # its text would repeat what the peer sent


def refused(peer: str, field: str, why: str) -> TransferFailed:
    """Return the error for a message that is not accepted; `field` may be a stranger's word."""
    return TransferFailed("refused-message", f"message of {peer!r}: {shown(field)}: {shown(why, MAX_REASON)}")


def shown(text: str, limit: int = _SHOWN) -> str:
    """Return `text` as printable ASCII of at most `limit` characters: safe in a message, a log, a terminal."""
    plain = ascii(text[:limit])[1:-1]
    return plain[:limit]
