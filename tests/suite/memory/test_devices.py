"""Devices as a worker tells its supervisor of them, and where the kernel says they are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.cuda_emulator.environment import environment
from suite.memory.devices import cpus_of, numa_node
from suite.world.supervisor import Group, WorkerFailed, WorkerSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

MIB = 1 << 20
PCI = "0000:1b:00.0"


@pytest.fixture
def probed(tmp_path: Path) -> Callable[[Mapping[str, str]], list[dict[str, Any]]]:
    """Return a function that asks a fresh worker of this environment for its devices."""

    def ask(variables: Mapping[str, str]) -> list[dict[str, Any]]:
        cores = sorted(os.sched_getaffinity(0))
        spec = WorkerSpec("probe", "suite.memory.devices:Probe", variables, cores, tmp_path / "probe.log")
        with Group([spec]) as group:
            found: list[dict[str, Any]] = group.ask("devices", {"probe": ("devices", {})}, 60)["probe"]
        return found

    return ask


def test_a_worker_tells_of_all_devices(
    probed: Callable[[Mapping[str, str]], list[dict[str, Any]]], tmp_path: Path
) -> None:
    """Every device has its own number, PCI address and UUID, says that it is emulated, and is near no CPU."""
    found = probed(os.environ | environment(3, base=os.environ, logs=tmp_path, memory_bytes=8 * MIB, strict=True))
    assert [device["ordinal"] for device in found] == [0, 1, 2]
    assert {len({device[key] for device in found}) for key in ("pci", "uuid")} == {3}
    for device in found:
        assert device["name"].startswith("Emulated GPU (host memory)")
        assert device["emulated"] is True
        assert device["total_bytes"] == 8 * MIB
        assert (device["numa_node"], device["cpus"]) == (None, [])


def test_two_workers_see_the_same_devices(
    probed: Callable[[Mapping[str, str]], list[dict[str, Any]]], tmp_path: Path
) -> None:
    """A UUID is how two processes speak of one device."""
    variables = os.environ | environment(2, base=os.environ, logs=tmp_path, memory_bytes=8 * MIB, strict=True)
    assert probed(variables) == probed(variables)


@pytest.mark.usefixtures("believe_complaints")
def test_without_a_driver_the_worker_says_what_to_do(
    probed: Callable[[Mapping[str, str]], list[dict[str, Any]]],
) -> None:
    """The supervisor gets the reason, and the way without a GPU, from a worker that lives on."""
    with pytest.raises(WorkerFailed, match="error: no-driver") as failed:
        probed(os.environ)
    assert "no CUDA driver" in failed.value.detail
    assert "--emulated-gpus N" in failed.value.detail


@pytest.fixture
def believe_complaints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the supervisor believe a worker's complaint at once: no peer is dying in this test."""
    monkeypatch.setattr("suite.world.supervisor._GRACE_S", 0.05)


@pytest.fixture
def sysfs(tmp_path: Path) -> Callable[[str, str], Path]:
    """Return a builder of the kernel's two files."""

    def build(node: str, cpulist: str) -> Path:
        for path, text in (
            (f"bus/pci/devices/{PCI}/numa_node", node),
            ("devices/system/node/node1/cpulist", cpulist),
        ):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text + "\n")
        return tmp_path

    return build


def test_a_device_is_near_the_cpus_of_its_node(sysfs: Callable[[str, str], Path]) -> None:
    """The node is read from the PCI device, its CPUs from the node."""
    root = sysfs("1", "16-19,48,50-51")
    assert numa_node(PCI, root) == 1
    assert cpus_of(1, root) == (16, 17, 18, 19, 48, 50, 51)


@pytest.mark.parametrize("text", ["-1", "", "two", "1 2"])
def test_a_node_that_the_kernel_does_not_know_is_none(sysfs: Callable[[str, str], Path], text: str) -> None:
    """Machines with one node say -1; nothing is guessed from what is no number."""
    assert numa_node(PCI, sysfs(text, "0")) is None


def test_what_is_not_in_sysfs_is_unknown(tmp_path: Path) -> None:
    """Containers may hide it all."""
    assert numa_node(PCI, tmp_path) is None
    assert cpus_of(1, tmp_path) == ()


@pytest.mark.parametrize("text", ["", "a", "3-1", "0-99999999999", "-", "1-2-3"])
def test_a_list_of_cpus_that_is_none_gives_none(sysfs: Callable[[str, str], Path], text: str) -> None:
    """A node of memory alone has an empty list; a broken one must neither fail nor fill the memory."""
    assert cpus_of(1, sysfs("1", text)) == ()


@given(st.sets(st.integers(0, 300), min_size=1))
def test_every_list_of_cpus_is_understood(tmp_path_factory: pytest.TempPathFactory, cpus: set[int]) -> None:
    """Runs as the kernel prints them, of any CPUs."""
    text = []
    for first in sorted(cpu for cpu in cpus if cpu - 1 not in cpus):
        last = next(cpu for cpu in range(first, 302) if cpu + 1 not in cpus)
        text.append(str(first) if first == last else f"{first}-{last}")
    root = tmp_path_factory.mktemp("sys")
    (root / "devices/system/node/node0").mkdir(parents=True)
    (root / "devices/system/node/node0/cpulist").write_text(",".join(text) + "\n")
    assert cpus_of(0, root) == tuple(sorted(cpus))
