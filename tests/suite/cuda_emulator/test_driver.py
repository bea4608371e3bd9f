"""Every call of the emulated driver: its success and its errors, as the public documentation has them."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from suite.cuda_emulator.build import DRIVER, SOURCES, library_folder
from tests.suite.cuda_emulator.conftest import SERVERS, Emulator

CALLS = SERVERS / "driver_calls"
BETWEEN_PROCESSES = {"cuIpcOpenMemHandle_v2", "cuIpcCloseMemHandle"}  # their success is in test_ipc.py


def groups() -> list[str]:
    """Return `module.group` of every group of checks, read from the files: importing them would load a driver."""
    found = []
    for path in sorted(CALLS.glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "GROUPS":
                assert isinstance(node.value, ast.List)
                found += [f"{path.stem}.{element.id}" for element in node.value.elts if isinstance(element, ast.Name)]
    return found


def exported() -> tuple[set[str], set[str]]:
    """Return the functions that the driver really has, and the stubs."""
    listed = subprocess.run(
        ["nm", "-D", "--defined-only", library_folder() / DRIVER],  # noqa: S607  binutils, beside every compiler
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.findall(r"^\w+ ([TW]) (cu\w+)$", listed, re.MULTILINE)
    return {name for kind, name in found if kind == "T"}, {name for kind, name in found if kind == "W"}


def aliases() -> dict[str, str]:
    """Return the further names of functions, from the sources."""
    text = "".join(path.read_text() for path in SOURCES.glob("*.c"))
    return {also: function for function, also in re.findall(r"^ALSO\((\w+), (\w+)\);$", text, re.MULTILINE)}


@pytest.fixture(scope="session")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Run all checks once, in one process with two devices of 64 MiB."""
    return Emulator(tmp_path_factory.mktemp("driver")).json(str(CALLS / "main.py"), memory_bytes=64 << 20)


@pytest.mark.parametrize("group", groups())
def test_calls(outcome: Any, group: str) -> None:
    assert outcome["groups"][group] is None, outcome["groups"][group]


def test_every_function_was_called_and_refused(outcome: Any) -> None:
    functions = exported()[0] - aliases().keys()
    answers: dict[str, list[int]] = outcome["answers"]
    assert functions - {name for name, codes in answers.items() if 0 in codes} == BETWEEN_PROCESSES
    assert functions <= {name for name, codes in answers.items() if any(codes)}


def test_other_names_are_the_same_functions(emulator: Emulator) -> None:
    code = (
        "import ctypes, json, sys\n"
        "library = ctypes.CDLL('libcuda.so.1')\n"
        "names = json.loads(sys.argv[1])\n"
        "at = lambda name: ctypes.cast(getattr(library, name), ctypes.c_void_p).value\n"
        "print(json.dumps([also for also, name in names.items() if at(also) != at(name)]))\n"
    )
    assert aliases()
    assert emulator.json("-c", code, json.dumps(aliases())) == []


def test_stubs_and_functions_are_all_names_of_the_list() -> None:
    functions, stubs = exported()
    names = set(re.findall(r"^NAME\((\w+)\)$", (SOURCES / "stubs.inc").read_text(), re.MULTILINE))
    assert names == stubs | functions
    assert len(stubs) > 400
    assert not stubs & functions


@pytest.mark.parametrize(("count", "code"), [("16", 0), ("1", 0), ("17", 100), ("0", 100), ("two", 100), ("-1", 100)])
def test_number_of_devices(emulator: Emulator, count: str, code: int) -> None:
    answer = "import ctypes; print(ctypes.CDLL('libcuda.so.1').cuInit(0))"
    assert emulator.json("-c", answer, extra={"KVGAUGE_EMULATED_GPUS": count}) == code


def test_no_devices_unless_asked_for(emulator: Emulator) -> None:
    """The library alone, without the variables, is no GPU."""
    settings = emulator.environment()
    del settings["KVGAUGE_EMULATED_GPUS"]
    code = "import ctypes; print(ctypes.CDLL('libcuda.so.1').cuInit(0))"
    done = subprocess.run([sys.executable, "-c", code], env=settings, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "100"


def test_machine_with_less_memory_than_its_devices(emulator: Emulator) -> None:
    """The machine is asked before pages are taken: else the kernel would kill the process, or its neighbour."""
    code = (
        "import ctypes\n"
        "d = ctypes.CDLL('libcuda.so.1')\n"
        "c, p = ctypes.c_void_p(), ctypes.c_ulonglong()\n"
        "assert not (d.cuInit(0) or d.cuDevicePrimaryCtxRetain(ctypes.byref(c), 0) or d.cuCtxSetCurrent(c))\n"
        "print(d.cuMemAlloc_v2(ctypes.byref(p), ctypes.c_size_t(1 << 50)))\n"
    )
    assert emulator.json("-c", code, memory_bytes=1 << 52) == 2


def test_no_trace_in_shared_memory(emulator: Emulator) -> None:
    before = set(Path("/dev/shm").iterdir())  # noqa: S108  looked at, not written to
    code = (
        "import ctypes, os, signal\n"
        "d = ctypes.CDLL('libcuda.so.1')\n"
        "c, p = ctypes.c_void_p(), ctypes.c_ulonglong()\n"
        "assert not (d.cuInit(0) or d.cuDevicePrimaryCtxRetain(ctypes.byref(c), 0) or d.cuCtxSetCurrent(c))\n"
        "assert not d.cuMemAlloc_v2(ctypes.byref(p), ctypes.c_size_t(128 << 20))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert emulator.run("-c", code).returncode == -9
    assert not {path.name for path in set(Path("/dev/shm").iterdir()) - before if "kvgauge" in path.name}  # noqa: S108  as above
