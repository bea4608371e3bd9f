"""`DYN_KVBM_NIXL_BACKEND_<BACKEND>` -> Selection: which NIXL plug-ins move the KV cache, and which variable said so.

This is the reference reading of rules R2-R10 of the source page ("KV Cache
Transfer in Disaggregated Serving"). Where the page is silent, `docs/semantics.md`
gives our reading and its reason.

The environment is read as bytes (`os.environb`), because that is what it is: a
variable of ours that is not UTF-8 is refused, anybody else's does not matter.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from suite.errors import BadInput
from suite.settings import booleans
from suite.settings.faults import Fault, SettingsError, show, show_name, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PREFIX = "DYN_KVBM_NIXL_BACKEND_"
DEFAULT = "UCX"
SUPPORTED = (DEFAULT, "GDS")  # R4 lists these two; their order is the order of every answer
# Plug-ins of the wheel nixl-cu12 1.5.1, then those only in the folder src/plugins of ai-dynamo/nixl.
OTHER_PLUGINS = frozenset(
    ("GDS_MT", "POSIX", "OBJ", "LIBFABRIC", "GPUNETIO", "GUSLI", "AZURE_BLOB", "INFINIA", "HF3FS", "MOONCAKE", "UCX_MO")
)

Origin = Literal["enabled", "disabled", "default", "unset"]


@dataclass(frozen=True)
class Setting:
    """One variable as it was typed, and what it switches its backend to."""

    variable: str
    value: str
    on: bool

    def __str__(self) -> str:
        return f"{self.variable}={self.value}"


@dataclass(frozen=True)
class Decision:
    """Whether one backend is used, what decided that (several spellings may agree), and why in one sentence."""

    backend: str
    origin: Origin
    settings: tuple[Setting, ...]
    why: str

    @property
    def used(self) -> bool:
        """Whether this backend is selected."""
        return self.origin in {"enabled", "default"}


@dataclass(frozen=True)
class Selection:
    """What the environment selects: one decision for each supported backend, in the order of `SUPPORTED`."""

    decisions: tuple[Decision, ...]

    @property
    def backends(self) -> tuple[str, ...]:
        """The selected backends; empty if UCX is switched off and nothing else on."""
        return tuple(decision.backend for decision in self.decisions if decision.used)

    @property
    def default(self) -> bool:
        """Whether the selection is UCX because nothing was chosen."""
        return any(decision.origin == "default" for decision in self.decisions)

    @property
    def why(self) -> tuple[str, ...]:
        """One sentence for each supported backend."""
        return tuple(decision.why for decision in self.decisions)

    def require(self) -> tuple[str, ...]:
        """Return the selected backends; an empty selection is a `BadInput` that names the variable, never a silent UCX."""
        if not self.backends:
            off = [str(setting) for decision in self.decisions for setting in decision.settings]
            raise BadInput(
                "no-backend",
                f"no NIXL backend is left: {' and '.join(off)}",
                f"set {' or '.join(f'{PREFIX}{name}=true' for name in SUPPORTED)}",
            )
        return self.backends


def parse_backends(environment: Mapping[bytes, bytes]) -> Selection:
    """Return what `environment` selects, in whatever order it is; raise `SettingsError` with every fault of our variables."""
    ours = sorted((variable, value) for variable, value in environment.items() if _backend(variable) is not None)
    settings = _by_backend(ours)
    faults = [
        *(fault for variable, value in ours for fault in _faults(variable, value)),
        *(fault for group in settings.values() for fault in _contradiction(group)),
    ]
    if faults:
        raise SettingsError(faults)
    return _select(settings)


def parse(environment: Mapping[bytes, bytes]) -> tuple[str, ...]:
    """Return the selected backends alone: `parse_backends` as the protocol `ParseBackends`."""
    return parse_backends(environment).backends


def _backend(variable: bytes) -> bytes | None:
    """Return the backend's name in ASCII upper case, or None if the variable is not ours."""
    upper = variable.upper()
    prefix = PREFIX.encode()
    return upper.removeprefix(prefix) if upper.startswith(prefix) else None


def _by_backend(ours: Sequence[tuple[bytes, bytes]]) -> dict[str, tuple[Setting, ...]]:
    """Return the understood settings of each supported backend."""
    found: defaultdict[str, list[Setting]] = defaultdict(list)
    for variable, value in ours:
        on = booleans.meaning(value)
        if on is not None:
            backend = (_backend(variable) or b"").decode(errors="replace")
            found[backend].append(Setting(show_name(variable), show(value), on))
    return {backend: tuple(found[backend]) for backend in SUPPORTED}


def _faults(variable: bytes, value: bytes) -> Iterator[Fault]:
    """Yield what is wrong with the name, then with the value: mending one must not bring up the other."""
    problem = _problem_of_name(_backend(variable) or b"")
    if problem:
        yield Fault(show_name(variable), show(value), problem, " or ".join(PREFIX + name for name in SUPPORTED))
    if booleans.meaning(value) is None:
        yield Fault(show_name(variable), show(value), booleans.problem(value), booleans.ACCEPTED)


def _problem_of_name(backend: bytes) -> str | None:
    try:
        name = backend.decode()
    except UnicodeDecodeError:
        return "has a name that is not UTF-8"
    if name in SUPPORTED:
        return None
    if not name:
        return "names no backend"
    if name in OTHER_PLUGINS:
        return f"names {name}, a plug-in that NIXL has but this variable does not support"
    near = suggestion(name, SUPPORTED)
    return f"names an unknown backend{f' (did you mean {PREFIX}{near}?)' if near else ''}"


def _contradiction(settings: Sequence[Setting]) -> Iterator[Fault]:
    """Yield a fault if two spellings of one name mean different things: nothing says which was meant."""
    first = settings[0] if settings else None
    other = next((setting for setting in settings if first and setting.on != first.on), None)
    if first and other:
        yield Fault(first.variable, first.value, f"contradicts {other}", "one of the two")


def _select(settings: Mapping[str, tuple[Setting, ...]]) -> Selection:
    enabled = [backend for backend in SUPPORTED if any(setting.on for setting in settings[backend])]
    return Selection(tuple(_decide(backend, settings[backend], enabled) for backend in SUPPORTED))


def _decide(backend: str, settings: tuple[Setting, ...], enabled: Sequence[str]) -> Decision:
    """Return the decision on one backend, whose settings agree."""
    by = " and ".join(map(str, settings))
    if backend in enabled:
        return Decision(backend, "enabled", settings, f"{backend} is used: switched on by {by}.")
    if settings:
        return Decision(backend, "disabled", settings, f"{backend} is not used: switched off by {by}.")
    if backend != DEFAULT:
        return Decision(backend, "unset", (), f"{backend} is not used: no {PREFIX}{backend} is set.")
    if enabled:
        why = (
            f"{backend} is not used: it is the default only if nothing is switched on, and {' and '.join(enabled)} is."
        )
        return Decision(backend, "unset", (), why)
    return Decision(backend, "default", (), f"{backend} is used: the default, as no {PREFIX}* switches a backend on.")
