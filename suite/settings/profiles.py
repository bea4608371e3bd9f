"""How the method is found where the configuration leaves it open: one row for each reading of the source page or release.

TensorRT-LLM has changed the variables it reads, their order, what counts as set
and what it falls back to; each of these is a column. The row `source-page`
reads no variable: rule R12 says that one of them does not enable UCX, and the
page names no other.
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


@dataclass(frozen=True)
class Profile:
    """One row: `selectors` in the order in which they are asked, else `fallback`."""

    name: str
    selectors: tuple[Selector, ...]
    truth: Truth
    fallback: Method
    without_backend: Literal["as DEFAULT", "disabled"]  # no section, or a section that does not mention `backend`

    def chosen_by(self, environment: Mapping[bytes, bytes]) -> Selector | None:
        """Return the first selector that the environment sets."""
        return next((s for s in self.selectors if self._is_set(environment.get(s.variable.encode(), b""))), None)

    def _is_set(self, value: bytes) -> bool:
        return value == b"1" if self.truth == "one" else value != b""

    def ignored(self, environment: Mapping[bytes, bytes]) -> tuple[str, ...]:
        """Return a sentence for each variable that is set, looks like a selector and is none here."""
        notes = []
        for selector in (NIXL, UCX, MOONCAKE, MPI):
            if selector not in self.selectors and selector.variable.encode() in environment:
                value = show(environment[selector.variable.encode()])
                notes.append(
                    f"{selector.variable}={value} does not enable {selector.method.upper()} in the profile {self.name}; "
                    "releases of TensorRT-LLM do read this variable, and their profiles may differ."
                )
        if MISSPELT.encode() in environment:
            value = show(environment[MISSPELT.encode()])
            notes.append(f"{MISSPELT}={value} does not enable UCX: no release of TensorRT-LLM reads this spelling.")
        return tuple(notes)


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        row.name: row
        for row in (Profile("source-page", selectors=(), truth="one", fallback="nixl", without_backend="as DEFAULT"),)
    }
)


def profile_named(name: str) -> Profile:
    """Return the row called `name`; an unknown name is a `BadInput` with a suggestion."""
    if name not in PROFILES:
        near = suggestion(name, PROFILES)
        hint = f"did you mean {near}? " if near else ""
        raise BadInput("unknown-profile", f"no profile {show(name)}", f"{hint}profiles: {', '.join(PROFILES)}")
    return PROFILES[name]
