"""The lists and numbers taken from CUDA's public header, held against the header itself."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from suite.cuda_emulator import build
from suite.cuda_emulator.generate_stubs import generate, names_in
from tests.suite.cuda_emulator.conftest import cuda_h, needs_cuda_h, needs_nixl
from tests.suite.cuda_emulator.test_driver import exported

# UCX asks these of memory that it cannot have got from the emulator: pools, and preferred places of managed memory.
UCX_DOES_WITHOUT = {
    "cuMemPoolDestroy",
    "cuMemPoolExportPointer",
    "cuMemPoolExportToShareableHandle",
    "cuMemPoolImportFromShareableHandle",
    "cuMemPoolImportPointer",
    "cuMemPoolSetAccess",
    "cuMemRangeGetAttribute",
}


@needs_cuda_h
def test_committed_list_is_what_the_header_gives() -> None:
    assert (build.SOURCES / "stubs.inc").read_text() == generate(cuda_h())


def test_names_of_a_header() -> None:
    header = (
        "#define cuMemAlloc cuMemAlloc_v2\n"
        "    #define cuMemcpy __CUDA_API_PTDS(cuMemcpy)\n"
        "#define cuStreamQuery  __CUDA_API_PTSZ(cuStreamQuery)\n"
        "CUresult CUDAAPI cuInit(unsigned int Flags);\n"
        "/* see ::cuNothing() */\n"
        "typedef CUresult (CUDAAPI *PFN_cuProfilerStop_v4000)(void);\n"
    )
    expected = "cuMemAlloc_v2 cuMemcpy cuMemcpy_ptds cuStreamQuery cuStreamQuery_ptsz cuInit cuProfilerStop"
    assert names_in(header) == set(expected.split())


@needs_cuda_h
@pytest.mark.deep
@pytest.mark.parametrize(
    "source", sorted({name for each in build.libraries()[:2] for name in each.sources} - {"stubs.c"})
)
def test_signatures_structures_and_numbers_are_the_headers(source: str) -> None:
    """Built against the wheel's cuda.h in place of our own: a difference is an error of the compiler."""
    compile_only(build.SOURCES / source, "-DKVGAUGE_CHECK_AGAINST_CUDA_H", f"-I{cuda_h().parent}")


@needs_cuda_h
@pytest.mark.deep
def test_our_numbers_are_the_headers(tmp_path: Path) -> None:
    """The file above is built with the header's numbers; these are the ones that users' builds have."""
    ours = re.findall(r"^\s*(?:typedef enum \{ )?(CU\w+) = (0x[0-9a-f]+|\d+)", cuda_api(), re.MULTILINE)
    ours += re.findall(r"(CU_\w+) = (0x[0-9a-f]+|\d+)", cuda_api())
    ours += re.findall(r"^#define (CU_\w+) (\d+)$", cuda_api(), re.MULTILINE)
    assert len(set(ours)) > 90
    asserts = [
        f'_Static_assert((long){name} == {value}, "{name}");'
        for name, value in sorted(set(ours))
        if name != "CU_DEVICE_ATTRIBUTE_MAX"
    ]
    source = tmp_path / "numbers.c"
    source.write_text("\n".join(["#include <cuda.h>", *asserts]) + "\n")
    compile_only(source, f"-I{cuda_h().parent}")


@needs_cuda_h
@pytest.mark.deep
@pytest.mark.parametrize(
    "structure", ["CUmemAllocationProp", "CUmemAccessDesc", "CUmemLocation", "CUipcMemHandle", "CUuuid"]
)
def test_our_structures_are_the_headers(tmp_path: Path, structure: str) -> None:
    sizes = set()
    for options in (["-DKVGAUGE_CHECK_AGAINST_CUDA_H", f"-I{cuda_h().parent}"], []):
        source = tmp_path / "size.c"
        source.write_text(
            f'#include "{build.SOURCES / "cuda_api.h"}"\n#include <stdio.h>\n'
            f'int main(void) {{ return !printf("%zu", sizeof({structure})); }}\n'
        )
        program = tmp_path / "size"
        subprocess.run([compiler(), *options, source, "-o", program], check=True, capture_output=True)
        sizes.add(subprocess.run([program], check=True, capture_output=True, text=True).stdout)
    assert len(sizes) == 1, sizes


@pytest.mark.deep
@pytest.mark.parametrize("name", [name for name in ("cc", "gcc", "clang") if shutil.which(name)])
def test_no_warning_of_any_compiler_here(name: str) -> None:
    for source in build.SOURCES.glob("*.c"):
        compile_only(source, "-Wshadow", "-Wconversion", "-Wno-sign-conversion", name=name)


@needs_nixl
def test_everything_that_ucx_links_is_there() -> None:
    functions, stubs = exported()
    spec = find_spec("nixl_cu12")
    assert spec is not None
    assert spec.origin is not None
    libraries = Path(spec.origin).parent.parent / "nixl_cu12.libs"
    wanted = set()
    for library in [*libraries.glob("ucx/libuct_cuda.so*"), *libraries.glob("nixl/libplugin_*.so")]:
        listed = subprocess.run(
            ["nm", "-D", "--undefined-only", library],  # noqa: S607  binutils, beside every compiler
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        wanted |= {line.split()[-1] for line in listed.splitlines() if line.split()[-1].startswith("cu")}
    wanted = {name for name in wanted if not name.startswith(("cuda", "cuFile"))}
    assert len(wanted) > 50
    assert wanted <= functions | stubs
    assert wanted & stubs <= UCX_DOES_WITHOUT


def cuda_api() -> str:
    return (build.SOURCES / "cuda_api.h").read_text()


def compiler() -> str:
    found = next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no C compiler")
    return found


def compile_only(source: Path, *options: str, name: str | None = None) -> None:
    flags = ["-std=gnu11", "-O2", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o", "/dev/null", "-c"]
    done = subprocess.run([name or compiler(), *flags, *options, source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
