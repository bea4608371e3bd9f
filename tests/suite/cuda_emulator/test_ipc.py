"""Device memory between two processes, and handles that must open nothing."""

from __future__ import annotations

import signal
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
    at = handle.index(
        struct.pack("<i", owner)
    )  # then the file, its size, the size asked for, 16 bytes of nonce, the device
    for i, byte in enumerate(handle):
        if not (
            at + 16 <= i < at + 24 or at + 40 <= i < at + 44
        ):  # these are the owner's word: the same memory, or less
            yield handle[:i] + bytes([byte ^ 1]) + handle[i + 1 :]
    for file in (-1, *range(10)):  # the standard streams among them
        forged = handle[: at + 4] + struct.pack("<i", file) + handle[at + 8 :]
        if forged != handle:
            yield forged
    for process in (1, 2**31 - 1, -1, 0):
        yield handle[:at] + struct.pack("<i", process) + handle[at + 4 :]
    (whole,) = struct.unpack_from("<Q", handle, at + 8)
    for size, asked in (
        (0, 0),
        (1 << 60, 1 << 60),
        (2 * whole, whole),
        (whole, 0),
        (whole, whole + 1),
        (whole, 2**64 - 1),
    ):
        yield handle[: at + 8] + struct.pack("<QQ", size, asked) + handle[at + 24 :]
    for length in (0, 8, 20, 40):
        yield handle[:length].ljust(len(handle), b"\0")
    yield b"\xff" * len(handle)


def test_bad_handles_open_nothing(emulator: Emulator) -> None:
    with owner_on(emulator) as owner:
        bad = set(bad_handles(owner.handle, owner.process.pid))
        assert len(bad) > 60
        emulator.json(USER, *(f"{INVALID_HANDLE}:{handle.hex()}" for handle in bad))
        assert owner.ask("unchanged") == "True"


@pytest.mark.parametrize("strict", [True, False])
def test_access_by_the_cpu_to_memory_of_another_process(emulator: Emulator, *, strict: bool) -> None:
    with owner_on(emulator) as owner:
        done = emulator.run(USER, f"touch:{owner.handle.hex()}", strict=strict)
        assert done.returncode == (-signal.SIGSEGV if strict else 0), done.stderr


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
