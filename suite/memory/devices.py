"""Which CUDA devices there are, and where: the CPUs near each of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.errors import Missing
from suite.memory.driver import EMULATE, EMULATED_NAME, call, device_name, device_uuid, load

if TYPE_CHECKING:
    from collections.abc import Iterable

_SYSFS = Path("/sys")
_PCI_BYTES = 32
_MOST_CPUS = 1 << 16  # the kernel's own limit is 8192: a longer list is not one


@dataclass(frozen=True)
class Device:
    """One CUDA device as the driver of this process numbers it."""

    ordinal: int
    name: str
    total_bytes: int
    pci: str  # 0000:1b:00.0
    uuid: str  # GPU-..., the same in every process of the machine
    emulated: bool
    numa_node: int | None  # None: one node only, or the kernel does not know
    cpus: tuple[int, ...]  # of that node


class Probe:
    """A worker that is asked for the devices: a supervisor must never load CUDA itself."""

    def __init__(self, role: str) -> None:
        del role

    def devices(self) -> list[dict[str, Any]]:
        """Return the fields of every `Device`; raises `Missing` as `devices` does."""
        return [asdict(device) for device in devices()]


def devices(sysfs: Path = _SYSFS) -> list[Device]:
    """Return all devices, in the driver's order. Loads the driver, so for workers only.

    Raises `Missing` if there is no driver, or none of the devices may be seen.
    """
    load()
    count = call("cuDeviceGetCount")
    if not count:
        raise Missing("no-device", "the CUDA driver shows no device", f"see CUDA_VISIBLE_DEVICES; {EMULATE}")
    return [_device(ordinal, sysfs) for ordinal in range(count)]


def _device(ordinal: int, sysfs: Path) -> Device:
    handle = call("cuDeviceGet", ordinal)
    name = device_name(handle)
    pci = call("cuDeviceGetPCIBusId", _PCI_BYTES, handle).split(b"\0")[0].decode("ascii", "replace").lower()
    emulated = name.startswith(EMULATED_NAME)
    node = None if emulated else numa_node(pci, sysfs)  # an emulated PCI address may be that of something else here
    return Device(
        ordinal=ordinal,
        name=name,
        total_bytes=call("cuDeviceTotalMem", handle),
        pci=pci,
        uuid=device_uuid(handle),
        emulated=emulated,
        numa_node=node,
        cpus=() if node is None else cpus_of(node, sysfs),
    )


def numa_node(pci: str, sysfs: Path = _SYSFS) -> int | None:
    """Return the NUMA node of the PCI device `pci`; None where the kernel knows none (-1, or no such file)."""
    try:
        node = int((sysfs / "bus/pci/devices" / pci / "numa_node").read_text("ascii"))
    except (OSError, ValueError):
        return None
    return node if node >= 0 else None


def cpus_of(node: int, sysfs: Path = _SYSFS) -> tuple[int, ...]:
    """Return the CPUs of a NUMA node, ascending; none where the kernel does not say."""
    try:
        text = (sysfs / f"devices/system/node/node{node}/cpulist").read_text("ascii")
        return tuple(sorted(set(_expanded(text.strip().split(",")))))
    except (OSError, ValueError):
        return ()


def _expanded(pieces: Iterable[str]) -> Iterable[int]:
    """Yield the numbers of a kernel list such as `0-3,8`; a node without CPUs has an empty one."""
    for piece in filter(None, pieces):
        first, _, last = piece.partition("-")
        low, high = int(first), int(last or first)
        if not 0 <= low <= high < _MOST_CPUS:
            raise ValueError(piece)
        yield from range(low, high + 1)
