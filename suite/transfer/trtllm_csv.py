"""The timings that TensorRT-LLM writes about its KV transfers -> ours: ns, bytes, GB/s (1e9).

Two writers, three sets of columns:

- C++ (`cpp/tensorrt_llm/batch_manager/dataTransceiver.cpp`: `exportMeasure`; folder
  `TRTLLM_KVCACHE_TIME_OUTPUT_PATH`): `rank_<r>_send.csv` and `rank_<r>_recv.csv`, newer
  ones `<instance>_<r>_...`. A row is a request. The old columns are `RequestID`, then
  Delay, Duration, Bandwidth for each peer; the new ones have five phases between them.
  Milliseconds, and decimal Gbit/s. The header is as wide as the first row: later rows
  may be wider.
- Python (`tensorrt_llm/_torch/disaggregation/native/perf_logger.py`;
  `TLLM_KV_TRANSFER_PERF_LOG_FILE`): `<base>_<instance>_<r>.csv`. A row is a task for one
  peer. Milliseconds, and MiB/s in spite of the name `throughput_mbs`.

The two time different spans, and TensorRT-LLM's own `cache_transceiver_test` says not to
compare them. C++ takes each phase from the one before, whichever came first, so it may be negative.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from suite.errors import BadInput
from suite.run.complaint import shown
from suite.transfer.csv_cells import Cell, any_ns, ns, optional, positive, rate_gb_per_s, taken_ns, whole
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_FILE_BYTES = 16 << 20
MAX_LINE_BYTES = 1 << 20

Form = Literal["cpp-old", "cpp", "python"]
Side = Literal["send", "recv"]

PHASES = ("RequestInfo", "Preparation", "Preprocess", "Transmissions", "Postprocess")
TRIPLE = ("Delay", "Duration", "Bandwidth(Gbps)")
TASK = (
    "timestamp",
    "task_type",
    "unique_rid",
    "peer_rank",
    "transfer_size_bytes",
    "avg_segment_size_bytes",
    "transfer_entry_count",
    "prepare_args_latency_ms",
    "queue_latency_ms",
    "transfer_latency_ms",
    "task_latency_ms",
    "throughput_mbs",
)
_OLD_TRIPLE = ("Delay(ms)", "Duration(ms)", "Bandwidth(Gbps)")
_FIXED: Mapping[Form, tuple[str, ...]] = {"cpp-old": ("RequestID",), "cpp": ("RequestID", *PHASES)}
_TRIPLE: Mapping[Form, tuple[str, ...]] = {"cpp-old": _OLD_TRIPLE, "cpp": TRIPLE}
_ACCEPTED = (
    f"RequestID,{','.join(_OLD_TRIPLE)},... (C++, old); RequestID,{','.join((*PHASES, *TRIPLE))},... (C++);"
    f" {','.join(TASK)} (Python)"
)

_CPP_NAME = re.compile(r"(?:.*_)?(?P<rank>[0-9]{1,6})_(?P<side>send|recv)\.csv", re.DOTALL)
_PYTHON_NAME = re.compile(r"(?:.*_)?(?P<rank>[0-9]{1,6})\.csv", re.DOTALL)
_TASK_TYPE = re.compile(r"[A-Za-z]{1,40}(?P<side>Send|Recv)Task")
_NOT_FINITE = frozenset({"inf", "nan", "-nan"})  # what C++ prints for bytes, or none, divided by no time


@dataclass(frozen=True, slots=True)
class Transmission:
    """What one peer was sent or sent. None is what the file does not tell.

    The rate is as printed, from Gbit/s or MiB/s; None too where it was divided by no
    time. The C++ files have the peers in the order of their connections, unnamed, and
    no bytes; those that six printed digits of rate and time give would only be near.
    """

    peer_rank: int | None = None
    delay_ns: int | None = None  # C++: from the end of Preprocess to the start
    duration_ns: int | None = None
    wire_bytes: int | None = None
    descriptors: int | None = None
    gb_per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrtllmTiming:
    """One row: a request of a rank (C++), or its task for one peer (Python). None is what the file does not tell."""

    form: Form
    side: Side
    rank: int | None = None  # from the file's name
    task: str | None = None  # KVSendTask, AuxSendTask, KVRecvTask; Python only
    request: int
    request_info_ns: int | None = None  # C++: from the start until the request's information is there
    preparation_ns: int | None = None  # C++: until the formatter starts; Python: making the arguments
    queue_ns: int | None = None  # Python only
    preprocess_ns: int | None = None  # C++: gathering into buffers
    transmission_ns: int | None = None  # C++: of all peers
    postprocessing_ns: int | None = None  # C++ only
    task_ns: int | None = None  # Python: the whole task
    transmissions: tuple[Transmission, ...]
    unit_as_printed: Literal["Gbit/s", "MiB/s"]


def read_timings(path: Path) -> list[TrtllmTiming]:
    """Return the rows of one of TensorRT-LLM's files; its header says which form it is.

    Raises `BadInput` with the file, line and column for whatever TensorRT-LLM does not
    write; also for a last line that was cut, because a number that lost its last digits is
    still a number. The side of a C++ file is in its name only, so a renamed one is refused.
    """
    lines = _lines(path)
    header = lines[0].split(",")
    if tuple(header) == TASK:
        named = _PYTHON_NAME.fullmatch(path.name)
        rank = int(named["rank"]) if named else None
        return [_task(_cells(path, number, line, len(TASK)), rank) for number, line in enumerate(lines[1:], 2)]
    form, seat = _cpp_form(path, header), _cpp_seat(path)
    return [_request(path, number, line, form, seat) for number, line in enumerate(lines[1:], 2)]


def _lines(path: Path) -> list[str]:
    """Return the lines of a file, at least one."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise BadInput("no-such-file", f"{path}: no such file", "name a CSV file that TensorRT-LLM wrote") from None
    except OSError as error:
        raise BadInput("unreadable-file", f"{path}: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        hint = f"at most {format_bytes(MAX_FILE_BYTES)}: split it, and give each part the header"
        raise BadInput("file-too-large", f"{path} is larger than {format_bytes(MAX_FILE_BYTES)}", hint)
    if not data:
        hint = "TensorRT-LLM writes the header with the first transfer: there may have been none"
        raise BadInput("empty-file", f"{path} is empty", hint)
    lines = data.split(b"\n")
    if lines.pop():
        place = f"{path}:{len(lines) + 1}"
        raise BadInput("torn-line", f"{place}: the line was cut short, it has no end", "remove it to read the others")
    return [_decoded(line, f"{path}:{number}") for number, line in enumerate(lines, 1)]


def _decoded(line: bytes, place: str) -> str:
    if len(line) > MAX_LINE_BYTES:
        raise BadInput("line-too-long", f"{place}: longer than {format_bytes(MAX_LINE_BYTES)}")
    try:
        return line.decode("ascii").removesuffix("\r")
    except UnicodeDecodeError as error:
        message = f"{place}: byte {error.start + 1} is not ASCII"
        raise BadInput("bad-value", message, "the file was changed or damaged") from None


def _cpp_form(path: Path, header: list[str]) -> Form:
    """Return which of the C++ forms a header is of; both are as wide as their first row."""
    form: Form = "cpp" if len(header) > 1 and header[1] == PHASES[0] else "cpp-old"
    peers = max(1, (len(header) - len(_FIXED[form])) // 3)
    expected = (*_FIXED[form], *_TRIPLE[form] * peers)
    for column, (found, right) in enumerate(zip(header, expected, strict=False), 1):
        if found != right:
            raise BadInput("wrong-columns", f"{path}:1: column {column} is {shown(found)}", f"accepted: {_ACCEPTED}")
    if len(header) != len(expected):
        message = f"{path}:1: {len(header)} columns end in the middle of the columns of a peer"
        raise BadInput("wrong-columns", message, f"accepted: {_ACCEPTED}")
    return form


def _cells(path: Path, number: int, line: str, count: int) -> list[Cell]:
    texts, place = line.split(","), f"{path}:{number}"
    if len(texts) != count:
        raise BadInput("wrong-columns", f"{place}: {len(texts)} columns", f"accepted: {count}, as in the header")
    return [Cell(text, place, name) for text, name in zip(texts, TASK, strict=True)]


def _task(cells: list[Cell], rank: int | None) -> TrtllmTiming:
    """Return a row of the Python form. Its zeros are times that were not taken, or that three decimals do not show."""
    task = _TASK_TYPE.fullmatch(cells[1].text)
    if task is None:
        raise cells[1].refused("KVSendTask, AuxSendTask, KVRecvTask")
    nbytes, segment, descriptors, prepare, queue, transfer, latency, rate = cells[4:]
    optional(segment, positive)  # bytes by descriptors; only its form matters
    return TrtllmTiming(
        form="python",
        side="send" if task["side"] == "Send" else "recv",
        rank=rank,
        task=task[0],
        request=whole(cells[2]),
        preparation_ns=taken_ns(prepare),
        queue_ns=taken_ns(queue),
        transmission_ns=taken_ns(transfer),
        task_ns=taken_ns(latency),
        transmissions=(
            Transmission(
                peer_rank=whole(cells[3]),
                duration_ns=taken_ns(transfer),
                wire_bytes=optional(nbytes, whole),
                descriptors=optional(descriptors, whole),
                gb_per_s=optional(rate, _mebibytes) or None,
            ),
        ),
        unit_as_printed="MiB/s",
    )


def _mebibytes(cell: Cell) -> float:
    return rate_gb_per_s(cell, (1 << 20) / 1e9)


def _cpp_seat(path: Path) -> tuple[Side, int]:
    """Return the side and rank in a file's name."""
    named = _CPP_NAME.fullmatch(path.name)
    if named is None:
        message = f"{path}: the name does not tell the side"
        raise BadInput("no-side", message, "accepted: rank_<r>_send.csv or rank_<r>_recv.csv")
    return ("send" if named["side"] == "send" else "recv"), int(named["rank"])


def _request(path: Path, number: int, line: str, form: Form, seat: tuple[Side, int]) -> TrtllmTiming:
    """Return a row of a C++ form, however many peers it has. `0.0` is a phase that was not taken: a taken 0 is `0`."""
    texts, names, place = line.split(","), _FIXED[form], f"{path}:{number}"
    peers, left = divmod(len(texts) - len(names), 3)
    if peers < 1 or left:
        hint = f"accepted: {len(names)}, and 3 for each peer"
        raise BadInput("wrong-columns", f"{place}: {len(texts)} columns", hint)
    cells = [Cell(text, place, name) for text, name in zip(texts, names, strict=False)]
    phases = [None if cell.text == "0.0" else any_ns(cell) for cell in cells[1:]] or [None] * len(PHASES)
    request_info, preparation, preprocess, transmission, postprocessing = phases
    return TrtllmTiming(
        form=form,
        side=seat[0],
        rank=seat[1],
        request=whole(cells[0]),
        request_info_ns=request_info,
        preparation_ns=preparation,
        preprocess_ns=preprocess,
        transmission_ns=transmission,
        postprocessing_ns=postprocessing,
        transmissions=tuple(
            _transmission(texts[start : start + 3], place, start) for start in range(len(names), len(texts), 3)
        ),
        unit_as_printed="Gbit/s",
    )


def _transmission(texts: list[str], place: str, before: int) -> Transmission:
    delay, duration, rate = (
        Cell(text, place, name, before + column)
        for column, (text, name) in enumerate(zip(texts, TRIPLE, strict=True), 1)
    )
    return Transmission(
        delay_ns=any_ns(delay),
        duration_ns=ns(duration),
        gb_per_s=None if rate.text in _NOT_FINITE else rate_gb_per_s(rate, 1 / 8),
    )
