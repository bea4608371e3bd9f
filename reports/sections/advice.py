"""What to set: the exact lines that select the transport which the evidence favours. No line without a measurement.

A transport can be recommended only if settings of a serving stack select it, which
`suite.settings` is asked, and only from points that are real and verified. Where
the evidence shows no difference, the lines select what the run had selected.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from perf.choice import choices, lead
from perf.settings import of_back_end, variables
from perf.words import carrier, pieces
from reports.wording import faster, moved_at
from suite.run.machine import REDACTED
from suite.settings.cache_transceiver import SECTION, Backend, resolve_method
from suite.settings.nixl_backends import PREFIX, SUPPORTED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perf.choice import Choice, Contender
    from perf.record import Point
    from perf.summary import PointSummary
    from reports.data import ReportData

_ENGINES = ("UCX_", "NIXL_", "CUFILE_", "MC_")  # variables that a caller's environment gave the engines
_OURS = frozenset({"UCX_PROTO_INFO", "UCX_LOG_LEVEL", "NIXL_LOG_LEVEL"})  # they tell, and steer nothing
_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,99}")
_LARGEST_VALUE = 500


@dataclass(frozen=True)
class Lines:
    """What selects one transport, as it is written."""

    environment: tuple[str, ...]  # NAME=value, quoted for a shell
    backend: str  # of cache_transceiver_config


@dataclass(frozen=True)
class Advice:
    """One recommendation; `shown` says whether the evidence shows it to be faster than any other setting."""

    transport: str
    about: str  # the transfer that decided
    sentence: str
    shown: bool
    exports: str  # shell lines; may be empty
    engine: str  # YAML
    kept: tuple[str, ...]  # variables of the caller that the measurement had, and the lines therefore hold


def advice(
    summaries: Sequence[PointSummary], selected: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Advice | None:
    """Return what to set, by the biggest KV cache that was moved; None if nothing selectable was measured for real.

    `selected` are the transports that the run's settings chose, `environment` is what its workers were given.
    """
    known = selecting()
    for choice in choices(summaries):
        able = [one for one in choice.contenders if _selectable(one.slowest.point, known)]
        if able:
            return _advice(choice, able, known, selected=selected, environment=environment or {})
    return None


def advice_of(data: ReportData) -> Advice | None:
    """Return what a report says is to be set."""
    return advice(data.summaries, data.transports, {fact.name: fact.value for fact in data.environment})


def selecting() -> dict[str, Lines]:
    """Return transport -> the lines that select it, and it alone: every combination that the reference knows is asked."""
    found: dict[str, Lines] = {}
    for backend in get_args(Backend):
        for switched_on in (None, *SUPPORTED):
            switches = {f"{PREFIX}{name}": str(name == switched_on).lower() for name in SUPPORTED if switched_on}
            environment = {name.encode(): value.encode() for name, value in switches.items()}
            method = resolve_method({SECTION: {"backend": backend}}, environment)
            lines = Lines(tuple(f"{name}={value}" for name, value in switches.items()), backend)
            explicit = method.startswith("nixl:")  # NIXL's backend is better said than left to a default
            if backend != "DEFAULT" and explicit == bool(switches):
                found[method] = lines
    return found


def _selectable(point: Point, known: Mapping[str, Lines]) -> bool:
    """Return whether settings of a serving stack can choose this: its transport, and all that sets it apart."""
    return point.transport in known and not of_back_end(point.settings)


def _advice(
    choice: Choice,
    able: Sequence[Contender],
    known: Mapping[str, Lines],
    *,
    selected: Sequence[str],
    environment: Mapping[str, str],
) -> Advice:
    best, *others = able
    leads = {one.name: lead(best, one) for one in others}
    rivals = [one for one in others if not ((found := leads[one.name]) and found.shown)]
    kept = next((one for one in (best, *rivals) if one.name in selected), best)
    point = kept.slowest.point
    about = f"{choice.workload}, {choice.op}, {pieces(point)}"
    inherited = _inherited(environment, variables(point.settings))
    lines = known[point.transport]
    set_here = [f"{name}={shlex.quote(value)}" for name, value in sorted(variables(point.settings).items())]
    return Advice(
        transport=carrier(point),
        about=about,
        sentence=_sentence(kept, rivals=[one for one in (best, *rivals) if one is not kept],
                           slower=[one for one in others if one not in rivals], best=best),
        shown=bool(others) and not rivals,
        exports="\n".join(f"export {line}" for line in (*lines.environment, *inherited, *set_here)),
        engine=f"{SECTION}:\n  backend: {lines.backend}",
        kept=tuple(line.partition("=")[0] for line in inherited),
    )  # fmt: skip


def _sentence(kept: Contender, *, rivals: Sequence[Contender], slower: Sequence[Contender], best: Contender) -> str:
    if not rivals and not slower:
        return f"Only {kept.name} was measured of what settings can select: nothing here shows that another setting is faster."
    behind = f"; {faster(best, slower[0])}" if slower and (found := lead(best, slower[0])) and found.shown else ""
    if rivals:
        names = " and ".join(moved_at(one) for one in rivals)
        return f"Nothing here shows that another setting is faster: {moved_at(kept)} and {names} have intervals that overlap, or are missing{behind}."
    return f"{faster(best, slower[0])}, the next that settings can select."


def _inherited(environment: Mapping[str, str], axis: Mapping[str, str]) -> list[str]:
    """Return the engines' variables that the caller had set: without them it was not measured."""
    return [
        f"{name}={shlex.quote(value)}"
        for name, value in sorted(environment.items())
        if name.startswith(_ENGINES)
        and _NAME.fullmatch(name)
        and name not in axis
        and name not in _OURS
        and value != REDACTED
        and value.isprintable()
        and len(value) <= _LARGEST_VALUE
    ]
