"""Every doubt that kvgauge can have about a number: its code, how grave it is, what it means, and what to do.

A check may only raise an issue that stands here, so none is unknown, undocumented or lost:
`docs/validity.md` and the report's list of checks are made of this table. What a limit is, and why,
stands with the check that has it.

INVALID: the launch does not count. OPEN: it counts, and the reader must know. NOTE: no doubt, but worth knowing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from perf.record import Issue

if TYPE_CHECKING:
    from collections.abc import Iterable

Level = Literal["INVALID", "OPEN", "NOTE"]
LEVELS: tuple[Level, ...] = get_args(Level)
_MOST = 2_000  # characters of an issue's message: `perf.record.Issue`

UNKNOWN = "unknown"  # what stands for a code of another version


@dataclass(frozen=True)
class Doubt:
    """One kind of doubt. `levels`: the usual one first; another where the check says so."""

    code: str
    levels: tuple[Level, ...]
    title: str
    means: str
    remedy: str


REGISTRY: tuple[Doubt, ...] = (
    Doubt(
        "wrong-bytes", ("INVALID",), "Bytes are wrong",
        "After a window not every byte was what it must be, in what was moved, beside it, or in the source.",
        "Do not use this transport with these settings. The launch's failure names block, layer, head and token.",
    ),
    Doubt(
        "failed", ("OPEN", "INVALID"), "A launch failed",
        "A worker died, hung or gave up. The launches that are left count; without any there is no number.",
        "See the reason and the workers' logs in logs/. If it happens again, it is a fault to report.",
    ),
    Doubt(
        "contradiction", ("INVALID",), "Evidence contradicts",
        "What was asked for, what the library says and what the kernel counted exclude each other.",
        "Find out which wire carried the bytes before any number is believed: see the evidence section.",
    ),
    Doubt(
        "above-limit", ("INVALID",), "Faster than the link can be",
        "More bytes in less time than the line rate of the link that is said to have carried them.",
        "The clock, the evidence or the link's recorded rate is wrong. Report it with the run folder.",
    ),
    Doubt(
        "few-launches", ("OPEN",), "Too few launches",
        "Fewer launches count than an interval with 95 % needs. The median is given without one.",
        "Go on with --resume, or set more launches in the spec: 6 give an interval, 9 are the default of standard.",
    ),
    Doubt(
        "few-samples", ("OPEN",), "Too few samples",
        "A launch has so few transfers that its own median may be any of them.",
        "Set more samples or windows in the spec.",
    ),
    Doubt(
        "launches-differ", ("OPEN",), "Launches differ",
        "The throughputs of the launches are spread wide, and no single launch is the cause.",
        "Quiet the machine, pin the clock frequency, or take more launches; compare only what was interleaved.",
    ),
    Doubt(
        "samples-differ", ("OPEN",), "Transfers of a launch differ",
        "Inside a launch half of the transfers take much more or much less time than its median.",
        "Look at the curve of latencies: two humps are two ways of moving the bytes, such as two wires or page kinds.",
    ),
    Doubt(
        "drift", ("OPEN",), "Unsteady inside a launch",
        "Transfers became slower, or faster, from the beginning of a launch to its end.",
        "More windows show whether it settles: heat, clock frequency, a cache that fills, memory that fragments.",
    ),
    Doubt(
        "trend", ("OPEN",), "Unsteady over the run",
        "Launches became slower, or faster, in the order in which they were made.",
        "Something changed while the run went on. Repeat it when the machine is quiet, with more launches.",
    ),
    Doubt(
        "slow-start", ("OPEN",), "The first transfer of a window is slow",
        "It costs enough to change the throughput: something falls asleep, or is evicted, between windows.",
        "Take more samples in a window if your own transfers come back to back; if they do not, this is your number.",
    ),
    Doubt(
        "straggler", ("OPEN",), "One launch is far slower",
        "One launch stands apart from all others. It counts, and the median hardly moves.",
        "See its log and its load. If every run has one, the engine has a slow mode, and a user meets it.",
    ),
    Doubt(
        "slow-pair", ("OPEN",), "One pair is far slower",
        "Of the pairs that transferred at once one is much slower than the others.",
        "See which link it uses (the device matrix), and whether its workers share a core or a NUMA node.",
    ),
    Doubt(
        "loaded-machine", ("OPEN", "NOTE"), "Others used the machine",
        "While windows were open the initiator waited for a processor, the hypervisor took time away, or others were at work."
        " OPEN if that is so in half of the launches or more.",
        "Stop what else is running, or give the run cores of its own.",
    ),
    Doubt(
        "wire-unknown", ("OPEN",), "No proof of the wire",
        "Nothing shows what carried the bytes, so nothing can be said of a wire.",
        "See the reason that is given; UCX must be allowed to write its protocol table (UCX_PROTO_INFO).",
    ),
    Doubt(
        "several-wires", ("OPEN",), "Launches used different wires",
        "The same point was carried by different wires in different launches: its median is of a mixture.",
        "Name the wire (UCX_TLS), or read the launches apart in the downloads.",
    ),
    Doubt(
        "several-allocations", ("OPEN",), "Launches used different pages",
        "Some launches got huge pages and some did not.",
        "Free memory before the run, or reserve huge pages.",
    ),
    Doubt(
        "several-setups", ("OPEN",), "Launches had different setups",
        "Workers were not started alike, so the launches are no repetitions.",
        "Records of two runs were put into one folder: measure them again in one.",
    ),
    Doubt(
        "several-sizes", ("OPEN",), "Launches moved different sizes",
        "Padding or plan differ between launches of one point.",
        "Records of two versions were put into one folder: measure them again in one.",
    ),
    Doubt(
        "several-descriptor-counts", ("OPEN",), "Launches posted different numbers of descriptors",
        "Random block tables may merge into more or fewer descriptors.",
        "Expected where neighbours are merged; compare at a pattern without neighbours.",
    ),
    Doubt(
        "recorded-twice", ("NOTE",), "A launch was recorded twice",
        "The later record counts, the earlier one does not.",
        "Nothing, after a run that was resumed.",
    ),
    Doubt(
        "above-copy", ("NOTE",), "More than the copy",
        "It moved more per second than a bare copy of the same bytes in the same pieces: merging or caches can do that.",
        "Compare the posted descriptors and the working set of both.",
    ),
    Doubt(
        "hot", ("NOTE",), "One buffer again and again",
        "Every sample overwrote the one before, in the caches: only the last of a window is known to have arrived.",
        "Nothing: it is what ucx_perftest measures. A real KV cache is not hot.",
    ),
    Doubt(
        "page-cache", ("NOTE",), "The page cache held parts of the file",
        "Some of the bytes may have come from memory, not from the volume.",
        "Use io=direct, if the volume is what you ask about.",
    ),
)  # fmt: skip
_BY_CODE = {one.code: one for one in REGISTRY}
_STRANGER = Doubt(
    UNKNOWN, LEVELS, "A doubt of another version",
    "This run was measured by a kvgauge that knows a doubt which this one does not.",
    "Read the sentence with the point; read the run with the kvgauge that wrote it.",
)  # fmt: skip


def issue(code: str, message: str, *, level: Level | None = None) -> Issue:
    """Return an issue of a known kind; a long `message` is cut. Raises KeyError for no such code, or not at this `level`."""
    known = _BY_CODE[code]
    chosen = level or known.levels[0]
    if chosen not in known.levels:
        raise KeyError(f"{code} is never {chosen}")
    return Issue(level=chosen, code=code, message=message[:_MOST])


def merged(issues: Iterable[Issue]) -> Issue:
    """Return one for issues of one code, of which launches tell the same with other numbers; a stranger's code stays."""
    first, *others = sorted(issues, key=lambda one: one.message)
    more = f" (and {len(others)} more like it)" if others else ""
    return first.model_copy(update={"message": first.message[: _MOST - len(more)] + more})


def doubt(code: str) -> Doubt:
    """Return what a code of a record means; a code of another version is told as one, never left out."""
    return _BY_CODE.get(code, _STRANGER)


def ordered(issues: Iterable[Issue]) -> tuple[Issue, ...]:
    """Return distinct issues, INVALID first."""
    return tuple(sorted(set(issues), key=lambda one: (LEVELS.index(one.level), one.code, one.message)))


def as_markdown() -> str:
    """Return the table of all doubts: a part of `docs/validity.md`."""
    rows = [f"| `{one.code}` | {' or '.join(one.levels)} | {one.means} | {one.remedy} |" for one in REGISTRY]
    return "\n".join(["| code | level | means | what to do |", "|---|---|---|---|", *rows]) + "\n"
