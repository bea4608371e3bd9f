"""What ends a run across ranks: which rank, in which phase, and why."""

from __future__ import annotations

from dataclasses import dataclass

from suite.errors import PeerLost

_LISTED = 8


@dataclass(frozen=True)
class Failure:
    """The first thing that went wrong; `rank` None: no single one."""

    rank: int | None
    phase: str
    reason: str

    def sentence(self) -> str:
        """Return it in words."""
        who = "the run" if self.rank is None else f"rank {self.rank}"
        return f"{who}, {self.phase}: {self.reason}"


class MeetingFailed(PeerLost):
    """The run is over, for all ranks; `failure` says by whom."""

    def __init__(self, failure: Failure, hint: str = "") -> None:
        super().__init__(
            "rank-lost", failure.sentence(), hint or "what was measured before is kept in rank 0's run folder"
        )
        self.failure = failure


def ranks(numbers: list[int]) -> str:
    """Return `rank 3` or `ranks 1, 4, 5 and 20 others`."""
    if len(numbers) == 1:
        return f"rank {numbers[0]}"
    shown = ", ".join(map(str, numbers[:_LISTED]))
    more = len(numbers) - _LISTED
    return f"ranks {shown} and {more} others" if more > 0 else f"ranks {shown}"
