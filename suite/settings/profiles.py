"""How the method is found where the configuration leaves it open: one row for each reading of the source page or release.

TensorRT-LLM has changed the variables it reads, their order, what counts as set
and what it falls back to; each of these is a column. The row `source-page`
reads no variable: rule R12 says that one of them does not enable UCX, and the
page names no other.

The other rows are written from reading TensorRT-LLM's source, which was not run.
Names and release numbers are ours, inferred from the dates of pull requests
(each row names where it was seen); `cpp` is the C++ factory, which decides apart
from Python and remembers what it read first for the life of its process.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from suite.errors import BadInput
from suite.settings.faults import show, suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

Method = Literal["nixl", "ucx", "mooncake", "mpi", "disabled"]
Truth = Literal["any", "one"]  # any: every value that is not empty, also "0"; one: exactly "1"


@dataclass(frozen=True)
class Selector:
    """A variable that chooses a method where the configuration says DEFAULT."""

    variable: str
    method: Method


# Read by releases of TensorRT-LLM; `_KVCACHE` is their spelling, `_KV_CACHE` (rule R12) is nobody's.
NIXL, UCX, MOONCAKE, MPI = (
    Selector("TRTLLM_USE_NIXL_KVCACHE", "nixl"),
    Selector("TRTLLM_USE_UCX_KVCACHE", "ucx"),
    Selector("TRTLLM_USE_MOONCAKE_KVCACHE", "mooncake"),
    Selector("TRTLLM_USE_MPI_KVCACHE", "mpi"),
)
MISSPELT = "TRTLLM_USE_UCX_KV_CACHE"
NIXL_BACKEND = "TRTLLM_NIXL_KVCACHE_BACKEND"  # PR 9075: UCX or LIBFABRIC, in these letters; anything else is UCX


@dataclass(frozen=True)
class Profile:
    """One row: `selectors` in the order in which they are asked, else `fallback`."""

    name: str
    selectors: tuple[Selector, ...]
    truth: Truth
    fallback: Method
    # No section, or a section that does not mention `backend`.
    without_backend: Literal["as DEFAULT", "disabled"] = "disabled"
    nixl_backends: Literal["DYN_KVBM", "UCX", "TRTLLM"] = "UCX"  # who chooses NIXL's back end; UCX: nobody, it is UCX

    def chosen_by(self, environment: Mapping[bytes, bytes]) -> Selector | None:
        """Return the first selector that the environment sets."""
        return next((s for s in self.selectors if self._is_set(environment.get(s.variable.encode(), b""))), None)

    def _is_set(self, value: bytes) -> bool:
        return value == b"1" if self.truth == "one" else value != b""

    def release_backend(self, environment: Mapping[bytes, bytes]) -> tuple[str, str]:
        """Return NIXL's back end in a release of TensorRT-LLM, and the sentence that says why."""
        value = environment.get(NIXL_BACKEND.encode()) if self.nixl_backends == "TRTLLM" else None
        if value == b"LIBFABRIC":
            return "LIBFABRIC", f"{NIXL_BACKEND} is LIBFABRIC."
        told = "" if value in {None, b"UCX"} else f" ({NIXL_BACKEND}={show(value or b'')} is not one it knows)"
        return "UCX", f"NIXL over UCX{told}: the profile {self.name} reads no DYN_KVBM_NIXL_BACKEND_*."

    def ignored(self, environment: Mapping[bytes, bytes]) -> tuple[str, ...]:
        """Return a sentence for each variable that is there, looks like a selector, and is none here or has a value that does not count."""
        notes = []
        for selector in (NIXL, UCX, MOONCAKE, MPI):
            raw = environment.get(selector.variable.encode())
            if raw is None or (selector in self.selectors and self._is_set(raw)):
                continue
            because = (
                f"only {'exactly 1' if self.truth == 'one' else 'a value that is not empty'} counts"
                if selector in self.selectors
                else "releases of TensorRT-LLM do read this variable, and their profiles may differ"
            )
            notes.append(
                f"{selector.variable}={show(raw)} does not enable {selector.method.upper()} "
                f"in the profile {self.name}; {because}."
            )
        if MISSPELT.encode() in environment:
            value = show(environment[MISSPELT.encode()])
            notes.append(f"{MISSPELT}={value} does not enable UCX: no release of TensorRT-LLM reads this spelling.")
        return tuple(notes)


SOURCE_PAGE = "source-page"


_ROWS = (
    Profile(SOURCE_PAGE, (), "one", "nixl", without_backend="as DEFAULT", nixl_backends="DYN_KVBM"),
    # 0.19 and 0.20 had no key `backend`: DEFAULT stands for "nothing is said", and only the environment was asked.
    Profile("trtllm-0.19", (UCX, MPI), "any", "disabled"),  # the era of PR #3065
    Profile("trtllm-cpp-0.19", (UCX, MPI), "one", "disabled"),  # cacheTransceiver.cpp, 0034d789
    Profile("trtllm-0.20", (UCX, NIXL, MPI), "any", "disabled"),  # kv_cache_transceiver.py, mid-2025
    Profile("trtllm-1.0rc", (UCX, NIXL, MPI), "any", "ucx"),  # after PR #5234, in a fork (symphonylyh, cc079558)
    Profile("trtllm-1.0", (NIXL, MPI), "one", "ucx"),  # in a fork (raayandhar, 3e912e56)
    Profile("trtllm-cpp-1.0", (UCX, NIXL, MPI), "one", "ucx"),  # the C++ file of that time
    Profile("trtllm-1.1", (UCX, MPI), "one", "nixl"),  # PR #7926
    Profile("trtllm-cpp-1.1", (UCX, NIXL, MPI), "one", "nixl"),  # the C++ file after it
    # llm_args.py, since PR #16164; several versions of 2026
    Profile("trtllm-pytorch-current", (NIXL, UCX, MOONCAKE, MPI), "one", "nixl", nixl_backends="TRTLLM"),
    Profile("trtllm-cpp-current", (UCX, NIXL, MOONCAKE, MPI), "one", "nixl", nixl_backends="TRTLLM"),
)
PROFILES: Mapping[str, Profile] = MappingProxyType({row.name: row for row in _ROWS})
RELEASES = tuple(name for name in PROFILES if name != SOURCE_PAGE)  # from old to new


def profile_named(name: str) -> Profile:
    """Return the row called `name`; an unknown name is a `BadInput` with a suggestion."""
    if name not in PROFILES:
        near = suggestion(name, PROFILES)
        hint = f"did you mean {near}? " if near else ""
        raise BadInput("unknown-profile", f"no profile {show(name)}", f"{hint}profiles: {', '.join(PROFILES)}")
    return PROFILES[name]
