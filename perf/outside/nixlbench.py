"""nixlbench's table -> results. Its GB are 1e9 bytes; its "Avg Lat." is no latency.

By nixlbench's source (ai-dynamo/nixl, benchmark/nixlbench/src/utils/utils.cpp,
printStats): B/W = block x batch x iterations / 1e9 / seconds of the whole cell;
Avg Lat. = that time / iterations of a thread / batch; Tx begins when post has
returned. The banner may hold keys of an object store: only the flags in `_FLAGS` are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from perf.outside.lines import damaged, integer, number, numbered, row_like
from perf.outside.result import NO_LINE_END, NO_SPREAD, OutsideResult, Timing
from suite.errors import BadInput

TOOL = "nixlbench"
_PHASES = "Avg Prep (us) P99 Prep (us) Avg Post (us) P99 Post (us) Avg Tx (us) P99 Tx (us)"
_TWO_RANKS = f"Block Size (B) Batch Size B/W (GB/Sec) Avg Lat. (us) {_PHASES}"
_MORE_RANKS = f"Block Size (B) Batch Size B/W (GB/Sec) Aggregate B/W (GB/Sec) Network Util (%) Avg Lat. (us) {_PHASES}"
_COLUMNS = {_TWO_RANKS: 10, _MORE_RANKS: 12}
_HEADING = "Block Size (B)"
_BANNER = "NIXLBench Configuration"
_OPTION = re.compile(r"[^:]{1,200}\(--(?P<flag>\w{1,40})\b[^)]{0,200}\)\s*: ?(?P<value>[\w.+-]{1,40})", re.ASCII)
_FLAGS = {"backend", "op_type", "initiator_seg_type", "target_seg_type", "scheme", "mode", "check_consistency"} | {
    "num_iter",
    "num_threads",
    "pipeline_depth",
    *(f"{end}_{axis}_size" for end in ("start", "max") for axis in ("block", "batch")),
}
_LARGE = 1 << 20  # blocks beyond it are moved fewer times than num_iter says

_AMORTISED = '"Avg Lat." is the time of all iterations divided by them and by the batch: no latency of a request.'
_CACHED = "It moves the same contiguous blocks in every iteration, so from caches, and not paged."
_UNCHECKED = "Its bytes were not verified."
_HARDLY_CHECKED = "Its check compares every byte with one constant: blocks that are swapped or stale pass it."
_SILENT = "Not known to be whole: there is a run in the file that no rows follow."
_NO_BANNER = "No banner: op, back end and memory are not told, nor whether the table is whole."


@dataclass
class _Run:
    """One run in the file: what its banner told, the columns of its table, its rows."""

    flags: dict[str, str] = field(default_factory=dict)
    columns: int = 0
    rows: list[tuple[int, list[float]]] = field(default_factory=list)


def matches(text: str) -> bool:
    """Tell whether there is a banner or a heading of nixlbench."""
    return any(line == _BANNER or line.startswith(_HEADING) for _, line in numbered(text))


def read(text: str, source: str) -> list[OutsideResult]:
    """Return a result for each row of all runs in `text`. Raises `BadInput` for an unknown table or a damaged row."""
    runs = _runs(text, source)
    if not any(run.rows for run in runs):
        raise BadInput("no-results", f"{source}: {TOOL} printed no row", "it failed, or this is the target's output")
    ending = () if text.endswith("\n") else (NO_LINE_END,)
    if any(not run.rows for run in runs[1:]):
        ending = (*ending, _SILENT)
    return [_result(run, at, cells, source, (*_about(run), *ending)) for run in runs for at, cells in run.rows]


def _runs(text: str, source: str) -> list[_Run]:
    runs = [_Run()]
    for at, line in numbered(text):
        run = runs[-1]
        if line == _BANNER:
            runs.append(_Run())
        elif line.startswith(_HEADING):
            if run.columns:  # a table without a banner after another one
                runs.append(run := _Run())
            run.columns = _width(line, source, at)
        elif run.columns and row_like(line):
            run.rows.append((at, _cells(line, run.columns, source, at)))
        elif not run.columns and (option := _OPTION.fullmatch(line)) and option["flag"] in _FLAGS:
            run.flags[option["flag"]] = option["value"]
    return runs


def _width(line: str, source: str, at: int) -> int:
    words = " ".join(line.split())
    if words not in _COLUMNS:
        raise damaged(source, at, line, f"a table of {TOOL} with columns that are not known")
    return _COLUMNS[words]


def _cells(line: str, columns: int, source: str, at: int) -> list[float]:
    words = line.split()
    cells = [found for word in words if (found := number(word)) is not None]
    if len(words) != columns or len(cells) != columns or not all(integer(word) for word in words[:2]):
        raise damaged(source, at, line, f"not a row of {columns} numbers of {TOOL}")
    return cells


def _result(run: _Run, at: int, cells: list[float], source: str, notes: tuple[str, ...]) -> OutsideResult:
    flags, aggregate = run.flags, cells[3] if run.columns == _COLUMNS[_MORE_RANKS] else None
    amortised, _, _, post, _, wait, _ = cells[-7:]
    if aggregate is not None:
        notes = (*notes, f"Of rank 0 alone; all ranks together, by {TOOL}: {aggregate:g} GB/s.")
    return OutsideResult(
        tool=TOOL,
        source=f"{source}:{at}",
        gb_per_s=cells[2],
        unit_as_printed="GB/Sec",
        op=flags.get("op_type", "").lower(),
        pattern=" ".join(filter(None, [flags.get("scheme"), flags.get("mode"), "contiguous"])),
        transport=f"nixl:{flags['backend']}" if "backend" in flags else "",
        source_memory=flags.get("initiator_seg_type", ""),
        destination_memory=flags.get("target_seg_type", ""),
        block_bytes=int(cells[0]),
        batch=int(cells[1]),
        # of a pair of ranks; how many more there were is not told
        initiators=integer(flags.get("num_threads", "")) if aggregate is None else None,
        count=integer(flags.get("num_iter", "")) if cells[0] <= _LARGE else None,
        timings=(
            Timing((post + wait) * 1e3, "mean of post + mean of Tx"),
            Timing(amortised * 1e3, "amortised over the batch"),
        ),
        notes=notes,
    )


def _about(run: _Run) -> tuple[str, ...]:
    """Return what is to be said of every row of a run."""
    flags = run.flags
    notes = [NO_SPREAD, _AMORTISED, _CACHED]
    notes.append(_HARDLY_CHECKED if flags.get("check_consistency") == "1" else _UNCHECKED)
    if not flags:
        return (*notes, _NO_BANNER)
    if flags.get("pipeline_depth", "1") != "1":
        notes.append(f"{flags['pipeline_depth']} requests were under way at once, so its times overlap.")
    announced = _steps(flags, "block_size") * _steps(flags, "batch_size")
    if announced != len(run.rows):
        told = f"{announced} that its banner announces" if announced else "an unknown number"
        notes.append(f"Not known to be whole: {len(run.rows)} rows of {told}.")
    return tuple(notes)


def _steps(flags: dict[str, str], name: str) -> int:
    """Return how many values an axis has, which doubles from its start to its end; 0 if that is not told."""
    start, most = (integer(flags.get(f"{end}_{name}", "")) for end in ("start", "max"))
    return (most // start).bit_length() if start and most else 0
