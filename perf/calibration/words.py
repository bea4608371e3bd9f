"""A calibration in sentences: the same on the terminal, in the report and in docs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.run.calibration import PART_NAMES
from suite.units import format_ns, format_rate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from perf.calibration.told import Told
    from suite.run.calibration import Cost, Known, Part, PartName

DIGITS = 4  # of what is known and measured: an error of a thousandth is to be seen
TITLES: dict[PartName, str] = {
    "link": "links of known rate",
    "latency": "planted latencies",
    "file": "a file device of known rate",
    "overheads": "what the tool itself costs",
    "band": "runs of the same code",
}


def size(value: float, unit: str, digits: int = 3) -> str:
    """Return a figure with its unit."""
    if unit == "ns":
        return f"-{format_ns(-value, digits)}" if value < 0 else format_ns(value, digits)
    return format_rate(value, digits) if unit == "GB/s" else f"{value:.4f}"


def percent(share: float) -> str:
    """Return an error with its sign and as many digits as it needs."""
    return f"{100 * share:+.2f} %" if abs(share) < 0.1 else f"{100 * share:+.0f} %"  # noqa: PLR2004  a tenth


def within(share: float) -> str:
    """Return how large an error is, without its sign."""
    return percent(abs(share)).removeprefix("+")


def verdict(one: Known) -> str:
    """Return what is said of one known thing."""
    if one.kind == "protocol":
        return "its protocol"
    return "good" if one.good else "beyond"


def span(low: float | None, high: float | None, unit: str, digits: int = 3) -> str:
    """Return the least and the greatest, or nothing."""
    return "" if low is None or high is None else f"[{size(low, unit, digits)}, {size(high, unit, digits)}]"


def cost(one: Cost) -> str:
    """Return a cost with its span."""
    return f"{size(one.value, one.unit)} {span(one.low, one.high, one.unit)}".rstrip()


def of_part(name: PartName, part: Part) -> Iterator[str]:
    """Yield what a part found: our own error first, then what is the engines'."""
    ours = [one for one in part.known if one.kind == "tool"]
    if ours:
        worst = max(ours, key=lambda one: abs(one.error))
        tolerated = f", {100 * worst.tolerated:g} % are tolerated" if worst.tolerated else ""
        yield f"{TITLES[name].capitalize()}: within {within(worst.error)} (furthest off: {worst.what}{tolerated})."
    theirs = [one for one in part.known if one.kind == "protocol"]
    if theirs:
        told = "; ".join(f"{one.what}: {100 * one.ratio:.3g} %" for one in theirs)
        yield f"What engines move of what such a link carries: {told}. The rest is their protocol's, no error of this tool."
    if part.band:
        yield (
            f"{part.band.runs} runs of the same code within {part.band.seconds / 60:.2g} minutes were up to"
            f" {100 * part.band.largest:.3g} % apart, so compare claims nothing within {100 * part.band.width:.3g} %."
            " Days differ by more than minutes do."
        )


def of_run(told: Told) -> list[str]:
    """Return what a run's manifest says of the error of its instrument, in one sentence a part, with its doubts."""
    if told.calibration is None:
        return [f"There is a calibration, but it is not used: {told.refused}. To mend it: kvgauge calibrate."]
    return list(_of_run(told))


def _of_run(told: Told) -> Iterator[str]:
    parts = told.calibration.parts if told.calibration else {}
    ours = [one for part in parts.values() for one in part.known if one.kind == "tool"]
    if ours:
        worst = max(ours, key=lambda one: abs(one.error))
        beyond = [one.what for one in ours if not one.good]
        more = f"; beyond what is tolerated: {', '.join(beyond)}" if beyond else ""
        yield f"This tool on this machine: within {within(worst.error)} of what is known (furthest off: {worst.what}{more})."
    if (part := parts.get("band")) and part.band:
        yield f"Runs of the same code here were up to {100 * part.band.largest:.3g} % apart."
    doubts = sorted({doubt for name in parts for doubt in told.doubts(name)})
    if doubts:
        yield f"That calibration is doubtful: {'; '.join(doubts)}. To renew it: kvgauge calibrate."


def in_order(names: Iterable[PartName]) -> list[PartName]:
    """Return parts in the order in which they are told."""
    asked = set(names)
    return [name for name in PART_NAMES if name in asked]
