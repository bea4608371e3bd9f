"""The world that a process was started into: its place among the ranks, and where they meet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Address(NamedTuple):
    """Where something listens; `host` is a name or an address, not yet looked up."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class World:
    """One rank's place; `discover.join` makes it, and only a whole one.

    `size` is 1 or more, `rank` and, where a launcher tells them, `local_rank`
    and `node` count from 0. `meeting` is where rank 0 listens and is None only
    in a world of one. `run` is the same for all ranks of a run and for no other
    run that this launcher has started; it is not a secret.
    """

    rank: int = 0
    size: int = 1
    local_rank: int | None = None
    local_size: int | None = None
    node: int | None = None
    meeting: Address | None = None
    launcher: str = "none"
    run: str = ""

    def sentence(self) -> str:
        """Return who this is, by whose word, and where the ranks meet."""
        placed = [
            f"{name} {value}"
            for name, value in (("local rank", self.local_rank), ("node", self.node))
            if value is not None
        ]
        where = f" ({', '.join(placed)})" if placed else ""
        meeting = f"; the ranks meet at {self.meeting}" if self.meeting else ""
        return f"rank {self.rank} of {self.size}{where} by {self.launcher}{meeting}"
