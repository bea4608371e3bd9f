"""What the settings select for a transfer: the methods, what each of them can do, and which setting says so.

Pure: (engine configuration, environment) -> `Selected`. It reads as
`suite.settings` reads, so the rules R1 to R12 of the source page ("KV Cache
Transfer in Disaggregated Serving") decide. What this machine lacks is not its
matter, nor what the user asks for beside the settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from suite.errors import BadInput, Missing
from suite.settings.cache_transceiver import SECTION, resolve
from suite.settings.faults import show_name
from suite.settings.nixl_backends import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from suite.settings.cache_transceiver import CacheTransceiverConfig, Resolution
    from suite.settings.nixl_backends import Decision, Setting

Role = Literal["between workers", "files"]
HANDOFF = "handoff"  # prefill stores a request's blocks in files, decode fetches them

# What a transport is for in a transfer, and its ops in the order in which they run.
WORK: Mapping[str, tuple[Role, tuple[str, ...]]] = MappingProxyType(
    {
        "nixl:UCX": ("between workers", ("push", "pull")),
        "nixl:GDS": ("files", (HANDOFF,)),
        "ucx": ("between workers", ("push",)),
        "mooncake:tcp": ("between workers", ("push", "pull")),
    }
)


@dataclass(frozen=True)
class Method:
    """One enabled backend: the transport that stands for it, what that can do, and the setting that enabled it."""

    backend: str  # as the settings name it: UCX, GDS, MOONCAKE
    transport: str
    role: Role
    ops: tuple[str, ...]
    why: str

    def __str__(self) -> str:
        return f"{self.transport}: {self.why}"


@dataclass(frozen=True)
class Selected:
    """The methods in the order in which they run, at least one; and a sentence for each step there."""

    methods: tuple[Method, ...]
    notes: tuple[str, ...]  # of settings that were written and select nothing
    why: tuple[str, ...]


def selected(
    config: CacheTransceiverConfig | None, environment: Mapping[bytes, bytes], *, source: str = ""
) -> Selected:
    """Return what is selected; `source` is the engine file's name, empty where there is none.

    A setting at fault, a disabled transfer and NIXL with no backend left are a
    `BadInput`, a method that kvgauge has no transport for is a `Missing`.
    """
    resolution = resolve(config, environment)
    resolution.require()
    if resolution.method == "disabled":
        raise BadInput(
            "disabled",
            f"{source or SECTION} moves no KV cache: {' '.join(resolution.why)}",
            f"set {SECTION}.backend to NIXL or UCX, or take --transport",
        )
    methods = tuple(_methods(config, resolution, source))
    return Selected(methods, tuple(_notes(resolution)), resolution.why)


def _notes(resolution: Resolution) -> Iterator[str]:
    """Yield a sentence for each setting that somebody wrote and that selects nothing; the first is the method's own."""
    decisions = resolution.selection.decisions if resolution.selection else ()
    origins = {decision.why: decision.origin for decision in decisions}
    yield from (sentence for sentence in resolution.why[1:] if origins.get(sentence, "disabled") == "disabled")


def _methods(config: CacheTransceiverConfig | None, resolution: Resolution, source: str) -> Iterator[Method]:
    of_file = _of_file(config, source)
    if resolution.selection is None:
        transport = ",".join(resolution.transports) or resolution.method
        yield _method(str(config.backend) if config else transport, transport, of_file)
        return
    used = [decision for decision in resolution.selection.decisions if decision.used]
    for decision, transport in zip(used, resolution.transports, strict=True):
        yield _method(decision.backend, transport, ", ".join(filter(None, (of_file, _of_environment(decision)))))


def _method(backend: str, transport: str, why: str) -> Method:
    if transport not in WORK:
        raise Missing(
            "selected-transport-missing",
            f"{transport} is selected ({why}), and this version of kvgauge has no transport {transport}",
            f"{SECTION}.backend: NIXL, UCX or MOONCAKE, or take --transport",
        )
    role, ops = WORK[transport]
    return Method(backend, transport, role, ops, why)


def _of_file(config: CacheTransceiverConfig | None, source: str) -> str:
    if config is None:
        return f"no {SECTION} in {source}" if source else ""
    where = f" in {source}" if source else ""
    return f"{SECTION}.backend: {config.backend}{where}" if config.chosen else f"no {SECTION}.backend{where}"


def _of_environment(decision: Decision) -> str:
    return _typed(decision.settings) or f"the default, as no {PREFIX}* switches a backend on"


def _typed(settings: Sequence[Setting]) -> str:
    """Return the assignments as a shell has them, without quotes where they need none."""
    plain = ((setting, setting.value[1:-1]) for setting in settings)
    return " and ".join(
        f"{setting.variable}={value}" if show_name(value) == value else str(setting) for setting, value in plain
    )
