"""The variables for a process on the emulated driver, and what they lead to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from suite.cuda_emulator.build import library_folder
from suite.cuda_emulator.environment import environment
from suite.errors import BadInput
from tests.suite.cuda_emulator.conftest import ROOT, Emulator


@pytest.mark.parametrize("devices", [0, 17, -1])
def test_number_of_devices(tmp_path: Path, devices: int) -> None:
    with pytest.raises(BadInput, match="emulated GPUs") as raised:
        environment(devices, base={}, logs=tmp_path)
    assert raised.value.code == "bad-devices"
    with pytest.raises(BadInput, match="0 bytes"):
        environment(1, base={}, logs=tmp_path, memory_bytes=0)


def test_our_folder_is_first_and_the_callers_last(tmp_path: Path) -> None:
    base = {"LD_LIBRARY_PATH": "/opt/one:/opt/two:", "LD_PRELOAD": "/opt/a.so /opt/b.so"}
    found = environment(3, base=base, logs=tmp_path, memory_bytes=5, strict=False)
    folders = found["LD_LIBRARY_PATH"].split(":")
    assert folders[0] == str(library_folder())
    assert folders[-2:] == ["/opt/one", "/opt/two"]
    assert not [folder for folder in folders if "cuda_runtime" in folder], "NVIDIA's runtime refuses this driver"
    assert found["LD_PRELOAD"].split(":") == ["libkvgauge_redirect.so", "/opt/a.so", "/opt/b.so"]
    assert {name: found[name] for name in found if name.startswith("KVGAUGE")} == {
        "KVGAUGE_EMULATED_GPUS": "3",
        "KVGAUGE_EMULATED_GPU_BYTES": "5",
        "KVGAUGE_EMULATED_GPU_STRICT": "0",
    }


def test_cufile_writes_where_it_is_told(tmp_path: Path) -> None:
    found = environment(1, base={}, logs=tmp_path)
    settings = json.loads(Path(found["CUFILE_ENV_PATH_JSON"]).read_text())
    assert settings["properties"]["allow_compat_mode"] is True
    assert Path(found["CUFILE_LOGFILE_PATH"]).parent == tmp_path


def test_callers_own_cufile_settings_stay(tmp_path: Path) -> None:
    base = {"CUFILE_ENV_PATH_JSON": "/etc/cufile.json", "CUFILE_ALLOW_COMPAT_MODE": "false"}
    found = environment(1, base=base, logs=tmp_path)
    assert not base.keys() & found.keys()
    assert not list(tmp_path.iterdir())


def test_light_import() -> None:
    code = "import sys, suite.cuda_emulator; print([name for name in ('numpy', 'cuda.bindings', 'click') if name in sys.modules])"
    settings = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=settings)
    assert done.stdout.strip() == "[]"


def test_names_of_the_device_agree(emulator: Emulator) -> None:
    code = (
        "import ctypes, json\n"
        "from suite.cuda_emulator.environment import DEVICE_NAME\n"
        "d, name = ctypes.CDLL('libcuda.so.1'), ctypes.create_string_buffer(64)\n"
        "d.cuInit(0), d.cuDeviceGetName(name, 64, 0)\n"
        "print(json.dumps([name.value.decode(), DEVICE_NAME]))\n"
    )
    assert emulator.json("-c", code) == ["Emulated GPU (host memory)"] * 2


REDIRECTED = """
import ctypes, json
c = ctypes.CDLL(None)
c.fopen.restype = ctypes.c_void_p
def text(path, mode=b"r"):
    stream = c.fopen(path.encode(), mode)
    if not stream:
        return None
    buffer = ctypes.create_string_buffer(4096)
    c.fgets(buffer, 4096, ctypes.c_void_p(stream))
    return buffer.value.decode()
paths = json.loads({paths!r})
print(json.dumps([text(path) for path in paths] + [text("/proc/modules", b"r+")]))
"""


def test_files_that_are_missing_and_no_others(emulator: Emulator, tmp_path: Path) -> None:
    """A made-up device has no file system; a file that is there is the file that is read."""
    present = tmp_path / "present"
    present.write_text("mine")
    volume = next(
        (
            fields[2]
            for fields in map(str.split, Path("/proc/self/mountinfo").read_text().splitlines())
            if fields[fields.index("-") + 1] in {"ext4", "xfs", "btrfs", "overlay", "tmpfs"}
        ),
        None,
    )
    udev = Path(f"/run/udev/data/b{volume}")
    paths = ["/run/udev/data/b999:999", "/proc/no-modules", str(present), "/proc/modules", str(udev)]
    unknown, other, mine, modules, known, written = emulator.json("-c", REDIRECTED.format(paths=json.dumps(paths)))
    assert (unknown, other, mine) == (None, None, "mine")
    assert modules is not None
    if not Path("/proc/modules").exists():
        assert (modules, written) == ("", None)
    if volume is not None and not udev.exists():
        assert known.startswith("E:ID_FS_TYPE=")


@pytest.mark.deep
def test_folder_with_blanks(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LD_PRELOAD is cut at blanks, so it names no path."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "with two blanks"))
    code = (
        "import ctypes, json\n"
        "from pathlib import Path\n"
        "code = ctypes.CDLL('libcuda.so.1').cuInit(0)\n"
        "maps = Path('/proc/self/maps').read_text()\n"
        "print(json.dumps([code] + [name in maps for name in ('blanks/kvgauge', 'libkvgauge_redirect.so')]))\n"
    )
    assert emulator.json("-c", code) == [0, True, True]


def test_runtime_is_our_own_and_only_where_it_must_be(emulator: Emulator) -> None:
    """The calls of the runtime that NIXL's plug-ins make, with the symbol version they ask for."""
    code = (
        "import ctypes, json\n"
        "r = ctypes.CDLL('libcudart.so.12')\n"
        "r.cudaGetErrorString.restype = ctypes.c_char_p\n"
        "p, d = ctypes.c_ulonglong(), ctypes.CDLL('libcuda.so.1')\n"
        "bus, device, stream = ctypes.create_string_buffer(32), ctypes.c_int(-1), ctypes.c_void_p()\n"
        "codes = [r.cudaSetDevice(1), d.cuMemAlloc_v2(ctypes.byref(p), ctypes.c_size_t(8)),\n"
        "  r.cudaMemset(p, 7, ctypes.c_size_t(8)), r.cudaMemcpy(bus, p, ctypes.c_size_t(8), 2), r.cudaFree(p)]\n"
        "copied = bus.value == bytes([7] * 8)\n"
        "codes += [r.cudaDeviceGetPCIBusId(bus, 32, 1), r.cudaDeviceGetByPCIBusId(ctypes.byref(device), bus)]\n"
        "codes += [r.cudaStreamCreateWithFlags(ctypes.byref(stream), 0), r.cudaStreamSynchronize(stream),\n"
        "  r.cudaStreamDestroy(stream)]\n"
        "wrong = [r.cudaSetDevice(2), r.cudaGetLastError(), r.cudaGetLastError(), r.cudaFree(ctypes.c_void_p(8)),\n"
        "  r.cudaLaunchKernel()]\n"
        "print(json.dumps([codes, copied, device.value, wrong, r.cudaGetErrorString(101).decode()]))\n"
    )
    codes, copied, device, wrong, text = emulator.json("-c", code)
    assert (codes, copied, device) == ([0] * 10, True, 1)
    assert wrong == [101, 101, 0, 1, 801]
    assert text == "no such device"


def test_nvml_tells_ucx_of_an_nvlink(emulator: Emulator) -> None:
    code = (
        "import ctypes, json\n"
        "n = ctypes.CDLL('libnvidia-ml.so.1')\n"
        "n.nvmlErrorString.restype = ctypes.c_char_p\n"
        "count, device, pci = ctypes.c_uint(), ctypes.c_void_p(), ctypes.create_string_buffer(68)\n"
        "value = (ctypes.c_uint * 10)(91)\n"
        "codes = [n.nvmlInit_v2(), n.nvmlDeviceGetCount_v2(ctypes.byref(count)),\n"
        "  n.nvmlDeviceGetHandleByIndex_v2(1, ctypes.byref(device)), n.nvmlDeviceGetPciInfo_v3(device, pci),\n"
        "  n.nvmlDeviceGetFieldValues(device, 1, value), n.nvmlDeviceGetNvLinkRemotePciInfo_v2(device, 0, pci)]\n"
        "wrong = [n.nvmlDeviceGetHandleByIndex_v2(2, ctypes.byref(device)),\n"
        "  n.nvmlDeviceGetNvLinkRemotePciInfo_v2(device, 1, pci), n.nvmlDeviceGetGpuFabricInfoV(device, pci),\n"
        "  n.nvmlDeviceGetPciInfo_v3(ctypes.c_void_p(99), pci), n.nvmlDeviceGetFieldValues(device, 0, value)]\n"
        "print(json.dumps([codes, count.value, list(value)[6:9], wrong, n.nvmlErrorString(3).decode(), n.nvmlShutdown()]))\n"
    )
    codes, count, field, wrong, text, end = emulator.json("-c", code)
    assert (codes, count, end) == ([0] * 6, 2, 0)
    assert field == [1, 0, 1], "an unsigned number, no error, one link"
    assert wrong == [2, 2, 3, 2, 2]
    assert text == "not supported by the emulated driver"
