"""What was asked for, what a library says, and what the kernel counted: where they exclude each other, the number is INVALID."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf.validity import issue
from suite.run.network import LOOPBACK
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perf.record import Evidence, Issue, Point

_ENOUGH = 1 << 20  # bytes of a window below which the loopback's own chatter could be taken for it
# UCX's aliases (src/ucp/core/ucp_context.c, ucp_tl_aliases); what is not listed stands for itself
_ALIASES = {
    "sm": {"posix", "sysv", "xpmem", "cma", "knem"},
    "shm": {"posix", "sysv", "xpmem", "cma", "knem"},
    "mm": {"posix", "sysv", "xpmem"},
    "cuda": {"cuda_copy", "cuda_ipc", "gdr_copy"},
    "ib": {"rc_verbs", "ud_verbs", "rc_mlx5", "ud_mlx5", "dc_mlx5", "rc", "ud", "dc"},
    "rc": {"rc_verbs", "rc_mlx5", "rc"},
    "ud": {"ud_verbs", "ud_mlx5", "ud"},
}
_UCX = ("nixl:UCX", "ucx")


def contradictions(
    point: Point,
    evidence: Evidence,
    *,
    tls: str | None,
    window_bytes: int,
    network: Sequence[Mapping[str, int]],
    tcp_bytes: Sequence[int],
) -> list[Issue]:
    """Return what excludes what the evidence says.

    `tls` is `UCX_TLS` of the workers, `window_bytes` what each window moved, `network`
    what each timed window added to the bytes sent by every interface, `tcp_bytes` to those
    of the initiator's own connections: an interface also carries what others send.
    """
    wires = set(evidence.wire.split(" + "))
    if evidence.wire == "unknown":
        return []
    found = [_not_allowed(point, wires, tls), _not_named(point, wires)]
    if window_bytes >= _ENOUGH:
        found += [_too_little(wires, window_bytes, network, tcp_bytes), _hidden(wires, window_bytes, tcp_bytes)]
    return [issue("contradiction", text) for text in found if text]


def _not_allowed(point: Point, wires: set[str], tls: str | None) -> str:
    """Say if UCX used a transport that its variable excludes."""
    if point.transport not in _UCX or not tls or tls.strip() in {"all", ""}:
        return ""
    excluding = tls.startswith("^")
    named = {name.strip().removesuffix(":aux") for name in tls.removeprefix("^").split(",")}
    named |= {member for name in named for member in _ALIASES.get(name, ())}
    outside = sorted(wires & named if excluding else wires - named - {"self"})
    if not outside or "all" in named:
        return ""
    return f"UCX_TLS={tls} excludes {', '.join(outside)}, but {evidence_words(wires)}"


def _not_named(point: Point, wires: set[str]) -> str:
    """Say if an engine that is named after its wire used another."""
    engine, _, wire = point.transport.partition(":")
    if engine == "nixl" or not wire or wires == {wire}:
        return ""
    return f"{point.transport} was asked for, but {evidence_words(wires)}"


def _too_little(
    wires: set[str], window_bytes: int, network: Sequence[Mapping[str, int]], tcp_bytes: Sequence[int]
) -> str:
    """Say if the kernel counted less than tcp is said to have carried: on all interfaces, or on our own connections.

    Interfaces alone would not do: what others send meanwhile hides that nothing of ours was sent.
    """
    if wires != {"tcp"}:
        return ""
    interfaces = [sum(window.values()) for window in network] if all(LOOPBACK in one for one in network) else []
    for counted, where in ((interfaces, "all interfaces"), (tcp_bytes, "this process's TCP connections")):
        least = min(counted, default=window_bytes)
        if least < window_bytes:
            told = f"the kernel counted {format_bytes(least)} on {where} in a window of {format_bytes(window_bytes)}"
            return f"the evidence says tcp, but {told}"
    return ""


def _hidden(wires: set[str], window_bytes: int, tcp_bytes: Sequence[int]) -> str:
    """Say if in every window the process's own connections carried enough for what is said to be another wire."""
    least = min(tcp_bytes, default=0)
    if "tcp" in wires or least < window_bytes:
        return ""
    told = f"in every window this process's TCP connections carried {format_bytes(least)} or more, as much as was moved"
    return f"the evidence says {' + '.join(sorted(wires))}, but {told}"


def evidence_words(wires: set[str]) -> str:
    """Return what the evidence says, as the end of a sentence."""
    return f"the evidence says {' + '.join(sorted(wires))}"
