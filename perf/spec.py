"""A sweep spec: what to measure, read from TOML, and the points and the schedule it stands for.

A `SweepSpec` that exists can be planned: whatever a spec can have wrong is found
when it is read, and told with its file and key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import numpy as np
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

from perf.complaint import complaint, did_you_mean, shown
from perf.document import parse_toml, read_toml
from perf.identity import CEILING, PointKey, point_key
from perf.record import Point
from suite.errors import BadInput
from suite.kv.geometry import Layout, layout
from suite.kv.stamp import WORD
from suite.units import format_bytes, parse_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PRESETS = ("quick", "standard")
MAX_POINTS = 10_000
MAX_POOL_BYTES = 1 << 40  # of one worker; more is a slip of the keyboard
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
Ops = Annotated[list[Literal["push", "pull"]], Names, AfterValidator(_distinct)]
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
    samples: Samples = 1_000  # per window


class SweepSpec(_Table):
    """What a sweep measures, and how often."""

    launches: int = Field(default=6, ge=1, le=1_000)  # fresh worker groups: the unit of repetition
    windows: int = Field(default=2, ge=1, le=100)  # timed, per point and launch, after one warm-up window
    kv: list[KvSweep] = Field(default_factory=list, max_length=64)
    messages: list[MessageSweep] = Field(default_factory=list, max_length=64, alias="bytes")

    def carried_by(self, transports: Sequence[str]) -> SweepSpec:
        """Return this spec with `transports`, and the ceiling where it had it, in place of its own."""

        def swept(table: KvSweep | MessageSweep) -> list[str]:
            return [*transports, *(name for name in table.transports if name == CEILING and name not in transports)]

        return self.model_copy(
            update={
                "kv": [table.model_copy(update={"transports": swept(table)}) for table in self.kv],
                "messages": [table.model_copy(update={"transports": swept(table)}) for table in self.messages],
            }
        )

    @model_validator(mode="after")
    def _can_be_planned(self) -> SweepSpec:
        points(self)
        return self


@dataclass(frozen=True)
class PlannedPoint:
    """A point and what the measuring side needs to measure it."""

    point: Point
    kind: Literal["kv", "bytes"]
    layout: Layout | None  # None for plain messages
    tokens: int  # of one sample; 0 for plain messages
    windows: int  # timed
    samples: int  # per window, each to its own destination

    @property
    def pool_bytes(self) -> int:
        """Bytes of one worker's pool: every sample of a window, padded to whole blocks."""
        return self.samples * self.point.descriptors * self.point.descriptor_bytes


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


def points(spec: SweepSpec) -> list[PlannedPoint]:
    """Return every point of `spec`, in its own order; no two are equal.

    Equal points of different launches are repetitions, so the same point twice in one
    launch would be counted as two launches.
    """
    planned: dict[PointKey, tuple[str, PlannedPoint]] = {}
    for table, one in _planned(spec):
        key = point_key(one.point)
        if key in planned:
            message = f"{table} and {planned[key][0]} both plan {key.transport} {key.op} of {key.workload}, {key.unit}, {key.pattern}"
            raise BadInput("same-point-twice", message, "points must differ in more than tokens of the last block")
        if one.pool_bytes > MAX_POOL_BYTES:
            message = f"{table} needs {format_bytes(one.pool_bytes)} in each worker"
            raise BadInput(
                "too-much-memory", message, f"at most {format_bytes(MAX_POOL_BYTES)}: fewer samples or tokens"
            )
        planned[key] = table, one
        if len(planned) > MAX_POINTS:
            raise BadInput("too-many-points", f"more than {MAX_POINTS} points", "split the sweep")
    if not planned:
        raise BadInput("nothing-to-measure", "nothing to measure", "add a [[kv]] or [[bytes]] table")
    return [one for _, one in planned.values()]


def schedule(points: Sequence[PlannedPoint], launches: int, seed: int) -> list[list[int]]:
    """Return, for each launch, the indices of `points` in the order to measure them.

    Each launch has its own random order, so that neither a neighbour nor the time since
    the start favours a point. An order depends on the seed, the launch and the number of
    points alone: it stays the same when launches are added or a run is resumed.
    """
    if seed < 0:
        raise BadInput("bad-seed", f"the seed is {seed}", "accepted: 0 or more")
    return [np.random.default_rng((seed, launch)).permutation(len(points)).tolist() for launch in range(launches)]


def _planned(spec: SweepSpec) -> Iterator[tuple[str, PlannedPoint]]:
    """Yield every point with the name of the table that asks for it."""
    for index, kv in enumerate(spec.kv):
        for point in _kv_points(kv):
            yield f"kv[{index}]", PlannedPoint(point, "kv", kv.layout, kv.tokens, spec.windows, kv.samples)
    for index, messages in enumerate(spec.messages):
        for point in _message_points(messages):
            yield f"bytes[{index}]", PlannedPoint(point, "bytes", None, 0, spec.windows, messages.samples)


def _kv_points(kv: KvSweep) -> Iterator[Point]:
    sample_bytes = kv.layout.blocks(kv.tokens) * kv.layout.block_bytes
    for transport, op, unit, pattern in product(kv.transports, kv.ops, kv.units, kv.patterns):
        unit_bytes = kv.layout.unit_bytes(unit)
        yield Point(
            transport=transport,
            op=op,
            workload=kv.model,
            pattern=pattern,
            unit=unit,
            descriptor_bytes=unit_bytes,
            descriptors=sample_bytes // unit_bytes,
        )


def _message_points(messages: MessageSweep) -> Iterator[Point]:
    """Yield points of one descriptor: scattered, because each sample goes to a random slot of its own."""
    for transport, op, size in product(messages.transports, messages.ops, messages.sizes):
        yield Point(
            transport=transport,
            op=op,
            workload="bytes",
            pattern="scattered",
            unit="bytes",
            descriptor_bytes=size,
            descriptors=1,
        )
