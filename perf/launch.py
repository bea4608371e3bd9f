"""One launch, as its supervisor sees it: points through a fresh group of workers, records out."""

from __future__ import annotations

import time
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from perf.draft import Draft, Window
from perf.identity import transfer_key
from perf.placement import cores_for, cores_of_roles
from perf.record import WRONG_BYTES, PointRecord
from perf.repetition import WARM_UP_WINDOWS
from perf.roles import INITIATOR, ROLES, roles_of, through_file
from perf.spent import Stopwatch
from perf.workload import Work, region_bytes
from suite.run.network import sent_bytes
from suite.run.processor import stolen_ns
from suite.world.supervisor import Group, WorkerFailed, WorkerSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from perf.planning import PlannedPoint
    from perf.record import Point
    from suite.memory.devices import Device

SERVER = "perf.server:PointServer"
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
    file: Path | None = None  # of region_bytes, in a scratch folder: what stores and fetches go through
    devices: Mapping[str, Device] = field(default_factory=dict)  # by name of memory: cuda:0
    emulated: bool = False  # on the emulated CUDA driver
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    prefixes: Mapping[str, Sequence[str]] = field(
        default_factory=dict
    )  # role -> command that its worker starts through
    python: str = ""  # of the workers; "": this one


class Gate(Protocol):
    """Where pairs that transfer at once wait for each other: `threading.Barrier`."""

    def wait(self) -> int:
        """Wait for all; raises `threading.BrokenBarrierError` when one of them has failed."""


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

    def __init__(self, plan: LaunchPlan, attempt: str) -> None:
        self._plan = plan
        self._epoch = count(1)
        cores = cores_of_roles()
        self._group = Group([self._worker(role, attempt, cores[role]) for role in ROLES])

    def begin(self) -> None:
        """Tell the workers how large their regions are."""
        told = {"nbytes": self._plan.region_bytes, "pages": self._plan.pages}
        self.ask("begin", dict.fromkeys(ROLES, told))

    @property
    def group(self) -> Group:
        """The workers."""
        return self._group

    @property
    def stopwatch(self) -> Stopwatch:
        """What adds up where the time goes."""
        return self._plan.stopwatch

    def measure(
        self, index: int, position: int, planned: PlannedPoint, *, pair: int = 0, gate: Gate | None = None
    ) -> PointRecord:
        """Measure point number `index`; raises `PointFailed` when it is lost.

        Of pairs that transfer at once this is number `pair`; all of them wait at the `gate` before and after each window.
        """
        cores = cores_for(planned.point, self._plan.devices, pair)
        tls = self._plan.environment.get("UCX_TLS")
        draft = Draft(self._plan.launch, position, planned, cores=cores, emulated=self._plan.emulated, tls=tls)
        try:
            with self.opened(index, planned, cores) as point:
                draft.opened(point.told)
                draft.prepared(point.sizes)
                for _ in range(WARM_UP_WINDOWS):
                    draft.warmed_up(point.window("post_apart", gate, warm_up=True))
                for _ in range(planned.windows):
                    draft.window(point.window(gate=gate))
                draft.closed(point.close())
        except WorkerFailed as failed:
            raise PointFailed(draft.failed(failed)) from failed
        return draft.measured()

    @contextmanager
    def opened(
        self, index: int, planned: PlannedPoint, cores: Mapping[str, Sequence[int]] | None = None
    ) -> Iterator[OpenPoint]:
        """Open, connect and prepare a point on its workers; agents are named after the point's `index`."""
        point = planned.point
        roles = roles_of(point.op)
        agents: dict[str, str] = {role: f"p{index}-{role}" for role in roles}
        with self.stopwatch.part("open"):
            opened = self.ask("open", {role: self._open(role, agents[role], point, cores or {}) for role in roles})
            if len(roles) > 1:
                self.ask("connect", _introduced(agents, opened))
            work = Work.of(planned, seed=_window_seed(self._plan, planned))
            told = {"work": work.as_json(), "addresses": {role: one["address"] for role, one in opened.items()}}
            prepared = self.ask("prepare", dict.fromkeys(roles, told))
        under_way = OpenPoint(self, point.op, opened, prepared[INITIATOR[point.op]])
        yield under_way
        under_way.close()

    def _open(self, role: str, agent: str, point: Point, cores: Mapping[str, Sequence[int]]) -> dict[str, Any]:
        file = str(self._plan.file) if self._plan.file and through_file(point.op) else None
        memory = point.source if role == "prefill" else point.destination
        return {
            "agent": agent,
            "transport": point.transport,
            "settings": point.settings,
            "op": point.op,
            "memory": memory,
            "file": file,
            "cores": list(cores.get(role, ())),
        }

    def next_epoch(self) -> int:
        """Return an epoch that no content of this launch has carried lately."""
        return next(self._epoch) % _EPOCHS

    def ask(self, phase: str, arguments: Mapping[str, Mapping[str, Any]], **verbs: str) -> dict[str, Any]:
        """Ask each role in `arguments`; the verb is the phase's name unless `verbs` has another for a role."""
        questions = {role: (verbs.get(role, phase), told) for role, told in arguments.items()}
        return self._group.ask(phase, questions, self._plan.deadline_s)

    def _worker(self, role: str, attempt: str, cores: Sequence[int]) -> WorkerSpec:
        stem = str((self._plan.logs / f"launch-{self._plan.launch}-{attempt}-{role}").absolute())
        environment = {**self._plan.environment, "UCX_LOG_FILE": f"{stem}.ucx.log"}
        prefix = self._plan.prefixes.get(role, ())
        return WorkerSpec(
            role, self._plan.server, environment, cores, Path(f"{stem}.log"), prefix=prefix, python=self._plan.python
        )


class _Transferred(NamedTuple):
    """What a window was, before its bytes are checked."""

    timing: Mapping[str, Any]  # as the initiator tells it
    network: Mapping[str, int]  # bytes sent meanwhile, by interface
    usage: Mapping[str, Mapping[str, int | None]]  # role -> what its process used
    around: Mapping[str, int]  # ns: the window as the supervisor sees it, and what the hypervisor took


class OpenPoint:
    """A point whose transfers are prepared: windows can be run, as many as wanted."""

    def __init__(self, launch: Launch, op: str, told: Mapping[str, Any], sizes: Mapping[str, int]) -> None:
        self._launch = launch
        self._roles, self._initiator = roles_of(op), INITIATOR[op]
        self._closed: dict[str, Any] | None = None
        self.told = told  # what each worker said of its regions
        self.sizes = sizes

    def window(self, post: str = "post", gate: Gate | None = None, *, warm_up: bool = False) -> Window:
        """Stamp, transfer, compare every byte; wrong bytes raise `WorkerFailed`. `post` is the initiator's verb."""
        epoch, stopwatch = self._launch.next_epoch(), self._launch.stopwatch
        with stopwatch.part("fill", warm_up=warm_up):
            stamped = self._ask("stamp", epoch=epoch)
        with stopwatch.part("transfer", warm_up=warm_up):
            moved = self._transferred(post, gate)
        with stopwatch.part("check", warm_up=warm_up):
            checked = self._ask("check", epoch=epoch)
        stopwatch.window()
        for role, answer in checked.items():
            if answer["findings"]:
                raise WorkerFailed(role, "check", WRONG_BYTES, "\n".join(answer["findings"]))
        cached = [told.get(self._initiator, {}).get("cached_bytes") for told in (stamped, checked)]
        checked_bytes = sum(answer["bytes"] for answer in checked.values())
        tcp = checked[self._initiator].get("tcp_bytes", 0) - stamped[self._initiator].get("tcp_bytes", 0)
        return Window(
            moved.timing, checked_bytes, cached[0], cached[1], moved.network, max(0, tcp), moved.usage, moved.around
        )

    def _transferred(self, post: str, gate: Gate | None) -> _Transferred:
        """Run the window on both sides; nobody stamps or checks while another pair still transfers."""
        verbs = {role: post if role == self._initiator else "serve" for role in self._roles}
        if gate:
            gate.wait()
        sent, stolen, begun = sent_bytes(), stolen_ns(), time.perf_counter_ns()
        told = self._launch.ask("window", {role: {} for role in self._roles}, **verbs)
        around = {"window_ns": time.perf_counter_ns() - begun, "stolen_ns": max(0, stolen_ns() - stolen)}
        network = {
            name: after - sent[name] for name, after in sent_bytes().items() if after >= sent.get(name, after + 1)
        }
        if gate:
            gate.wait()
        usage = {role: answer["usage"] for role, answer in told.items() if answer and "usage" in answer}
        return _Transferred(told[self._initiator], network, usage, around)

    def ask_one(self, role: str, verb: str, **arguments: Any) -> Any:
        """Put a question to one worker."""
        return self._launch.ask(verb, {role: arguments})[role]

    def close(self) -> dict[str, Any]:
        """Take the point down, once; return the initiator's phases, and the evidence of every worker that posted."""
        if self._closed is None:
            with self._launch.stopwatch.part("close"):
                told = self._ask("close")
            evidence = [told[role]["evidence"] for role in self._roles if told[role]["evidence"]]
            # the initiator's phases, and those that only the other side has: receive, scatter
            phases = {name: took for role in self._roles for name, took in told[role]["phases_ns"].items()}
            self._closed = {"phases_ns": phases | told[self._initiator]["phases_ns"], "evidence": evidence}
        return self._closed

    def _ask(self, verb: str, **arguments: Any) -> dict[str, Any]:
        return self._launch.ask(verb, dict.fromkeys(self._roles, arguments))


@contextmanager
def launched(plan: LaunchPlan, attempt: str) -> Iterator[Launch]:
    """Start the workers of a launch (or of what is left of it) and leave none behind."""

    def leave(*why: Any) -> None:
        with plan.stopwatch.part("workers"):
            launch.group.__exit__(*why)

    with ExitStack() as stack:
        with plan.stopwatch.part("workers"):
            launch = Launch(plan, attempt)
            stack.push(leave)
            launch.begin()
        yield launch


def _introduced(agents: Mapping[str, str], opened: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what each of two workers is told of the other."""
    peers = dict(zip(agents, reversed(list(agents)), strict=True))
    return {role: {"peer": agents[peer], "metadata": opened[peer]["metadata"]} for role, peer in peers.items()}


def _window_seed(plan: LaunchPlan, planned: PlannedPoint) -> int:
    """Return the seed of a point's block tables: new in every launch, the same for every transport and side of one transfer."""
    what = repr(transfer_key(planned.point)._replace(variant="")).replace(
        ", variant=''", ""
    )  # as before there were variants
    return zlib.crc32(f"({plan.seed!r}, {plan.launch!r}, {what})".encode())
