"""Device memory through the driver's own calls, on emulated devices whose memory the CPU cannot touch."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., Any]

pytestmark = pytest.mark.deep  # a process with CUDA for each test

MIB = 1 << 20
ALLOCATIONS = ["cudaMalloc", "vmm"]


@pytest.mark.parametrize("allocation", ALLOCATIONS)
@pytest.mark.parametrize("nbytes", [1, 4096, 3 * MIB + 24])
def test_a_region_says_what_it_is_and_holds_zeros(on_gpus: Run, nbytes: int, allocation: str) -> None:
    """Whatever its size and allocation, a region has that many zeros on the device that was asked for."""
    found = on_gpus(f"""
        from cuda.bindings.driver import CUpointer_attribute
        region = CudaRegion({nbytes}, 1, {allocation!r})
        owner = call("cuPointerGetAttribute", CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, region.address)
        answer = [region.kind, region.device, region.nbytes, region.allocation, region.emulated, owner,
                  region.address > 0, len(contents(region)), bool(contents(region).any())]
    """)
    assert found == ["cuda", 1, nbytes, allocation, True, 1, True, nbytes, False]


def test_memory_that_comes_dirty_is_zeroed(on_gpus: Run) -> None:
    """A device hands out memory as its last owner left it; the emulated one does not, so the test does it here."""
    left = on_gpus("""
        from suite.memory import cuda
        def dirty(function, *arguments):
            result = call(function, *arguments)
            if function == "cuMemAlloc":
                call("cuMemsetD8", result, 255, *arguments)
            return result
        cuda.call = dirty
        answer = bool(contents(CudaRegion(5001, 0)).any())
    """)
    assert left is False


def test_a_thread_without_a_context_can_read_and_write(on_gpus: Run) -> None:
    """A context is a thread's own; a region brings its own along, and leaves the thread without one."""
    found = on_gpus("""
        import threading
        region, answer = CudaRegion(64, 1), []
        def work():
            region.write(0, np.full(64, 3, np.uint8))
            answer.extend([set(contents(region).tolist()) == {3}, int(call("cuCtxGetCurrent"))])
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    """)
    assert found == [True, 0]


@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_what_is_written_is_read_and_nothing_else_changes(on_gpus: Run, allocation: str) -> None:
    """A write lands at its offset, bytes beside it stay, and a piece reads back as it is."""
    found = on_gpus(f"""
        region = CudaRegion(64, 0, {allocation!r})
        region.write(8, np.arange(1, 17, dtype=np.uint8))
        piece = np.empty(4, np.uint8)
        region.read(10, piece)
        answer = [contents(region).tolist(), piece.tolist()]
    """)
    assert found == [[0] * 8 + list(range(1, 17)) + [0] * 40, [3, 4, 5, 6]]


def test_the_cpu_cannot_reach_it(on_gpus: Run) -> None:
    """The tests mean something: a plain load from a region's address dies, so all else here went by the driver."""
    died = on_gpus("""
        import ctypes
        ctypes.string_at(CudaRegion(4096, 0).address, 1)
        answer = "alive"
    """)
    assert died == signal.SIGSEGV


def test_bytes_outside_a_region_are_neither_written_nor_read(on_gpus: Run) -> None:
    """A piece that does not fit is refused before the driver sees it; the neighbour keeps its bytes."""
    pieces = [(60, 5), (63, 2), (64, 1), (0, 65), (-1, 1), (-8, 8)]
    messages, *kept = on_gpus(f"""
        region, neighbour = CudaRegion(64, 0), CudaRegion(64, 0)
        answer = [[]]
        for offset, count in {pieces}:
            piece = np.ones(count, np.uint8)
            answer[0] += [refusal(region.write, offset, piece), refusal(region.read, offset, piece)]
            answer.append(bool(piece.all() and not contents(region).any() and not contents(neighbour).any()))
    """)
    outside = [f"{count} bytes at {offset} are outside a region of 64" for offset, count in pieces for _ in "wr"]
    assert [one["message"] for one in messages] == outside
    assert all(kept)


def test_arrays_that_are_not_plain_bytes_are_refused(on_gpus: Run) -> None:
    """The driver takes a pointer and a count: strides and element sizes would be lost without a word."""
    found = on_gpus("""
        region, answer = CudaRegion(64, 0), []
        for array in (np.zeros(8, np.uint16), np.zeros(16, np.uint8)[::2], np.zeros(1, np.float64)):
            answer += [refusal(region.write, 0, array), refusal(region.read, 0, array)]
    """)
    assert [one["kind"] for one in found] == ["ValueError"] * 6
    assert all("contiguous uint8" in one["message"] for one in found)


def test_regions_of_two_devices_do_not_mix(on_gpus: Run) -> None:
    """Whichever context is current, each region reads and writes its own memory, and leaves the context as it was."""
    found = on_gpus("""
        regions = [CudaRegion(64, device) for device in (0, 1)]
        now = [int(call("cuCtxGetDevice"))]
        for value, region in enumerate(regions, 5):
            region.write(0, np.full(64, value, np.uint8))
        now.append(int(call("cuCtxGetDevice")))
        regions[0].make_current()
        now.append(int(call("cuCtxGetDevice")))
        answer = [now, [set(contents(region).tolist()) == {value} for value, region in enumerate(regions, 5)]]
    """)
    assert found == [[1, 1, 0], [True, True]]


def test_a_context_is_current_for_a_while(on_gpus: Run) -> None:
    """`current` gives a device's context inside the with, and what was current before after it, also after an error."""
    found = on_gpus("""
        region = CudaRegion(64, 0)
        inside = []
        try:
            with current(1) as context:
                inside.append([int(call("cuCtxGetDevice")), context.ordinal])
                raise KeyError
        except KeyError:
            inside.append(int(call("cuCtxGetDevice")))
        answer = inside, [call("cuDevicePrimaryCtxGetState", device)[1] for device in (0, 1)]
    """)
    assert found == [[[1, 1], 0], [1, 0]]


@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_too_much_memory_is_missing(on_gpus: Run, allocation: str) -> None:
    """What a device cannot give is named in bytes: needed, free and total."""
    found = on_gpus(f"""
        held = CudaRegion(16 << 20, 0)
        free, total = call("cuMemGetInfo")
        answer = [refusal(CudaRegion, 60 << 20, 0, {allocation!r}), free, total, len(contents(held))]
    """)
    error, free, total, held = found
    assert (error["kind"], error["code"]) == ("Missing", "device-memory")
    assert error["message"] == f"cuda:0 has {free} of {total} bytes free, a region needs {60 * MIB}"
    assert (total, held) == (64 * MIB, 16 * MIB)
    assert 0 < free <= 48 * MIB


@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_closing_gives_the_memory_and_the_context_back(on_gpus: Run, allocation: str) -> None:
    """Regions of most of a device can be made one after the other, and nothing keeps its context alive."""
    found = on_gpus(f"""
        free, keeper = set(), CudaRegion(64, 0)  # the end of a context would free its memory
        for _ in range(5):
            region = CudaRegion(40 << 20, 0, {allocation!r})
            free.add(call("cuMemGetInfo")[0])
            region.close()
            region.close()
        keeper.close()
        answer = [len(free), call("cuDevicePrimaryCtxGetState", 0)[1], refusal(region.write, 0, np.ones(1, np.uint8))]
    """)
    assert found[:2] == [1, 0]
    assert found[2]["message"] == "1 bytes at 0 are outside a region of 0"


def test_a_thread_is_not_left_in_a_context_that_is_gone(on_gpus: Run) -> None:
    """UCX opens no worker in such a thread; a context that somebody else still holds stays current."""
    found = on_gpus("""
        first, second, seen = CudaRegion(64, 0), CudaRegion(64, 1), []
        elsewhere = CudaRegion(64, 0)
        for region in (first, elsewhere, second):
            region.close()
            seen.append(int(call("cuCtxGetCurrent")) != 0)
            if region is not second:
                second.make_current()
        first = CudaRegion(64, 0)
        other = CudaRegion(64, 0)
        first.close()
        seen.append(int(call("cuCtxGetCurrent")) != 0)
        other.close()
        answer = [*seen, int(call("cuCtxGetCurrent")) != 0]
    """)
    assert found == [True, True, False, True, False]


def test_two_regions_share_the_context(on_gpus: Run) -> None:
    """The first to close does not take the device away from the second."""
    found = on_gpus("""
        first, second = CudaRegion(64, 0), CudaRegion(64, 0)
        second.write(0, np.full(64, 9, np.uint8))
        first.close()
        answer = [set(contents(second).tolist()) == {9}, call("cuDevicePrimaryCtxGetState", 0)[1]]
    """)
    assert found == [True, 1]


@pytest.mark.parametrize(
    ("ordinal", "devices", "there"), [(2, 2, "2 devices, cuda:0 to cuda:1"), (-1, 1, "only cuda:0")]
)
def test_a_device_that_is_not_there_is_bad_input(on_gpus: Run, ordinal: int, devices: int, there: str) -> None:
    """The message says how many there are."""
    error = on_gpus(f"answer = refusal(CudaRegion, 64, {ordinal})", devices)
    assert (error["kind"], error["code"]) == ("BadInput", "no-such-device")
    assert error["message"] == f"no device cuda:{ordinal}: there is {there}"


@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_what_the_driver_refuses_is_told_in_its_words(on_gpus: Run, allocation: str) -> None:
    """A failed call gives the function and the driver's name for the error, and leaves no context behind."""
    found = on_gpus(f"""
        answer = [refusal(CudaRegion, 0, 0, {allocation!r}), call("cuDevicePrimaryCtxGetState", 0)[1]]
    """)
    error, active = found
    assert error["code"] == "cuda"
    assert error["message"].startswith(
        ("cuMemAlloc: CUDA_ERROR_INVALID_VALUE (", "cuMemAddressReserve: CUDA_ERROR_INVALID_VALUE (")
    )
    assert active == 0


def test_without_a_driver_it_is_missing(without_gpus: Run) -> None:
    """A machine without libcuda is told so, and how to go on without a GPU."""
    error = without_gpus("answer = refusal(CudaRegion, 64, 0)")
    assert (error["kind"], error["code"]) == ("Missing", "no-driver")
    assert error["message"].startswith("no CUDA driver: ")
    assert "--emulated-gpus N" in error["hint"]


def test_importing_loads_no_cuda(without_gpus: Run) -> None:
    """A supervisor may import all of this: the driver's bindings come with the first region."""
    loaded = without_gpus("""
        import sys
        import suite.memory.content, suite.memory.content_kernel, suite.memory.devices, suite.transports.device_copy
        answer = sorted(name for name in sys.modules if name.startswith(("cuda.", "cupy")))  # a .pth imports the bare `cuda`
    """)
    assert loaded == []


def test_content_is_staged_through_the_host(on_gpus: Run) -> None:
    """Without CuPy, or on emulated devices, a region is filled and every word checked by copies."""
    found = on_gpus("""
        from suite.kv import stamp
        from suite.memory.content import content_access
        region = CudaRegion(8 * 300_001, 1)
        access = content_access(region)
        content = stamp.uniform(300_001, stamp.Side.PREFILL, 4)
        access.fill(content)
        answer = [access.how, access.first_difference(content)]
        region.write(8 * 300_000 + 7, np.array([1], np.uint8))
        answer.append(access.first_difference(content))
    """)
    assert found == ["staged", None, 300_000]
