"""What a transfer costs besides its bytes: the phases that `phases_ns` of a record add up, per point and per transfer.

Setup happens once per point: open the engine, register memory, exchange and load
metadata (connect), prepare the transfers of a window, and take all of it down. What a
transfer itself reports (two-sided engines: gather and send at the initiator,
receive and scatter at the target) is summed over all its posts, the warm-up's
too, and is divided by them here. Of every transport the initiator's window is split: the call that posts,
then until it is complete (both of the warm-up window, where a second clock read disturbs no number), and, in
a push, until the target has said that all is there. A phase that no launch has is not there: absent is not 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.percentiles import Range, ranged
from perf.statistics import median_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perf.summary import Interval, Repetition

SETUP = ("open", "register", "metadata", "connect", "prepare", "release", "close")  # in the order of a point's life
SIDES = {"gather": "initiator", "send": "initiator", "receive": "target", "scatter": "target"}  # in order as well
SPLIT = ("post", "transfer", "notification")  # in order
_FIRST = "first_transfer"  # of the warm-up: it also pays for what is made on first use


@dataclass(frozen=True)
class Phases:
    """Medians over launches with their range, ns, in order; `first_transfer` is the very first after connecting."""

    setup: Mapping[str, Range]  # once per point
    transfer: Mapping[str, Range]  # of one transfer, on average over its launch
    first_transfer: Range | None
    split: Mapping[str, Range]  # SPLIT
    first_times: Interval | None  # the very first transfer by its launch's median

    @property
    def setup_ns(self) -> float:
        """All that is paid once per point, by medians."""
        return sum(one.median for one in self.setup.values())


def phases(repetitions: Sequence[Repetition]) -> Phases:
    """Return the phases of one point over its launches."""
    known = {name for one in repetitions for name in one.phases_ns}
    own = sorted(known - {*SETUP, *SIDES, _FIRST})  # of an engine that we have not met
    return Phases(
        setup={name: found for name in SETUP if (found := _of(repetitions, name))},
        transfer={name: found for name in (*SIDES, *own) if (found := _of(repetitions, name, per_post=True))},
        first_transfer=_of(repetitions, _FIRST),
        split={name: found for name in SPLIT if (found := _split(repetitions, name))},
        first_times=_first_times(repetitions),
    )


def _split(repetitions: Sequence[Repetition], name: str) -> Range | None:
    return ranged([one.split_ns[name] for one in repetitions if name in one.split_ns])


def _first_times(repetitions: Sequence[Repetition]) -> Interval | None:
    """Compare the first transfer with the steady ones launch by launch: both met the same machine."""
    found = [
        one.phases_ns[_FIRST] / one.latency_ns for one in repetitions if one.latency_ns and _FIRST in one.phases_ns
    ]
    return median_interval(found) if found else None


def _of(repetitions: Sequence[Repetition], name: str, *, per_post: bool = False) -> Range | None:
    having = [one for one in repetitions if name in one.phases_ns and (one.posts or not per_post)]
    return ranged([one.phases_ns[name] / (one.posts if per_post else 1) for one in having])
