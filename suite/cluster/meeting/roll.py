"""Who is there: which ranks have joined, which phase each is in, and who is overdue. No clock and no socket."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from suite.cluster.meeting.failure import Failure, ranks
from suite.cluster.meeting.messages import Refusal, reason

if TYPE_CHECKING:
    from suite.cluster.meeting.messages import Hello, Phase

JOIN = "join"


@dataclass(frozen=True)
class Patience:
    """How long is waited for what, in seconds; the same for all ranks of a run."""

    join_s: float = 60.0  # for all ranks
    greet_s: float = 5.0  # for a stranger's hello
    beat_s: float = 1.0
    silence_s: float = 10.0  # without a beat a rank is stopped, or cut off


@dataclass(frozen=True)
class Run:
    """What all ranks of a run have in common."""

    size: int
    version: str
    spec: str  # a digest


@dataclass(frozen=True)
class Seat:
    """A rank that has joined. Times are of rank 0's monotonic clock."""

    host: str
    pid: int
    heard_s: float
    phase: str = JOIN
    until_s: float | None = None  # the phase's end at the latest
    deadline_s: float = 0.0
    quiet: bool = False
    left: bool = False


class Roll:
    """The ranks of a run, by rank 0's book."""

    def __init__(self, run: Run, patience: Patience) -> None:
        self._run, self._patience = run, patience
        self._seats: dict[int, Seat] = {}
        self._left = 0
        self.closed = ""  # why nobody may join any more

    def admit(self, hello: Hello, at_s: float) -> Refusal | None:
        """Give a rank its seat, or say why not. Its hello has been proven."""
        seat = self._seats.get(hello.rank)
        who = f"rank {hello.rank} (host {hello.host}, process {hello.pid})"
        if hello.version != self._run.version:
            return Refusal(
                code="other-version", reason=f"{who} is kvgauge {hello.version}, rank 0 is {self._run.version}"
            )
        if hello.size != self._run.size or hello.rank >= self._run.size:
            return Refusal(code="other-size", reason=f"{who} is of {hello.size} ranks, rank 0 of {self._run.size}")
        if hello.spec != self._run.spec:
            return Refusal(code="other-spec", reason=f"{who} has another spec than rank 0")
        if seat:
            where = f"host {seat.host}, process {seat.pid}"
            return Refusal(code="joined-twice", reason=f"{who} comes second: {where} is that rank")
        if self.closed:
            return Refusal(code="too-late", reason=reason(f"{who} came when the run was over: {self.closed}"))
        self._seats[hello.rank] = Seat(hello.host, hello.pid, at_s)
        return None

    def heard(self, rank: int, at_s: float) -> None:
        """Note that a rank has said something."""
        self._seats[rank] = replace(self._seats[rank], heard_s=at_s)

    def enter(self, rank: int, phase: Phase, at_s: float) -> None:
        """Note that a rank begins a phase."""
        until_s = None if phase.deadline_s is None else at_s + phase.deadline_s
        self._seats[rank] = replace(
            self._seats[rank],
            heard_s=at_s,
            phase=phase.name,
            until_s=until_s,
            deadline_s=phase.deadline_s or 0.0,
            quiet=phase.quiet and until_s is not None,
        )

    def wait(self, rank: int) -> None:
        """Note that a rank has done its part and waits: if others are late, it is not."""
        self._seats[rank] = replace(self._seats[rank], until_s=None, quiet=False)

    def excuse(self, late_s: float) -> None:
        """Give all ranks the time that rank 0 itself was not running: what they said is read only now."""
        if late_s <= self._patience.beat_s:
            return
        for rank, seat in self._seats.items():
            until_s = None if seat.until_s is None else seat.until_s + late_s
            self._seats[rank] = replace(seat, heard_s=seat.heard_s + late_s, until_s=until_s)

    def leave(self, rank: int) -> None:
        """Note that a rank has done all."""
        self._seats[rank] = replace(self._seats[rank], left=True)
        self._left += 1

    def full(self) -> bool:
        """Tell whether all ranks have joined."""
        return len(self._seats) == self._run.size

    def all_left(self) -> bool:
        """Tell whether all ranks have said good-bye."""
        return self._left == self._run.size

    def staying(self) -> list[int]:
        """Return the ranks that have not said good-bye."""
        return [rank for rank in range(self._run.size) if rank not in self._seats or not self._seats[rank].left]

    def has_left(self, rank: int) -> bool:
        """Tell whether a rank has said good-bye."""
        return self._seats[rank].left

    def phase(self, rank: int) -> str:
        """Return the phase that a rank is in; `join` for one that has not come."""
        seat = self._seats.get(rank)
        return seat.phase if seat else JOIN

    def quiet(self, rank: int) -> bool:
        """Tell whether a rank is in a phase without beats."""
        return self._seats[rank].quiet

    def missing(self) -> list[int]:
        """Return the ranks that have not joined."""
        return [rank for rank in range(self._run.size) if rank not in self._seats]

    def not_joined(self) -> Failure:
        """Return what it is when the time for joining is over."""
        missing = self.missing()
        reason = f"{ranks(missing)} of {self._run.size} did not join within {self._patience.join_s:g} s"
        return Failure(missing[0] if len(missing) == 1 else None, JOIN, reason)

    def overdue(self, at_s: float) -> Failure | None:
        """Return the first rank that is silent, or longer in its phase than it said."""
        for rank, seat in sorted(self._seats.items()):
            if seat.left:
                continue
            silent_s = at_s - seat.heard_s
            if not seat.quiet and silent_s > self._patience.silence_s:
                return Failure(
                    rank, seat.phase, f"not heard for {silent_s:.1f} s: stopped, or cut off (host {seat.host})"
                )
            if seat.until_s is not None and at_s > seat.until_s:
                return Failure(rank, seat.phase, f"not done after {seat.deadline_s:g} s (host {seat.host})")
        return None
