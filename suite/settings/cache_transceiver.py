"""`cache_transceiver_config` and the environment -> Resolution: the method that moves the KV cache, and why.

The model has the fields of TensorRT-LLM's `CacheTransceiverConfig`
(`tensorrt_llm/llmapi/llm_args.py`) and is stricter in one thing: a value must
have the type that is written, so `"60000"`, `true` and `1.0` are no integers.
Rules R1, R11 and R12 of the source page decide between NIXL and UCX; where the
page is silent, `docs/semantics.md` gives our reading and its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from suite.settings import engine_yaml, nixl_backends
from suite.settings.faults import Fault, SettingsError, show, show_name, suggestion
from suite.settings.profiles import SOURCE_PAGE, Method, Profile, profile_named

if TYPE_CHECKING:
    from pathlib import Path

    from suite.settings.nixl_backends import Selection

SECTION = "cache_transceiver_config"
RENAMED = MappingProxyType({"max_num_tokens": "max_tokens_in_buffer"})  # mid-2025
# Likeness from which a top-level key is a misspelt SECTION; TensorRT-LLM's own `kv_cache_config` has 0.62.
_MISSPELT = 0.85

Backend = Literal["DEFAULT", "UCX", "NIXL", "MOONCAKE", "MPI"]
Runtime = Literal["CPP", "PYTHON", "auto"]
Integer = Annotated[int, Field(ge=-(2**63), lt=2**63)]  # they end up in C++
Positive = Annotated[int, Field(gt=0, lt=2**63)]

_METHODS: Mapping[Backend, Method] = MappingProxyType(
    {"UCX": "ucx", "NIXL": "nixl", "MOONCAKE": "mooncake", "MPI": "mpi"}
)
_TRANSPORTS: Mapping[Method, tuple[str, ...]] = MappingProxyType(
    {"ucx": ("ucx",), "mooncake": ("mooncake:tcp",), "mpi": ("mpi",), "disabled": ()}
)


class CacheTransceiverConfig(BaseModel):
    """The section as TensorRT-LLM defines it; a field's description is what a message says is accepted."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    backend: Backend | None = Field(None, description="DEFAULT, UCX, NIXL, MOONCAKE, MPI or null")
    transceiver_runtime: Runtime | None = Field("auto", description="CPP, PYTHON, auto or null")
    max_tokens_in_buffer: Integer | None = Field(None, description="an integer or null")
    kv_transfer_timeout_ms: Positive | None = Field(60_000, description="a positive integer or null")
    kv_transfer_sender_future_timeout_ms: Positive | None = Field(1_000, description="a positive integer or null")
    kv_transfer_poll_interval_ms: Positive | None = Field(5_000, description="a positive integer or null")
    kv_cache_bounce_size_mb: int = Field(0, ge=0, lt=2**63, description="an integer, 0 or more")
    enable_pipelined_transfer: bool = Field(default=False, description="true or false")

    @property
    def chosen(self) -> bool:
        """Whether `backend` is written at all; null counts, the default does not."""
        return "backend" in self.model_fields_set


@dataclass(frozen=True)
class Resolution:
    """The method, the transports that it names (with NIXL one for each backend), and one sentence for each step there."""

    method: Method
    transports: tuple[str, ...]
    why: tuple[str, ...]
    selection: Selection | None  # only with NIXL, and only where `DYN_KVBM_*` choose its backends

    def require(self) -> str:
        """Return the transports as `ResolveMethod` does; NIXL with no backend left is a `BadInput`."""
        if self.selection is not None:
            self.selection.require()
        return ",".join(self.transports) or self.method


def read_engine_config(path: Path) -> CacheTransceiverConfig | None:
    """Return the section of an engine's YAML file (at most 1 MiB), None without one; raise `BadInput` with every fault."""
    return from_mapping(engine_yaml.read_mapping(path), source=engine_yaml.shown_path(path))


def from_mapping(engine: Mapping[Any, object], *, source: str = "") -> CacheTransceiverConfig | None:
    """Return the section of a whole engine configuration, None without one; its other keys are not ours."""
    misspelt = [key for key in engine if isinstance(key, str) and _means_section(key)]
    if misspelt:
        raise SettingsError(
            [Fault(show_name(k), show(engine[k]), f"is unknown (did you mean {SECTION}?)", SECTION) for k in misspelt],
            source,
        )
    if SECTION not in engine:
        return None
    section = engine[SECTION]
    if section is None:  # TensorRT-LLM: no transfer, as with a null backend
        return CacheTransceiverConfig(backend=None)
    if not isinstance(section, Mapping):
        raise SettingsError([Fault(SECTION, show(section), "is not a mapping", "a mapping or null")], source)
    return _validated(section, source)


def resolve(
    config: CacheTransceiverConfig | None, environment: Mapping[bytes, bytes], profile: str = SOURCE_PAGE
) -> Resolution:
    """Return how the KV cache moves; only `source-page` with NIXL reads `DYN_KVBM_*` variables and raises their faults."""
    row = profile_named(profile)
    method, why = _method(config, environment, row)
    if method != "nixl":
        unread = _unread(environment, f"the method is {method}")
        return Resolution(method, _TRANSPORTS[method], (*why, *unread), None)
    if row.nixl_backends != "DYN_KVBM":
        backend, because = row.release_backend(environment)
        unread = _unread(environment, "TensorRT-LLM's own transfer knows no such variable")
        return Resolution(method, (f"nixl:{backend}",), (*why, because, *unread), None)
    selection = nixl_backends.parse_backends(environment)
    transports = tuple(f"nixl:{backend}" for backend in selection.backends)
    return Resolution(method, transports, (*why, *selection.why), selection)


def resolve_method(engine: Mapping[str, object], environment: Mapping[bytes, bytes], profile: str = SOURCE_PAGE) -> str:
    """Return `nixl:UCX`, `nixl:UCX,nixl:GDS`, `ucx`, `disabled`, ...: the reference as the protocol `ResolveMethod`."""
    return resolve(from_mapping(engine), environment, profile).require()


def _method(
    config: CacheTransceiverConfig | None, environment: Mapping[bytes, bytes], row: Profile
) -> tuple[Method, tuple[str, ...]]:
    if config is None or not config.chosen:
        where = f"{SECTION} is absent" if config is None else f"{SECTION} has no backend"
        if row.without_backend == "disabled":
            return "disabled", (f"{where}: the profile {row.name} transfers nothing.",)
        as_default = "read as DEFAULT (TensorRT-LLM itself transfers nothing without a backend)"
        return _open_choice(f"{where}, {as_default}", environment, row)
    if config.backend is None:
        return "disabled", (f"{SECTION} or its backend is null: TensorRT-LLM transfers nothing.",)
    if config.backend == "DEFAULT":
        return _open_choice(f"{SECTION}.backend is DEFAULT", environment, row)
    return _METHODS[config.backend], (f"{SECTION}.backend is {config.backend}.",)


def _open_choice(where: str, environment: Mapping[bytes, bytes], row: Profile) -> tuple[Method, tuple[str, ...]]:
    selector = row.chosen_by(environment)
    if selector is None:
        return row.fallback, (
            f"{where}: {row.fallback} by default in the profile {row.name}.",
            *row.ignored(environment),
        )
    value = show(environment[selector.variable.encode()])
    return selector.method, (
        f"{where}: {selector.variable}={value} chooses {selector.method}.",
        *row.ignored(environment),
    )


def _unread(environment: Mapping[bytes, bytes], reason: str) -> tuple[str, ...]:
    """Return a sentence if backends of NIXL are set though nothing will read them, also when they are wrong."""
    because = f"not read, as {reason}"
    try:
        decisions = nixl_backends.parse_backends(environment).decisions
    except SettingsError as error:
        return (f"{nixl_backends.PREFIX}*: {because}; NIXL would refuse {error.faults[0]}",)
    settings = [str(setting) for decision in decisions for setting in decision.settings]
    return (f"{' and '.join(settings)}: {because}.",) if settings else ()


def _means_section(key: str) -> bool:
    return key != SECTION and suggestion(key.replace("-", "_"), [SECTION], likeness=_MISSPELT) != ""


def _validated(section: Mapping[object, object], source: str) -> CacheTransceiverConfig:
    """Return the model, or raise a line of ours for each key and value; pydantic's own text is for programmers.

    Unknown keys are found here, because at one that is not Unicode pydantic stops and names no other fault.
    """
    known = {key: section[key] for key in CacheTransceiverConfig.model_fields if key in section}
    faults = [_unknown_key(key, value) for key, value in section.items() if key not in known]
    try:
        config = CacheTransceiverConfig.model_validate(known)
    except ValidationError as error:
        bad = {str(detail["loc"][0]) for detail in error.errors(include_url=False)}
        faults += [_bad_value(key, known[key]) for key in bad]
    else:
        if not faults:
            return config
    raise SettingsError(sorted(faults, key=lambda fault: fault.variable), source)


def _bad_value(key: str, value: object) -> Fault:
    choices = {"backend": get_args(Backend), "transceiver_runtime": get_args(Runtime)}.get(key, ())
    near = suggestion(value, choices) if isinstance(value, str) else ""
    accepted = CacheTransceiverConfig.model_fields[key].description or ""
    return Fault(f"{SECTION}.{key}", show(value), f"cannot be accepted{_did_you_mean(near)}", accepted)


def _unknown_key(key: object, value: object) -> Fault:
    fields = CacheTransceiverConfig.model_fields
    near = RENAMED.get(key) or suggestion(key, fields) if isinstance(key, str) else ""
    name = show_name(key) if isinstance(key, str) else show(key)
    return Fault(f"{SECTION}.{name}", show(value), f"is an unknown key{_did_you_mean(near)}", ", ".join(fields))


def _did_you_mean(near: str) -> str:
    return f" (did you mean {near}?)" if near else ""
