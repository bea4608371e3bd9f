"""Asking an implementation, and saying in words what it answered.

A crash or a hang is not caught here: it is no answer. `backends_alive` is for
the sentences that are about just that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.properties.strategies import GDS, OFF, ON, PREFIX, UCX
from conformance.verdict import Aborted, Refused, Violation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.implementation import Implementation

Answer = frozenset[str] | None  # None: refused


def backends(implementation: Implementation, environment: Mapping[bytes, bytes]) -> Answer:
    """Return the selected backends in upper case, None for a refusal; spelling and repetition are requirements of their own."""
    try:
        return frozenset(name.upper() for name in implementation.backends(environment))
    except Refused:
        return None


def backends_alive(implementation: Implementation, environment: Mapping[bytes, bytes]) -> Answer:
    """Return what `backends` does, for a sentence that says that the process goes on: that it was ended is a `Violation`."""
    try:
        return backends(implementation, environment)
    except Aborted as ended:
        raise Violation(f"the process ended instead of an answer: {ended}", environment) from ended


def transports(
    implementation: Implementation, config: Mapping[str, object], environment: Mapping[bytes, bytes]
) -> Answer:
    """Return the transports that the answer joins by commas, None for a refusal."""
    try:
        return frozenset(implementation.method(config, environment).split(","))
    except Refused:
        return None


def method(implementation: Implementation, config: Mapping[str, object], environment: Mapping[bytes, bytes]) -> str:
    """Return `nixl`, `ucx`, `mooncake`, `mpi` or `disabled`, whatever transports it has; or `refused`."""
    answer = transports(implementation, config, environment)
    return "refused" if answer is None else " and ".join(sorted({name.partition(":")[0] for name in answer}))


def said(answer: Answer) -> str:
    """Return an answer in words."""
    if answer is None:
        return "refused"
    return ", ".join(sorted(answer)) or "nothing"


def same(
    one: Answer,
    other: Answer,
    because: str,
    environment: Mapping[bytes, bytes],
    config: Mapping[str, object] | None = None,
) -> None:
    """Raise `Violation` if two answers that must be equal are not."""
    if one != other:
        raise Violation(f"{said(one)}, but {because}: {said(other)}", environment, config)


def documented(environment: Mapping[bytes, bytes]) -> dict[str, bool] | None:
    """Return what the source page says each backend is switched to; None if something is set that it does not describe.

    Every test asks this first: the environment may be the one of a process, in
    which an example is run again, and not the one that its table holds.
    """
    found = {}
    for name, value in ours(environment).items():
        if name not in {UCX, GDS} or value not in {*ON, *OFF}:
            return None
        found[name.removeprefix(PREFIX).decode()] = value in ON
    return found


def ours(environment: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the variables of the prefix, in any letter case."""
    return {name: value for name, value in environment.items() if name.upper().startswith(PREFIX)}


def strangers(environment: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the variables that nobody in this field reads."""
    return {n: v for n, v in environment.items() if not n.upper().startswith((b"DYN_", b"TRTLLM_", b"KVBM_"))}


def utf8(text: bytes) -> bool:
    """Return whether `text` is UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
