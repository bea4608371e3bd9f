"""Device memory between two processes, and handles that must open nothing."""

from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.suite.cuda_emulator.conftest import SERVERS, Emulator

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

USER = str(SERVERS / "ipc_user.py")
INVALID_DEVICE, INVALID_HANDLE = 101, 400


class Owner:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.handle = bytes.fromhex(self.line())

    def line(self) -> str:
        assert self.process.stdout is not None
        text = self.process.stdout.readline().strip()
        assert text, "the owner died"
        return text

    def ask(self, what: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return self.line()


@contextmanager
def owner_on(emulator: Emulator, *, strict: bool = True) -> Iterator[Owner]:
    with emulator.start(str(SERVERS / "ipc_owner.py"), strict=strict) as process:
        try:
            yield Owner(process)
        finally:
            process.kill()


@pytest.mark.parametrize("strict", [True, False])
def test_both_sides_see_the_same_memory(emulator: Emulator, *, strict: bool) -> None:
    with owner_on(emulator, strict=strict) as owner:
        found = emulator.json(USER, f"0:{owner.handle.hex()}", strict=strict)
        assert found == {"found": True, "device": 1}
        assert owner.ask("changed") == "True"


def bad_handles(handle: bytes, owner: int) -> Iterator[bytes]:
    """Yield handles with one changed byte, of other files and processes, of other sizes, and cut off."""
    for i, byte in enumerate(handle):
        yield handle[:i] + bytes([byte ^ 1]) + handle[i + 1 :]
    at = handle.index(struct.pack("<i", owner))  # then the file, then the size of the memory, then what was asked for
    for file in (-1, *range(10)):  # the standard streams among them
        yield handle[: at + 4] + struct.pack("<i", file) + handle[at + 8 :]
    for process in (1, 2**31 - 1, -1, 0):
        yield handle[:at] + struct.pack("<i", process) + handle[at + 4 :]
    for size in (0, 1 << 20, 1 << 60, 2**64 - 1):
        yield handle[: at + 8] + struct.pack("<QQ", size, size) + handle[at + 24 :]
        yield handle[: at + 8] + struct.pack("<Q", size) + handle[at + 16 :]
    for length in (0, 8, 20, 44):
        yield handle[:length].ljust(len(handle), b"\0")
    yield b"\xff" * len(handle)


def is_another(handle: bytes, true: bytes, owner: int) -> bool:
    """Return whether more differs than what was asked for and the device: they open the same memory, or less of it."""
    at = true.index(struct.pack("<i", owner))
    return handle[: at + 16] + handle[at + 24 : at + 40] != true[: at + 16] + true[at + 24 : at + 40]


def test_bad_handles_open_nothing(emulator: Emulator) -> None:
    with owner_on(emulator) as owner:
        handles = set(bad_handles(owner.handle, owner.process.pid))
        bad = [handle for handle in handles if is_another(handle, owner.handle, owner.process.pid)]
        assert len(bad) > 60
        emulator.json(USER, *(f"{INVALID_HANDLE}:{handle.hex()}" for handle in bad))
        assert owner.ask("unchanged") == "True"


def test_handle_of_freed_memory(emulator: Emulator) -> None:
    with owner_on(emulator) as owner:
        assert owner.ask("free") == "True"
        emulator.json(USER, f"{INVALID_HANDLE}:{owner.handle.hex()}")


def test_device_that_the_other_process_lacks(emulator: Emulator) -> None:
    with owner_on(emulator) as owner:
        emulator.json(USER, f"{INVALID_DEVICE}:{owner.handle.hex()}", devices=1)


def test_killed_owner(emulator: Emulator) -> None:
    with owner_on(emulator) as owner:
        owner.process.kill()
        owner.process.wait()
        emulator.json(USER, f"{INVALID_HANDLE}:{owner.handle.hex()}")
