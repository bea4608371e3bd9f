"""A sweep spec: what to measure, read from TOML.

A `SweepSpec` that exists can be planned (`perf.planning`): whatever a spec can have
wrong is found when it is read, and told with its file and key.
"""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from perf.document import parse_toml, read_toml
from perf.memory import HOST_TO_HOST, parse_pair
from perf.planning import points
from perf.record import Operation
from suite.errors import BadInput
from suite.kv.geometry import Layout, layout
from suite.kv.stamp import WORD
from suite.run.complaint import complaint, did_you_mean, shown
from suite.units import parse_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

PRESETS = ("quick", "standard", "engines", "error-handling", "ucx-multi-gpu", "gds", "gpu-check", "emulated")
STAND_IN = "nixl:UCX"  # what a spec measures unless an environment selects something else
ELEMENT_BYTES = {"bf16": 2, "fp16": 2, "fp8": 1}

_TRANSPORT = re.compile(r"[a-z][a-z0-9_]*(:[A-Za-z0-9_]+)?")

T = TypeVar("T")


def _distinct(values: list[T]) -> list[T]:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise BadInput("named-twice", f"{shown(value)} is named twice", "name each once")
    return values


def _transport(name: str) -> str:
    if not _TRANSPORT.fullmatch(name):
        hint = "accepted: a transport such as nixl:UCX, mooncake:tcp, ucx or copy"
        raise BadInput("bad-transport", f"{shown(name)} cannot be a transport", hint)
    return name


def _model(name: str) -> str:
    layout(name)
    return name


def _pair(text: str) -> str:
    return str(parse_pair(text))


def _size(value: object) -> object:
    return parse_bytes(value) if isinstance(value, str) else value


def _whole_words(nbytes: int) -> int:
    if nbytes % WORD:
        raise BadInput("bad-size", f"{nbytes} bytes are not checkable", f"a multiple of {WORD} bytes: content is words")
    return nbytes


Names = Field(min_length=1, max_length=64)
Transports = Annotated[
    list[Annotated[str, Field(max_length=200), AfterValidator(_transport)]], Names, AfterValidator(_distinct)
]
Ops = Annotated[list[Operation], Names, AfterValidator(_distinct)]
Memories = Annotated[
    list[Annotated[str, Field(max_length=64), AfterValidator(_pair)]], Names, AfterValidator(_distinct)
]
Pairs = Annotated[list[Literal["alone", "together"]], Names, AfterValidator(_distinct)]
Setting = Annotated[str, Field(max_length=200)]
# transport -> its variants: {"nixl:POSIX" = [{io = "direct"}, {io = "buffered"}]}
Settings = Annotated[
    dict[Annotated[str, AfterValidator(_transport)], Annotated[list[dict[Setting, Setting]], Names]],
    Field(max_length=64),
]
Units = Annotated[list[Literal["head", "page", "layer", "block"]], Names, AfterValidator(_distinct)]
Patterns = Annotated[list[Literal["contiguous", "scattered"]], Names, AfterValidator(_distinct)]
Sizes = Annotated[
    list[Annotated[int, Field(ge=1, le=1 << 36), BeforeValidator(_size), AfterValidator(_whole_words)]],
    Names,
    AfterValidator(_distinct),
]
# windows x samples stays within what `PointRecord.durations_ns` holds
Samples = Annotated[int, Field(ge=1, le=50_000)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class KvSweep(_Table):
    """`[[kv]]`: one request's paged KV cache of a real model, a sample at a time."""

    model: Annotated[str, AfterValidator(_model)]
    dtype: Literal["bf16", "fp16", "fp8"] = "bf16"
    tokens: int = Field(ge=1, le=100_000_000)  # of one sample
    tokens_per_block: int = Field(default=32, ge=1, le=65_536)
    transports: Transports
    ops: Ops
    units: Units
    patterns: Patterns
    memory: Memories = Field(default=[HOST_TO_HOST])  # "cuda:* -> cuda:*" is every ordered pair of devices
    pairs: Pairs = Field(default=["alone"])  # "together": all pairs of `memory` transfer at the same time
    settings: Settings = Field(default={})
    samples: Samples = 4  # per window

    @field_validator("units")
    @classmethod
    def _units_of_this_layout(cls, units: list[str], info: ValidationInfo) -> list[str]:
        if "model" in info.data:  # else its own fault is told
            for unit in units:  # which units there are depends on the model only
                layout(info.data["model"]).unit_bytes(unit)
        return units

    @property
    def layout(self) -> Layout:
        """How the model's KV cache lies in a block."""
        return layout(self.model, tokens_per_block=self.tokens_per_block, element_bytes=ELEMENT_BYTES[self.dtype])


class MessageSweep(_Table):
    """`[[bytes]]`: one plain message a sample, for latency."""

    sizes: Sizes
    transports: Transports
    ops: Ops
    patterns: Annotated[list[Literal["scattered", "hot"]], Names, AfterValidator(_distinct)] = Field(
        default=["scattered"]
    )
    memory: Memories = Field(default=[HOST_TO_HOST])
    pairs: Pairs = Field(default=["alone"])
    settings: Settings = Field(default={})
    samples: Samples = 1_000  # per window


class SweepSpec(_Table):
    """What a sweep measures, and how often."""

    launches: int = Field(default=6, ge=1, le=1_000)  # fresh worker groups: the unit of repetition
    windows: int = Field(default=2, ge=1, le=100)  # timed, per point and launch, after one warm-up window
    ceilings: bool = False  # in every launch, what a memory copy, TCP loopback and the volume reach
    witness: bool = False  # in every launch, ucx_perftest beside each hot point of UCX's
    # transports that are left out, with a note, where this machine lacks them; all others are then an error
    optional: Annotated[
        list[Annotated[str, Field(max_length=200), AfterValidator(_transport)]], Field(max_length=64)
    ] = Field(default=[])
    kv: list[KvSweep] = Field(default_factory=list, max_length=64)
    messages: list[MessageSweep] = Field(default_factory=list, max_length=64, alias="bytes")

    def carried_by(self, transports: Sequence[str]) -> SweepSpec:
        """Return this spec with `transports` in place of nixl:UCX, its stand-in for them, and before all others."""

        def swept(table: KvSweep | MessageSweep) -> list[str]:
            return [*transports, *(name for name in table.transports if name not in {STAND_IN, *transports})]

        return self.model_copy(
            update={
                "kv": [table.model_copy(update={"transports": swept(table)}) for table in self.kv],
                "messages": [table.model_copy(update={"transports": swept(table)}) for table in self.messages],
                "optional": [name for name in self.optional if name not in transports],  # asked for: must be there
            }
        )

    @model_validator(mode="after")
    def _can_be_planned(self) -> SweepSpec:
        points(self)
        return self


def load_spec(name_or_path: str) -> SweepSpec:
    """Return the spec of a preset, or of the TOML file at a path; raise `BadInput` for anything wrong with it.

    A preset's name wins over a file of that name: write `./quick` for the file.
    """
    if name_or_path in PRESETS:
        source = f"{name_or_path}.toml"
        preset = resources.files("perf").joinpath("presets", source)
        return check_spec(parse_toml(preset.read_bytes(), source=source), source=source)
    hint = f"{did_you_mean(name_or_path, PRESETS)}presets: {', '.join(PRESETS)}; or the path of a TOML file"
    return check_spec(read_toml(Path(name_or_path), missing=hint), source=name_or_path)


def check_spec(document: object, *, source: str) -> SweepSpec:
    """Return the spec in a parsed document, e.g. a manifest's; `source` names it in errors."""
    try:
        return SweepSpec.model_validate(document)
    except ValidationError as error:
        raise complaint(error, source=source, model=SweepSpec) from None
