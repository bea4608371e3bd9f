"""The device's kernels without a device: their arithmetic compiled as C against numpy's, and NVRTC's compilation."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cuda.bindings import nvrtc
from hypothesis import given
from hypothesis import strategies as st

from suite.kv import stamp
from suite.kv.plan import Plan
from suite.memory import content_kernel
from suite.memory.content_kernel import SOURCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

NONE = (1 << 64) - 1
NUMBERS = st.integers(0, (1 << 64) - 1)
THREADS = st.sampled_from([1, 2, 3, 32, 257])


@dataclass(frozen=True)
class Kernels:
    """The kernels as C functions, run as a grid of `threads`, one thread after the other."""

    library: Any

    def fill(self, words: NDArray[np.uint64], content: stamp.Content, threads: int = 1) -> None:
        self._run("content_fill", threads, words, content)

    def check(self, words: NDArray[np.uint64], content: stamp.Content, threads: int = 1) -> tuple[int, int]:
        found = np.array([NONE, 0], np.uint64)
        self._run("content_check", threads, words, content, found.ctypes.data)
        return int(found[0]), int(found[1])

    def _run(self, name: str, threads: int, words: NDArray[np.uint64], content: stamp.Content, *more: int) -> None:
        starts, identities = content.starts.astype(np.int64), content.identities
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (words, starts, identities)]
        ctypes.c_longlong.in_dll(self.library, "threads").value = threads
        for thread in reversed(range(threads)):  # the last first: nothing may hang on the order
            ctypes.c_longlong.in_dll(self.library, "thread").value = thread
            getattr(self.library, name)(*pointers, ctypes.c_longlong(len(content)), *map(ctypes.c_void_p, more))


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    library = tmp_path_factory.mktemp("kernels") / "content_kernel.so"
    strict = ["-O2", "-Wall", "-Wextra", "-Werror", "-pedantic", "-std=c99"]
    subprocess.run(
        [str(shutil.which("cc")), "-x", "c", *strict, "-shared", "-fPIC", str(SOURCE), "-o", str(library)], check=True
    )
    return Kernels(ctypes.CDLL(str(library)))


def contents() -> st.SearchStrategy[stamp.Content]:
    """Draw runs of any size and any identity: neighbours that wrap around 2**64 among them."""

    def build(runs: list[tuple[int, int]]) -> stamp.Content:
        sizes, identities = zip(*runs, strict=True)
        starts = np.concatenate(([0], np.cumsum(sizes)))
        return stamp.Content(starts, np.array(identities, np.uint64), np.zeros(len(runs), np.bool_))

    return st.lists(st.tuples(st.integers(1, 40), NUMBERS), min_size=1, max_size=60).map(build)


def landed(pieces: list[tuple[int, int, int]], epoch: int) -> stamp.Content:
    """Return what rows of (gap, words, source word) leave behind."""
    table, at = [], 0
    for gap, words, origin in pieces:
        at += gap
        table.append((8 * origin, 8 * at, 8 * words))
        at += words
    numbers = np.array(table, np.uint64)
    zeros = np.zeros(len(numbers), np.uint64)
    source, destination = (np.column_stack((numbers[:, side], numbers[:, 2], zeros)) for side in (0, 1))
    plan = Plan(source, destination, 0, 0, 0)
    return stamp.landed([plan], words=at + 3, source=0, destination=0, epoch=epoch)


def filled(content: stamp.Content) -> NDArray[np.uint64]:
    words = np.empty(content.words, np.uint64)
    stamp.fill(words, content)
    return words


def guarded(content: stamp.Content) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return a buffer with a word of zeros on each side, and the part between them."""
    whole = np.zeros(content.words + 2, np.uint64)
    return whole, whole[1:-1]


@given(contents(), THREADS)
def test_the_kernel_fills_what_numpy_fills(kernels: Kernels, content: stamp.Content, threads: int) -> None:
    """For any runs and any number of threads: bit for bit the same, and nothing outside."""
    whole, words = guarded(content)
    kernels.fill(words, content, threads)
    assert np.array_equal(words, filled(content))
    assert whole[0] == whole[-1] == 0


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9), st.integers(0, 500)), min_size=1, max_size=60),
    st.integers(0, (1 << 20) - 1),
)
def test_what_has_landed_is_right_for_the_kernel(
    kernels: Kernels, pieces: list[tuple[int, int, int]], epoch: int
) -> None:
    """Contents as windows leave them, with paint between the rows, are filled alike and found right."""
    content = landed(pieces, epoch)
    words = np.zeros(content.words, np.uint64)
    kernels.fill(words, content, 5)
    assert np.array_equal(words, filled(content))
    assert kernels.check(filled(content), content, 5) == (NONE, 0)


@pytest.mark.parametrize("words", [1, 2, 8191, 65_537, 200_003])
def test_uniform_contents_of_odd_sizes(kernels: Kernels, words: int) -> None:
    """One run over a region larger than numpy's pieces, or of a single word."""
    content = stamp.uniform(words, stamp.Side.PREFILL, 7)
    got = np.zeros(words, np.uint64)
    kernels.fill(got, content, 64)
    assert np.array_equal(got, filled(content))
    assert stamp.first_difference(got, content) is None


def test_very_many_runs(kernels: Kernels) -> None:
    """A run of its own for every word or two, as small shuffled descriptors make them."""
    rng = np.random.default_rng(1)
    sizes = rng.integers(1, 3, 30_000)
    identities = rng.integers(0, 1 << 63, len(sizes), np.uint64)
    content = stamp.Content(np.concatenate(([0], np.cumsum(sizes))), identities, np.zeros(len(sizes), np.bool_))
    got = np.zeros(content.words, np.uint64)
    kernels.fill(got, content, 96)
    assert np.array_equal(got, filled(content))


@given(contents(), st.data(), THREADS)
def test_the_kernel_finds_the_difference_that_numpy_finds(
    kernels: Kernels, content: stamp.Content, data: st.DataObject, threads: int
) -> None:
    """The first word that differs and how many do are numpy's, whichever thread saw them."""
    words = filled(content)
    at = data.draw(st.lists(st.integers(0, content.words - 1), max_size=5))
    words[at] ^= np.uint64(1 << data.draw(st.integers(0, 63)))
    first = stamp.first_difference(words, content)
    count = int(stamp.differences(words, content).sum())
    assert kernels.check(words, content, threads) == (NONE if first is None else first, count)


def test_the_constant_is_the_stamps() -> None:
    """The source names the multiplier once; it is not read from Python, so it is compared."""
    assert re.findall(r"0x[0-9A-F]{16}ULL", SOURCE.read_text("ascii")) == [f"0x{stamp._ODD:X}ULL"]


def compiled(architecture: str, read: str) -> bytes:
    """Compile with NVRTC as CuPy does, and return the PTX or the machine code; a warning is a failure."""
    status, program = nvrtc.nvrtcCreateProgram(SOURCE.read_bytes(), b"content_kernel.cu", 0, [], [])
    assert not status
    (status,) = nvrtc.nvrtcCompileProgram(program, 1, [f"--gpu-architecture={architecture}".encode()])
    log = bytes(nvrtc.nvrtcGetProgramLogSize(program)[1])
    nvrtc.nvrtcGetProgramLog(program, log)
    assert not status, log.decode()
    assert not log.strip(b"\0\n "), log.decode()
    code = bytes(getattr(nvrtc, f"nvrtcGet{read}Size")(program)[1])
    getattr(nvrtc, f"nvrtcGet{read}")(program, code)
    return code


@pytest.mark.parametrize("architecture", ["compute_75", "compute_90"])
def test_nvrtc_makes_two_kernels_of_it(architecture: str) -> None:
    """The PTX has both entries by their plain names, with as many parameters as are passed, and 64-bit atomics."""
    ptx = compiled(architecture, "PTX").decode("ascii", "replace")
    entries = {
        name: parameters.count(".param .u64")
        for name, parameters in re.findall(r"\.visible \.entry (\w+)\(([^)]*)\)", ptx)
    }
    assert entries == {"content_fill": 4, "content_check": 5}
    for operation in ("min", "add"):
        assert re.search(rf"(atom|red)\.global\.{operation}\.u64", ptx)


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_nvrtc_assembles_it_for_the_gpus_of_clusters(architecture: str) -> None:
    """A100 and H100 get machine code: an ELF file that holds both kernels."""
    cubin = compiled(architecture, "CUBIN")
    assert cubin.startswith(b"\x7fELF")
    assert b".text.content_fill" in cubin
    assert b".text.content_check" in cubin


def test_the_source_is_beside_the_module() -> None:
    """It is found where the package is, in a wheel too."""
    assert SOURCE.parent == Path(content_kernel.__file__).parent
