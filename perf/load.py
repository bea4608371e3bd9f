"""Whether the machine was its own while windows were open: who waited for a processor, what a hypervisor took, who else was at work.

The wait of the initiator's main thread is the kernel's own count (`/proc/self/schedstat`), so it is the
witness that says what it cost; the load average and stolen time say why. A record of an older kvgauge has
only the load average, and that alone does not tell how many processors there are: nothing is said then.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from perf.roles import INITIATOR, ROLES
from perf.validity import issue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perf.record import Issue, PointRecord

_WAITED = 0.05  # of the windows' time: half of pyperf's limit for what may differ
_STOLEN = 0.02  # of all processors' time over all launches; a tick of 10 ms is 1 % of a second
_TICKS = 3 * 10_000_000  # ns: fewer ticks are rounding
_OTHERS = 0.5  # load average per processor, without our own workers
_PERCENT = 100


def loaded(records: Sequence[PointRecord]) -> list[Issue]:
    """Return at most one issue about the launches of a point: OPEN where half of them or more were disturbed."""
    waited = [_waited(record) for record in records]
    others = [_others(record) for record in records]
    disturbed = sum(wait > _WAITED or load > _OTHERS for wait, load in zip(waited, others, strict=True))
    stolen = _stolen(records)
    told = []
    if any(wait > _WAITED for wait in waited):
        told.append(
            f"the initiator waited for a processor for {_PERCENT * statistics.median(waited):.0f} % of its windows' time,"
            f" up to {_PERCENT * max(waited):.0f} %"
        )
    if any(load > _OTHERS for load in others):
        highest = max(record.load_average for record in records)
        cpus = next(record.around.cpus for record in records if record.around)
        told.append(
            f"the load average was up to {highest:.1f} on {'1 processor' if cpus == 1 else f'{cpus} processors'}"
        )
    if stolen > _STOLEN:
        told.append(f"a hypervisor took {_PERCENT * stolen:.0f} % of the processors' time")
    if not told:
        return []
    many = stolen > _STOLEN or 2 * disturbed >= len(records)
    launches = f"in {disturbed} of {len(records)} launches: " if disturbed else ""
    return [
        issue(
            "loaded-machine", f"others used the machine, {launches}{'; '.join(told)}", level="OPEN" if many else "NOTE"
        )
    ]


def _waited(record: PointRecord) -> float:
    """Return the share of its windows' time that the initiator waited for a processor."""
    usage = record.usage.get(INITIATOR[record.point.op])
    return sum(usage.waited_ns) / sum(usage.wall_ns) if usage and sum(usage.wall_ns) else 0.0


def _others(record: PointRecord) -> float:
    """Return the load average per processor without our own: at most one for each worker, and the supervisor."""
    if record.around is None:
        return 0.0
    own = len(ROLES) * record.point.flows + 1
    return max(0.0, record.load_average - own) / record.around.cpus


def _stolen(records: Sequence[PointRecord]) -> float:
    """Return the share of all processors' time that was stolen, over the windows of all launches."""
    known = [record.around for record in records if record.around]
    taken = sum(sum(one.stolen_ns) for one in known)
    available = sum(one.cpus * sum(one.window_ns) for one in known)
    return taken / available if available and taken >= _TICKS else 0.0
