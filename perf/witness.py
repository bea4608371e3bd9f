"""`ucx_perftest` beside our own points that move one hot buffer, under the settings that the point has.

NIXL sets two variables of UCX's for itself unless the environment has them, and
makes its endpoints with error handling: so does the witness beside it. UCXX's
endpoints have what the point's setting says.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.asides import WitnessRecord
from perf.memory import HOST
from perf.perftest import find, run_pair
from perf.placement import cores_of_roles
from perf.settings import variables
from suite.errors import KvgaugeError, Missing
from suite.run import machine
from suite.run.manifest import now

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from perf.planning import PlannedPoint
    from perf.record import Point

    Key = tuple[str, int, bool, tuple[tuple[str, str], ...]]

# src/utils/ucx/ucx_utils.cpp of ai-dynamo/nixl, seen in the tables of nixl-cu12 1.5.1 as well
_NIXL_SETS = {"UCX_RNDV_THRESH": "inf", "UCX_MAX_RMA_RAILS": "2"}
_TESTS = {("nixl:UCX", "push"): "ucp_put_bw", ("nixl:UCX", "pull"): "ucp_get", ("ucx", "push"): "tag_bw"}
_MODES = {"nixl:UCX": ("ucx_error_handling_mode", "none"), "ucx": ("error_handling", "off")}  # setting, value without
_BYTES, _FEWEST, _MOST = 1 << 30, 50, 10_000  # of one run: enough for a tenth of a second, whatever the size


@dataclass(frozen=True)
class Wanted:
    """One run of the witness; points that differ in nothing that it has share one."""

    test: str
    nbytes: int
    error_handling: bool
    nixl: bool
    settings: tuple[tuple[str, str], ...]  # a settings axis

    @property
    def key(self) -> Key:
        """Return what a record of it has: see `key_of`."""
        return self.test, self.nbytes, self.error_handling, self.settings

    @property
    def iterations(self) -> int:
        """How often the buffer is moved."""
        return max(_FEWEST, min(_MOST, _BYTES // self.nbytes))

    def environment(self, caller: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of its processes; the caller's variables win over NIXL's, as they do in NIXL."""
        return {**(_NIXL_SETS if self.nixl else {}), **caller, **dict(self.settings)}


def key_of(record: WitnessRecord) -> Key:
    """Return what a record is of: equal to the key of what was wanted."""
    return record.test, record.nbytes, record.error_handling, tuple(sorted(record.settings.items()))


def wanted_for(point: Point) -> Wanted | None:
    """Return what stands beside `point`; None where no test moves what it moves."""
    test = _TESTS.get((point.transport, point.op))
    if test is None or point.pattern != "hot" or {point.source, point.destination} != {HOST}:
        return None
    setting, without = _MODES[point.transport]
    return Wanted(
        test=test,
        nbytes=point.descriptor_bytes,
        error_handling=point.settings.get(setting) != without,
        nixl=point.transport.startswith("nixl:"),
        settings=tuple(sorted(variables(point.settings).items())),
    )


def all_wanted(planned: Iterable[PlannedPoint]) -> list[Wanted]:
    """Return what stands beside any of the points, each once, in their order."""
    return list(dict.fromkeys(wanted for one in planned if (wanted := wanted_for(one.point))))


def missing(environment: Mapping[str, str]) -> str:
    """Return why there can be no witness here, or nothing."""
    try:
        find(environment)
    except Missing as lacking:
        return str(lacking)
    return ""


def testify(wanted: Wanted, environment: Mapping[str, str], launch: int) -> WitnessRecord:
    """Run the witness once, on the cores of the points; a witness that fails costs nothing but its figure."""
    asked = {
        "launch": launch,
        "test": wanted.test,
        "nbytes": wanted.nbytes,
        "error_handling": wanted.error_handling,
        "settings": dict(wanted.settings),
    }
    return WitnessRecord.model_validate(asked | _said(wanted, environment) | _when())


def _said(wanted: Wanted, environment: Mapping[str, str]) -> dict[str, object]:
    cores = [cpu for cpus in cores_of_roles().values() for cpu in cpus]
    try:
        said = run_pair(
            wanted.test,
            wanted.nbytes,
            wanted.iterations,
            error_handling=wanted.error_handling,
            environment=wanted.environment(environment),
            cores=cores,
            port=_free_port(),
        )
    except KvgaugeError as error:
        return {"problem": str(error)[:2_000]}
    told = {name: getattr(said, name) for name in ("gb_per_s", "latency_us", "version", "detail", "wire")}
    return told | {"command": machine.redact(said.command)}


def _when() -> dict[str, object]:
    return {"load_average": machine.load_average(), "started_at": now()}


def _free_port() -> int:
    """Return a port that nobody listens at; if somebody else takes it meanwhile, the witness says so."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])
