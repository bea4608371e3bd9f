"""How what waits is driven: to its end or to a deadline in a worker, by turns where all sides share a process."""

from __future__ import annotations

import os
import time
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from suite.errors import KvgaugeError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from conformance.transfer.side import Side

    Acting = Generator[bool, None, dict[str, Any]]

MAX_TURNS = 2_000  # of sides in one process: an in-memory transport needs a few for each transfer
PATIENCE_S = 60.0  # of sides in one process
_REST_S = 0.0005
_MAX_WORDS = 2_000


class Late(Exception):
    """Thrown into what waits when there is no more time."""


def acting(side: Side, verb: str, arguments: Mapping[str, Any]) -> Acting:
    """Put one question to a side; return {"ok": answer}, or {"refused": code, "message": ..., "kind": ...}.

    Whatever a transport raises is data here, also what is not one of our errors.
    """
    try:
        answer = getattr(side, verb)(**arguments)
        if isinstance(answer, GeneratorType):
            answer = yield from answer
    except KvgaugeError as error:
        return {"refused": error.code, "message": str(error)[:_MAX_WORDS], "kind": type(error).__name__}
    except Late:
        return {"refused": "late", "message": f"{verb} had no end", "kind": "Late"}
    except Exception as error:  # noqa: BLE001  a transport's own exception is an answer, too
        words = f"{type(error).__name__}: {error}"
        return {"refused": "exception", "message": words[:_MAX_WORDS], "kind": type(error).__name__}
    return {"ok": answer}


def to_the_end(one: Acting, patience_s: float) -> dict[str, Any]:
    """Drive one question alone, as a worker does."""
    deadline = time.monotonic() + patience_s
    try:
        while True:
            if next(one):
                time.sleep(_REST_S)
            os.sched_yield()
            if time.monotonic() > deadline:
                one.throw(Late())
    except StopIteration as end:
        answer: dict[str, Any] = end.value
        return answer


def by_turns(questions: Mapping[str, Acting], patience_s: float = PATIENCE_S) -> dict[str, dict[str, Any]]:
    """Drive several questions in turn until all are answered.

    Time is up after `MAX_TURNS`, whatever the machine's load; `patience_s` bounds what sleeps in its turns.
    """
    answers: dict[str, dict[str, Any]] = {}
    deadline = time.monotonic() + patience_s
    turn = 0
    while len(answers) < len(questions):
        late = turn >= MAX_TURNS or time.monotonic() > deadline
        for role, one in questions.items():
            if role not in answers:
                try:
                    one.throw(Late()) if late else next(one)
                except StopIteration as end:
                    answers[role] = end.value
        turn += 1
    return answers
