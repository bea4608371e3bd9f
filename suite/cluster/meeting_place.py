"""Where the ranks meet: rank 0's address, told by a launcher or made from what all ranks know."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from suite.cluster import values
from suite.cluster.hostlist import first_host
from suite.cluster.launchers import LEADER_WORKER_SET, OPEN_MPI, PMI, SLURM, TORCH
from suite.cluster.world import Address
from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from suite.cluster.launchers import Launcher

LOOPBACK = "127.0.0.1"
_PORTS = range(20_000, 30_000)  # below those that Linux gives to whoever asks for any (32768 on)
_NODES = ("SLURM_STEP_NUM_NODES", "SLURM_JOB_NUM_NODES", "SLURM_NNODES")
_NODE_LISTS = ("SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST")
GIVE_RENDEZVOUS = "--rendezvous HOST:PORT, the same for all ranks: where rank 0 shall listen"


def meeting_place(launcher: Launcher, environment: Mapping[str, str], run: str, *, one_host: bool) -> Address:
    """Return where the ranks that `launcher` has started meet; `BadInput` names what is missing for that.

    `one_host`: all ranks are known to be on one.
    """
    if launcher is TORCH:
        return _torch(environment, run)
    if launcher is SLURM:
        return _slurm(environment, run)
    if launcher is LEADER_WORKER_SET:
        by = "LWS_LEADER_ADDRESS"
        return Address(values.host(_needed(environment, (by,)), by), derived_port(run))
    if launcher in {OPEN_MPI, PMI} and one_host and run:
        return Address(LOOPBACK, derived_port(run))
    raise BadInput("no-meeting", f"{launcher.name} does not say where rank 0 is", GIVE_RENDEZVOUS)


def told_address(environment: Mapping[str, str]) -> Address | None:
    """Return MASTER_ADDR:MASTER_PORT where it is for the ranks to use, and not torchrun's own."""
    if "MASTER_ADDR" not in environment or "MASTER_PORT" not in environment or _torch_has_it(environment):
        return None
    return _torch(environment, "")


def derived_port(run: str) -> int:
    """Return a port that all ranks of a run come to by themselves."""
    digest = hashlib.sha256(f"port of {run}".encode()).digest()
    return _PORTS[int.from_bytes(digest[:8], "big") % len(_PORTS)]


def _torch_has_it(environment: Mapping[str, str]) -> bool:
    """Tell whether torchrun's agent listens at MASTER_PORT itself: rank 0 cannot."""
    return any(mark in environment for mark in TORCH.marks)


def _torch(environment: Mapping[str, str], run: str) -> Address:
    host = values.host(_needed(environment, ("MASTER_ADDR",)), "MASTER_ADDR")
    port = values.port(_needed(environment, ("MASTER_PORT",)), "MASTER_PORT")
    return Address(host, derived_port(run) if _torch_has_it(environment) else port)


def _slurm(environment: Mapping[str, str], run: str) -> Address:
    _needed(environment, ("SLURM_JOB_ID",))
    nodes = next((name for name in _NODES if name in environment), None)
    if nodes and values.whole(environment[nodes], nodes).value == 1:
        return Address(LOOPBACK, derived_port(run))
    text = _needed(environment, _NODE_LISTS)
    by = next(name for name in _NODE_LISTS if name in environment)
    return Address(first_host(text, by), derived_port(run))


def _needed(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    for name in names:
        if name in environment:
            return environment[name]
    raise BadInput(
        "no-meeting", f"{' or '.join(names)} is not set: the ranks cannot meet", f"set it, or {GIVE_RENDEZVOUS}"
    )
