"""Which world am I in? From the variables of launchers and from options to a `World`, without doing anything.

Half a world is none: whoever starts ranks must say rank, size and where they
meet, or everything stops here. Several sources may speak, and must then agree;
only a launcher that was started by another one is believed alone, because the
other's numbers are of its own parent. `--alone` hears none of them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suite.cluster import values
from suite.cluster.launchers import LAUNCHERS, TORCH
from suite.cluster.meeting_place import GIVE_RENDEZVOUS, meeting_place, told_address
from suite.cluster.values import Said, whole
from suite.cluster.world import Address, World
from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from suite.cluster.launchers import Launcher

_ALONE = "to measure this machine by itself: --alone"
_IDENTITY = 256  # characters of a variable that go into the run's name


@dataclass(frozen=True)
class Flags:
    """What was said on the command line; None: nothing."""

    rank: int | None = None
    size: int | None = None
    rendezvous: str | None = None
    alone: bool = False


@dataclass(frozen=True)
class _Told:
    """What one source says, and where it stands."""

    launcher: Launcher | None  # None: the command line
    rank: Said
    size: Said
    local_rank: Said | None = None
    local_size: Said | None = None
    node: Said | None = None

    @property
    def name(self) -> str:
        return self.launcher.name if self.launcher else "the command line"


def join(environment: Mapping[str, str], flags: Flags = Flags()) -> World:
    """Return the world that the launchers and `flags` tell of; without any word it is a world of one.

    Raises `BadInput`, which names the variables or options, where two sources
    disagree, where a size, rank or address is missing, and for any value that is
    not in order.
    """
    if flags.alone:
        _refuse_both(flags)
        return World(launcher="--alone")
    told = _heard(environment, flags)
    if not told:
        if flags.rendezvous:
            raise BadInput("half-a-world", "--rendezvous without ranks that could meet", "--rank and --world-size")
        return World()
    rank, size = _one([one.rank for one in told]), _one([one.size for one in told])
    local_rank = _perhaps([one.local_rank for one in told])
    local_size = _perhaps([one.local_size for one in told])
    node = _perhaps([one.node for one in told])
    _check_ranges(rank, size, local_rank, local_size, node)
    launchers = [one.launcher for one in told if one.launcher]
    run = _run(launchers, environment, size.value, flags)
    one_host = local_size is not None and local_size.value == size.value
    return World(
        rank.value,
        size.value,
        local_rank.value if local_rank else None,
        local_size.value if local_size else None,
        node.value if node else None,
        _meeting(launchers, environment, flags, run, one_host=one_host) if size.value > 1 else None,
        " and ".join(one.name for one in told),
        run,
    )


def _refuse_both(flags: Flags) -> None:
    given = [
        name
        for name, value in (("--rank", flags.rank), ("--world-size", flags.size), ("--rendezvous", flags.rendezvous))
        if value is not None
    ]
    if given:
        raise BadInput("worlds-disagree", f"--alone and {' and '.join(given)} disagree", "leave out one of them")


def _heard(environment: Mapping[str, str], flags: Flags) -> list[_Told]:
    """Return the sources that count, the command line first, then the inner before the outer."""
    present = [launcher for launcher in LAUNCHERS if any(name in environment for name in launcher.present)]
    inner = {
        name for launcher in present if any(mark in environment for mark in launcher.marks) for name in launcher.outside
    }
    heard = [_read(launcher, environment) for launcher in present if launcher.name not in inner]
    return [*_read_flags(flags), *heard]


def _read_flags(flags: Flags) -> list[_Told]:
    if flags.rank is None and flags.size is None:
        return []
    if flags.rank is None or flags.size is None:
        lacking, given = ("--rank", "--world-size") if flags.rank is None else ("--world-size", "--rank")
        raise BadInput("half-a-world", f"{given} without {lacking}", f"give both, or neither; {_ALONE}")
    return [_Told(None, whole(str(flags.rank), "--rank"), whole(str(flags.size), "--world-size"))]


def _read(launcher: Launcher, environment: Mapping[str, str]) -> _Told:
    def needed(names: Sequence[str]) -> Said:
        for name in names:
            if name in environment:
                return whole(environment[name], name)
        given = next(name for name in launcher.present if name in environment)
        lacking = " or ".join(names)
        hint = f"start through a launcher that sets both, or unset {given}; {_ALONE}"
        raise BadInput("half-a-world", f"{given} is set, but {lacking} is not", hint)

    def perhaps(name: str) -> Said | None:
        return whole(environment[name], name) if name and name in environment else None

    return _Told(
        launcher,
        needed((launcher.rank,)),
        needed(launcher.size),
        perhaps(launcher.local_rank),
        perhaps(launcher.local_size),
        perhaps(launcher.node),
    )


def _one(said: Sequence[Said]) -> Said:
    """Return what all who speak of it say."""
    for other in said[1:]:
        if other.value != said[0].value:
            hint = f"unset what does not belong to this run; {_ALONE}"
            raise BadInput("worlds-disagree", f"{said[0]} and {other} disagree", hint)
    return said[0]


def _perhaps(said: Sequence[Said | None]) -> Said | None:
    spoken = [one for one in said if one]
    return _one(spoken) if spoken else None


def _check_ranges(rank: Said, size: Said, local_rank: Said | None, local_size: Said | None, node: Said | None) -> None:
    if not size.value:
        raise BadInput("bad-world", f"{size}: there is no world without ranks", _ALONE)
    pairs = [(rank, size), (local_rank, size), (node, size), (local_rank, local_size)]
    for one, most in pairs:
        if one and most and one.value >= most.value:
            raise BadInput("bad-world", f"{one} does not go with {most}", "these count from 0 and end before it")
    if local_size and not 0 < local_size.value <= size.value:
        raise BadInput("bad-world", f"{local_size} does not go with {size}", "a node has from 1 to all of the ranks")


def _run(launchers: Sequence[Launcher], environment: Mapping[str, str], size: int, flags: Flags) -> str:
    """Return a name for the run from what all its ranks know."""
    names = [name for launcher in launchers for name in launcher.run]
    known = [f"{name}={environment[name][:_IDENTITY]!r}" for name in names if name in environment]
    if flags.rendezvous:
        known.append(f"--rendezvous={flags.rendezvous[:_IDENTITY]!r}")
    if not known:
        return ""
    return hashlib.sha256(" ".join([*known, f"size={size}"]).encode("utf-8", "backslashreplace")).hexdigest()[:32]


def _meeting(
    launchers: Sequence[Launcher], environment: Mapping[str, str], flags: Flags, run: str, *, one_host: bool
) -> Address:
    if flags.rendezvous is not None:
        asked = values.address(flags.rendezvous, "--rendezvous")
        told = told_address(environment) if TORCH in launchers else None
        if told and told != asked:
            what = f"MASTER_ADDR, MASTER_PORT ({told}) and --rendezvous ({asked}) disagree"
            raise BadInput("worlds-disagree", what, "unset the variables, or leave out the option")
        return asked
    if not launchers:
        raise BadInput("no-meeting", "--rank and --world-size without --rendezvous", GIVE_RENDEZVOUS)
    return meeting_place(launchers[0], environment, run, one_host=one_host)
