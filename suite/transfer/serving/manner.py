"""How two servers serve requests."""

from __future__ import annotations

from dataclasses import dataclass

from suite.transfer.requests.request import Patience

_MINUTE_NS = 60 * 10**9
_PATIENT = Patience(waiting_ns=_MINUTE_NS, allocated_ns=_MINUTE_NS, transferring_ns=_MINUTE_NS)


@dataclass(frozen=True)
class Manner:
    """How requests are served."""

    in_flight: int = 1
    layers_each: int = 0  # of a piece; 0: whole
    pace_ns: int = 0  # that prefill "computes" a piece
    patience: Patience = _PATIENT
    doubt_ns: int = 5 * 10**9  # in doubt for longer: the server that posts is killed
    restarts: int = 3  # of both servers together
    server: str | None = None  # of each rank; None: what the op needs
