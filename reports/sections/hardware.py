"""Words for the places of a run: the devices that its manifest names, and the memories between which bytes moved.

The manifest is read as a stranger's: what has another type than it should is left out.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from perf.memory import kind_of
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from perf.record import Point
    from perf.summary import PointSummary

MOST_DEVICES = 32  # told one by one
FEW_PAIRS = 4  # named one by one
_LARGEST_BYTES = 1 << 63


def size(value: object) -> str:
    """Return a number of bytes in words; nothing if it is no such number."""
    sound = isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LARGEST_BYTES
    return format_bytes(value) if sound and isinstance(value, int) else ""


def devices(found: object) -> str:
    """Return `settings.devices` of a manifest as lines: how many of each name, then each of them; empty without any."""
    if not isinstance(found, dict):
        return ""
    entries = {_line(name): entry for name, entry in found.items() if isinstance(entry, dict)}
    if not entries:
        return ""
    names = Counter(_name(entry) for entry in entries.values())
    kinds = "; ".join(f"{count} \N{MULTIPLICATION SIGN} {name}" for name, count in names.most_common(MOST_DEVICES))
    ordered = sorted(entries, key=lambda name: (len(name), name))  # cuda:10 after cuda:9
    lines = [f"{name}: {told}" for name in ordered[:MOST_DEVICES] if (told := _details(entries[name]))]
    left = len(ordered) - MOST_DEVICES
    return "\n".join([kinds, *lines, *([f"and {left} more, in manifest.json"] if left > 0 else [])])


def _name(entry: Mapping[str, object]) -> str:
    name = _line(entry.get("name")) or "a device without a name"
    return f"{name} (emulated)" if entry.get("emulated") is True and "emulated" not in name.lower() else name


def _details(entry: Mapping[str, object]) -> str:
    pci, node = _line(entry.get("pci")), entry.get("numa_node")
    told = [size(entry.get("total_bytes")), f"PCI {pci}" if pci else ""]
    told += [f"NUMA node {node}"] if isinstance(node, int) and not isinstance(node, bool) else []
    return ", ".join(filter(None, told))


def _line(value: object) -> str:
    """Return text on one line, so that no name can look like another device."""
    return " ".join(value.split()) if isinstance(value, str) else ""


def moved(points: Iterable[Point]) -> str:
    """Return between which memories bytes were moved: pair by pair, or kind by kind where there are many."""
    pairs = {(point.source, point.destination): point for point in points}
    if len(pairs) <= FEW_PAIRS:
        return ", ".join(" → ".join(pair) for pair in sorted(pairs))
    kinds = Counter(_kind(point) for point in pairs.values())
    return ", ".join(f"{kind} ({count} pairs)" if count > 1 else kind for kind, count in sorted(kinds.items()))


def _kind(point: Point) -> str:
    ends = kind_of(point.source), kind_of(point.destination)
    if ends == ("cuda", "cuda"):
        return "within one GPU" if point.source == point.destination else "between two GPUs"
    return " → ".join("GPU" if end == "cuda" else end for end in ends)


def emulation(summaries: Sequence[PointSummary]) -> str:
    """Return what a reader must know first when points are emulated; empty if none is."""
    count = sum(one.emulated for one in summaries)
    if not count:
        return ""
    which = "Every point" if count == len(summaries) else f"{count} of {len(summaries)} points"
    was = "was" if "Every" in which or count == 1 else "were"
    return (
        f"{which} {was} moved on emulated GPUs: a CUDA driver played on host memory. Which bytes arrived, and by which"
        " wire, is true; times mean nothing there, so no rate, ratio or ceiling is shown."
    )
