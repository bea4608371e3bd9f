"""Who may say what: a session's outgoing and incoming messages, with token, incarnations and sequence.

A session begins with a hello of each side: decode greets first (with a new
outbox), prefill answers (with a new outbox), and neither says more before it
has heard the other. A server that starts again does so as a new incarnation
with a new inbox, and so does one that connects again to a peer that has not
restarted. From its hello on, the old one is not heard any more and its hello
is not taken again. Every message is the next one of its session: a replay, a
gap or a wrong order is refused, and after a refusal the session is over. So
nothing that was sent before a cancel can arrive after it.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, replace

from suite.transfer.requests.messages import Body, Hello, Message, decode, encode, refused


def new_incarnation(clock_ns: int) -> str:
    """Return what a server calls itself from one start or connection to the next.

    `clock_ns` is the time of day, so that a later one is greater: a hello that
    was long on its way cannot bring back a server that is gone.
    """
    return f"{clock_ns % (1 << 64):016x}{secrets.token_hex(8)}"


@dataclass(frozen=True)
class Outbox:
    """What this server has sent in one session."""

    sender: str
    incarnation: str
    token: str
    sequence: int = 0

    def seal(self, body: Body, to: str | None) -> tuple[Outbox, bytes]:
        """Return the message with `body` for the peer's incarnation `to`, and the outbox after it."""
        message = Message(
            sender=self.sender,
            incarnation=self.incarnation,
            to=to,
            token=self.token,
            sequence=self.sequence,
            body=body,
        )
        return replace(self, sequence=self.sequence + 1), encode(message)


@dataclass(frozen=True)
class Inbox:
    """What this server has heard of one peer."""

    peer: str
    incarnation: str  # ours
    token: str
    heard: str | None = None  # the peer's incarnation
    sequence: int = 0  # of the next message

    def open(self, data: bytes) -> tuple[Inbox, Message]:
        """Return a message of the peer, and the inbox after it; raises `TransferFailed` for what is not accepted."""
        message = decode(data, self.peer)
        if not hmac.compare_digest(message.token, self.token):
            raise refused(self.peer, "token", "not of this run")
        if message.sender != self.peer:
            raise refused(self.peer, "sender", f"signed by {message.sender}")
        if message.to not in {None, self.incarnation} or (message.to is None and not _greets(message)):
            raise refused(self.peer, "to", f"meant for incarnation {message.to}; this is {self.incarnation}")
        return self._greeted(message) if _greets(message) else self._next(message)

    def _greeted(self, message: Message) -> tuple[Inbox, Message]:
        if self.heard is not None and message.incarnation <= self.heard:
            raise refused(self.peer, "incarnation", f"{message.incarnation} greets, but {self.heard} has already")
        if message.sequence != 0:
            raise refused(self.peer, "sequence", f"a hello as number {message.sequence}")
        return replace(self, heard=message.incarnation, sequence=1), message

    def _next(self, message: Message) -> tuple[Inbox, Message]:
        if message.incarnation != self.heard:
            session = f"the session is with {self.heard}" if self.heard else "nobody has greeted yet"
            raise refused(self.peer, "incarnation", f"{message.incarnation}; {session}")
        if message.sequence != self.sequence:
            raise refused(self.peer, "sequence", f"{message.sequence}; {self.sequence} is next")
        return replace(self, sequence=self.sequence + 1), message


def _greets(message: Message) -> bool:
    return isinstance(message.body, Hello)
