"""What a process tells its peer of its memory, so that the peer's driver can open it: CUDA IPC handles, in JSON.

A handle stands for a whole allocation, so a region's offset in it goes along.
Devices are named by UUID: two processes may number them differently.
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from suite.errors import TransferFailed
from suite.memory.driver import call, current, device_uuid, load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from suite.memory.region import Region

MOST_REGIONS = 64
HANDLE_BYTES = 64  # CU_IPC_HANDLE_SIZE, cuda.h
_LIMIT = 1 << 64
_UUID = re.compile(r"GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_HANDLE = re.compile(r"[0-9a-f]{128}", re.ASCII)


@dataclass(frozen=True)
class Shared:
    """One region in its owner's words; `offset` is its place in the allocation that `handle` opens."""

    kind: str  # "host", which no driver opens, or "cuda"
    address: int
    nbytes: int
    device: int = 0  # its owner's ordinal
    uuid: str = ""
    offset: int = 0
    handle: str = ""  # hexadecimal; empty where the driver has none: memory of VMM

    def to_json(self) -> dict[str, int | str]:
        """Return what `received` reads."""
        return asdict(self)


def share(region: Region) -> Shared:
    """Return what a peer must know of `region`, which may be the middle of an allocation."""
    if region.kind != "cuda":
        return Shared(region.kind, region.address, region.nbytes)
    with current(region.device) as context:
        uuid = device_uuid(context.device)
        capable = load().CUpointer_attribute.CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE
        if not call("cuPointerGetAttribute", capable, region.address):
            return Shared("cuda", region.address, region.nbytes, region.device, uuid)
        base, _ = call("cuMemGetAddressRange", region.address)
        handle = ctypes.string_at(call("cuIpcGetMemHandle", base).getPtr(), HANDLE_BYTES)
    offset = region.address - int(base)
    return Shared("cuda", region.address, region.nbytes, region.device, uuid, offset, handle.hex())


def received(told: Mapping[str, Any], peer: str) -> list[Shared]:
    """Return the regions in a peer's metadata; raises `TransferFailed` for anything but regions."""
    regions = told.get("regions")
    if not isinstance(regions, list) or len(regions) > MOST_REGIONS:
        raise TransferFailed("bad-metadata", f"metadata of {peer!r} has no list of at most {MOST_REGIONS} regions")
    for region in regions:
        if not (isinstance(region, dict) and region.keys() == _FIELDS and _is_sound(region)):
            raise TransferFailed("bad-metadata", f"metadata of {peer!r} has an unsound region: {region!a:.300}")
    return [Shared(**region) for region in regions]


def opened(shared: Shared) -> int:
    """Open the handle in the current context; return the address of its allocation here, for `cuIpcCloseMemHandle`."""
    driver = load()
    handle = driver.CUipcMemHandle()
    ctypes.memmove(handle.getPtr(), bytes.fromhex(shared.handle), HANDLE_BYTES)
    flags = driver.CUipcMem_flags.CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS
    return int(call("cuIpcOpenMemHandle", handle, flags))


_FIELDS = asdict(Shared("", 0, 0)).keys()


def _is_sound(region: Mapping[str, Any]) -> bool:
    numbers = [region[name] for name in ("address", "nbytes", "device", "offset")]
    if any(type(number) is not int or not 0 <= number < _LIMIT for number in numbers):
        return False
    if region["address"] + region["nbytes"] > _LIMIT:
        return False
    if region["kind"] == "host":
        return bool(region["uuid"] == region["handle"] == "")
    texts = [region["uuid"], region["handle"]]
    if region["kind"] != "cuda" or not all(isinstance(text, str) for text in texts):
        return False
    return bool(_UUID.fullmatch(texts[0])) and (texts[1] == "" or bool(_HANDLE.fullmatch(texts[1])))
