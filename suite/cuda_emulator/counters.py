"""Which functions a process asked of the emulated driver that it does not have."""

from __future__ import annotations

import ctypes
import os

from suite.cuda_emulator.build import DRIVER


def unsupported_calls() -> dict[str, int]:
    """Return how often this process called each function that only answers "not supported".

    Empty where the loaded driver is not the emulated one, or none is loaded.
    """
    try:
        driver = ctypes.CDLL(DRIVER, mode=os.RTLD_NOLOAD | os.RTLD_NOW)
        names, name, calls = driver.kvgauge_names, driver.kvgauge_name, driver.kvgauge_unsupported_calls
    except (OSError, AttributeError):
        return {}
    names.restype = ctypes.c_size_t
    name.argtypes, name.restype = [ctypes.c_size_t], ctypes.c_char_p
    calls.argtypes, calls.restype = [ctypes.c_size_t], ctypes.c_ulonglong
    counts = {name(number).decode(): int(calls(number)) for number in range(names())}
    return {function: count for function, count in counts.items() if count}
