"""The first words on a connection, on both sides: each proves that it knows the run's token, for this connection only."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from suite.cluster.meeting.frames import Ended
from suite.cluster.meeting.messages import (
    ANSWER,
    GREETING,
    HELLO,
    MAX_GREETING,
    PROTOCOL,
    Challenge,
    Hello,
    Refusal,
    Welcome,
    decode,
)
from suite.cluster.meeting.proof import nonce
from suite.errors import BadInput, PeerLost, TransferFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from suite.cluster.meeting.frames import Frames
    from suite.cluster.meeting.proof import Token
    from suite.cluster.meeting.roll import Patience, Roll

_RANK, _HUB = "rank", "rank 0"
_FAULTS = {  # what is refused, but is no fault of the run: the others go on
    "other-token": False,
    "joined-twice": False,
    "too-late": False,
    "other-version": True,
    "other-spec": True,
    "other-size": True,
}


class Met(NamedTuple):
    """Who has come: `admitted` as `rank`; or a `stranger`, in a line to log; `wrong`: a rank that costs the run."""

    rank: int | None = None
    admitted: bool = False
    stranger: str = ""
    wrong: str = ""


class Guard:
    """Rank 0's side."""

    def __init__(self, token: Token, roll: Roll, patience: Patience) -> None:
        self._token, self._roll, self._patience = token, roll, patience

    async def greet(self, frames: Frames, clock: Callable[[], float]) -> Met:
        """Hear a hello and answer it; never raises for what a stranger does."""
        ours = nonce()
        frames.write(Challenge(nonce=ours))
        try:
            async with asyncio.timeout(self._patience.greet_s):
                hello: Hello = decode(await frames.read(MAX_GREETING), HELLO)
        except TimeoutError:
            return Met(stranger=f"{frames.peer}: no hello within {self._patience.greet_s:g} s")
        except (Ended, TransferFailed) as error:
            return Met(stranger=f"{frames.peer}: {error}")
        if not self._token.holds(hello.proof, _RANK, ours, *_words(hello)):
            refusal = Refusal(code="other-token", reason="another run meets here: the tokens differ")
            frames.write(refusal)
            return Met(stranger=f"{frames.peer}: another token")
        found = self._roll.admit(hello, clock())
        if found:
            frames.write(found)
            wrong = found.reason if _FAULTS[found.code] else ""
            return Met(rank=hello.rank, stranger=f"{frames.peer}: {found.reason}", wrong=wrong)
        frames.write(Welcome(proof=self._token.prove(_HUB, hello.nonce, ours, str(hello.rank))))
        return Met(rank=hello.rank, admitted=True)


class Me(NamedTuple):
    """What a rank says of itself."""

    rank: int
    size: int
    version: str
    spec: str
    host: str
    pid: int


async def introduce(frames: Frames, me: Me, token: Token) -> None:
    """Join as a rank. `Ended` where the connection ends; `BadInput` for a refusal, `PeerLost` for one that is too late.

    `BadInput` also where something else than our rank 0 answers.
    """
    try:
        challenge = decode(await frames.read(MAX_GREETING), GREETING)
    except TransferFailed:
        raise _foreign(frames, "it is no kvgauge") from None
    if challenge.protocol != PROTOCOL:
        raise _foreign(frames, f"it speaks protocol {challenge.protocol}, this is {PROTOCOL}")
    ours = nonce()
    hello = Hello(**me._asdict(), nonce=ours, proof="0" * 64)
    proof = token.prove(_RANK, challenge.nonce, *_words(hello))
    frames.write(hello.model_copy(update={"proof": proof}))
    try:
        answer = decode(await frames.read(MAX_GREETING), ANSWER)
    except TransferFailed:
        raise _foreign(frames, "it answers with something else") from None
    if isinstance(answer, Refusal):
        raise _refused(frames, answer)
    if not token.holds(answer.proof, _HUB, ours, challenge.nonce, str(me.rank)):
        raise _foreign(frames, "it does not know this run's token")


def _words(hello: Hello) -> list[str]:
    return [str(value) for name, value in sorted(hello.model_dump().items()) if name != "proof"]


def _foreign(frames: Frames, why: str) -> BadInput:
    hint = (
        "another program, or another run, has that port: --rendezvous HOST:PORT with a free one, the same for all ranks"
    )
    return BadInput("not-our-meeting", f"what answers at {frames.peer} is not rank 0 of this run: {why}", hint)


def _refused(frames: Frames, refusal: Refusal) -> BadInput | PeerLost:
    if refusal.code == "too-late":
        return PeerLost(refusal.code, f"{frames.peer}: {refusal.reason}", "start all ranks at the same time")
    hints = {
        "other-token": "KVGAUGE_TOKEN must be the same for all ranks of a run, and --rendezvous a port of its own",
        "other-version": "install the same kvgauge on all nodes",
        "other-spec": "give all ranks the same spec",
        "other-size": "start all ranks with one launcher",
        "joined-twice": "two processes have the same rank: start all ranks with one launcher",
    }
    return BadInput(refusal.code, f"refused by rank 0 at {frames.peer}: {refusal.reason}", hints[refusal.code])
