"""One launch, as its supervisor sees it: points through a fresh group of workers, records out."""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from perf.draft import INITIATOR, ROLES, Draft, Window, cores_of_roles
from perf.identity import transfer_key
from perf.record import WRONG_BYTES, PointRecord
from perf.workload import Work, region_bytes
from suite.transports import base
from suite.world.supervisor import Group, WorkerFailed, WorkerSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from perf.spec import PlannedPoint

SERVER = "perf.server:PointServer"
WARM_UP_WINDOWS = 1
_EPOCHS = 1 << 20  # what a stamp can tell apart


@dataclass(frozen=True)
class LaunchPlan:
    """What every group of a launch has in common."""

    launch: int
    environment: Mapping[str, str]
    logs: Path
    seed: int
    region_bytes: int
    pages: str = "huge"
    deadline_s: float = 30.0  # for each phase of a point
    server: str = SERVER


class PointFailed(Exception):
    """A point was lost; `record` says to whom, where and why. The group must not be used again."""

    def __init__(self, record: PointRecord) -> None:
        super().__init__(record.failure)
        self.record = record


def region_size(points: Sequence[PlannedPoint]) -> int:
    """Return the bytes of a region that any of `points` fits into."""
    return max(region_bytes(planned) for planned in points)


class Launch:
    """A fresh prefill and decode worker, and the points that they measure one by one."""

    def __init__(self, plan: LaunchPlan, attempt: int) -> None:
        self._plan = plan
        self._epoch = count(1)
        self._cores = cores_of_roles()
        self._group = Group([self._worker(role, attempt) for role in ROLES])
        self._begun: dict[str, Any] = {}

    def begin(self) -> None:
        """Have the workers allocate their regions."""
        self._begun = self.ask_both("begin", nbytes=self._plan.region_bytes, pages=self._plan.pages)

    @property
    def group(self) -> Group:
        """The workers."""
        return self._group

    def measure(self, index: int, position: int, planned: PlannedPoint) -> PointRecord:
        """Measure point number `index`; raises `PointFailed` when it is lost."""
        draft = Draft(self._plan.launch, position, planned)
        draft.set("allocation", "+".join(sorted({told["allocation"] for told in self._begun.values()})))
        try:
            with self.opened(index, planned) as point:
                draft.prepared(point.sizes)
                for _ in range(WARM_UP_WINDOWS):
                    draft.warmed_up(point.window())
                for _ in range(planned.windows):
                    draft.window(point.window())
                draft.closed(point.close())
        except WorkerFailed as failed:
            raise PointFailed(draft.failed(failed)) from failed
        return draft.measured()

    @contextmanager
    def opened(self, index: int, planned: PlannedPoint) -> Iterator[OpenPoint]:
        """Open, connect and prepare a point on both workers; agents are named after the point's `index`."""
        initiator = INITIATOR[planned.point.op]
        agents = {role: f"p{index}-{role}" for role in ROLES}
        peers = dict(zip(ROLES, reversed(ROLES), strict=True))
        opened = self.ask(
            "open",
            {
                role: {
                    "agent": agents[role],
                    "transport": planned.point.transport,
                    "settings": {},
                    "posts": role == initiator,
                }
                for role in ROLES
            },
        )
        self.ask(
            "connect",
            {role: {"peer": agents[peers[role]], "metadata": opened[peers[role]]["metadata"]} for role in ROLES},
        )
        work = Work.of(planned, seed=_window_seed(self._plan, planned))
        addresses = {role: told["address"] for role, told in self._begun.items()}
        sizes = self.ask_both("prepare", work=work.as_json(), op=planned.point.op, addresses=addresses)[initiator]
        point = OpenPoint(self, initiator, peers[initiator], sizes)
        yield point
        point.close()

    def next_epoch(self) -> int:
        """Return an epoch that no content of this launch has carried lately."""
        return next(self._epoch) % _EPOCHS

    def ask(self, phase: str, arguments: Mapping[str, Mapping[str, Any]], **verbs: str) -> dict[str, Any]:
        """Ask each role in `arguments`; the verb is the phase's name unless `verbs` has another for a role."""
        questions = {role: (verbs.get(role, phase), told) for role, told in arguments.items()}
        return self._group.ask(phase, questions, self._plan.deadline_s)

    def ask_both(self, verb: str, **arguments: Any) -> dict[str, Any]:
        """Put the same question to both workers."""
        return self.ask(verb, dict.fromkeys(ROLES, arguments))

    def _worker(self, role: str, attempt: int) -> WorkerSpec:
        stem = self._plan.logs / f"launch-{self._plan.launch}-{attempt}-{role}"
        environment = {**self._plan.environment, "UCX_LOG_FILE": str(stem.with_suffix(".ucx.log").absolute())}
        return WorkerSpec(role, self._plan.server, environment, self._cores[role], stem.with_suffix(".log"))


class OpenPoint:
    """A point whose transfers are prepared: windows can be run, as many as wanted."""

    def __init__(self, launch: Launch, initiator: str, target: str, sizes: Mapping[str, int]) -> None:
        self._launch, self._initiator, self._target = launch, initiator, target
        self._closed: dict[str, Any] | None = None
        self.sizes = sizes

    def window(self, post: str = "post") -> Window:
        """Stamp, transfer, compare every byte; wrong bytes raise `WorkerFailed`. `post` is the initiator's verb."""
        epoch = self._launch.next_epoch()
        self._launch.ask_both("stamp", epoch=epoch)
        verbs = {self._initiator: post, self._target: "serve"}
        timing = self._launch.ask("window", dict.fromkeys(ROLES, {}), **verbs)[self._initiator]  # noqa: RUF024  never changed
        checked = self._launch.ask_both("check", epoch=epoch)
        for role, answer in checked.items():
            if answer["findings"]:
                raise WorkerFailed(role, "check", WRONG_BYTES, "\n".join(answer["findings"]))
        return Window(timing, sum(answer["bytes"] for answer in checked.values()))

    def ask_one(self, role: str, verb: str, **arguments: Any) -> Any:
        """Put a question to one worker."""
        return self._launch.ask(verb, {role: arguments})[role]

    def close(self) -> dict[str, Any]:
        """Take the point down, once; return the initiator's phases and evidence."""
        if self._closed is None:
            self._closed = self._launch.ask_both("close")[self._initiator]
        return self._closed


@contextmanager
def launched(plan: LaunchPlan, attempt: int) -> Iterator[Launch]:
    """Start the workers of a launch (or of what is left of it) and leave none behind."""
    launch = Launch(plan, attempt)
    with launch.group:
        launch.begin()
        yield launch


def required_environment(points: Sequence[PlannedPoint]) -> dict[str, str]:
    """Return the variables that the traits of the points' transports ask for; workers have the caller's besides."""
    transports = sorted({planned.point.transport for planned in points})
    return {name: value for one in transports for name, value in base.load(one).traits.environment.items()}


def _window_seed(plan: LaunchPlan, planned: PlannedPoint) -> int:
    """Return the seed of a point's block tables: new in every launch, the same for every transport of one transfer."""
    return zlib.crc32(repr((plan.seed, plan.launch, transfer_key(planned.point))).encode())
