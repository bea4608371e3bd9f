"""The sentences about releases, against doubles made from the table of facts and wrong ones made from these.

No release was run. The rows are written down a second time, apart from
`suite.settings.profiles`, so that a slip there is seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from conformance.properties import test_cache_transceiver as properties
from conformance.requirement import MARK, registry
from conformance.verdict import Refused, Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from conformance.requirement import Answers

SECTION = "cache_transceiver_config"
KNOWN = ("DEFAULT", "UCX", "NIXL", "MOONCAKE", "MPI")
TRUTH: dict[str, Callable[[bytes | None], bool]] = {
    "any": bool,
    "one": lambda value: value == b"1",
    "there": lambda value: value is not None,
}


@dataclass(frozen=True)
class Release:
    """One row: whoever is set first in `order` is chosen."""

    profile: str
    order: str
    truth: str
    fallback: str
    misspelt: bool = False
    name: str = "a double"
    answers: frozenset[Answers] = frozenset({"method"})
    note: str = ""

    def method(self, config: Mapping[str, object], environment: Mapping[bytes, bytes]) -> str:
        if set(config) - {SECTION, "kv_cache_config", "max_batch_size", "backend", "tensor_parallel_size"}:
            raise Refused("unknown key")
        section = config.get(SECTION)
        if section is None:
            return "disabled"
        if not isinstance(section, dict) or set(section) - {"backend"}:
            raise Refused("unknown key")
        backend = section.get("backend")
        if backend is None:
            return "disabled"
        if backend not in KNOWN:
            raise Refused("unknown backend")
        return self._open(environment) if backend == "DEFAULT" else backend.lower()

    def _open(self, environment: Mapping[bytes, bytes]) -> str:
        if self.misspelt and environment.get(b"TRTLLM_USE_UCX_KV_CACHE") == b"1":
            return "ucx"
        is_set = TRUTH[self.truth]
        names = (name for name in self.order.split() if is_set(environment.get(f"TRTLLM_USE_{name}_KVCACHE".encode())))
        return next(names, self.fallback).lower()

    def backends(self, environment: Mapping[bytes, bytes]) -> tuple[str, ...]:
        raise NotImplementedError  # its `answers` say so: the session never asks a release for backends

    def close(self) -> None:
        pass


RELEASES = {
    row.profile: row
    for row in (
        Release("trtllm-0.19", "UCX MPI", "any", "disabled"),
        Release("trtllm-cpp-0.19", "UCX MPI", "one", "disabled"),
        Release("trtllm-0.20", "UCX NIXL MPI", "any", "disabled"),
        Release("trtllm-1.0rc", "UCX NIXL MPI", "any", "UCX"),
        Release("trtllm-1.0", "NIXL MPI", "one", "UCX"),
        Release("trtllm-cpp-1.0", "UCX NIXL MPI", "one", "UCX"),
        Release("trtllm-1.1", "UCX MPI", "one", "NIXL"),
        Release("trtllm-cpp-1.1", "UCX NIXL MPI", "one", "NIXL"),
        Release("trtllm-pytorch-current", "NIXL UCX MOONCAKE MPI", "one", "NIXL"),
        Release("trtllm-cpp-current", "UCX NIXL MOONCAKE MPI", "one", "NIXL"),
    )
}
# Written down before any was run: which change of which row breaks which sentences.
pytestmark = pytest.mark.deep  # a pytest run for each release

WRONG: list[tuple[str, dict[str, Any], set[str]]] = [
    ("trtllm-pytorch-current", {"order": "UCX NIXL MOONCAKE MPI"}, {"CFG-024"}),
    ("trtllm-cpp-current", {"order": "NIXL UCX MOONCAKE MPI"}, {"CFG-025"}),
    ("trtllm-1.1", {"truth": "any"}, {"CFG-022"}),
    ("trtllm-1.0rc", {"truth": "one"}, {"CFG-021"}),
    ("trtllm-0.19", {"truth": "there"}, {"CFG-023"}),
    ("trtllm-1.1", {"truth": "there"}, {"CFG-022", "CFG-023"}),
    ("trtllm-1.0", {"fallback": "NIXL"}, {"CFG-018", "CFG-020"}),
    ("trtllm-1.1", {"fallback": "UCX"}, {"CFG-019"}),
    ("trtllm-0.20", {"fallback": "NIXL"}, {"CFG-017"}),
    ("trtllm-cpp-0.19", {"fallback": "UCX"}, {"CFG-017"}),
    ("trtllm-1.1", {"order": "NIXL UCX MPI"}, {"CFG-025"}),
    ("trtllm-cpp-1.1", {"order": "UCX MPI"}, {"CFG-028"}),
    ("trtllm-1.0", {"order": "UCX NIXL MPI"}, {"CFG-024", "CFG-026"}),
    ("trtllm-cpp-1.0", {"order": "MPI UCX NIXL"}, {"CFG-027", "CFG-028"}),
    ("trtllm-cpp-1.1", {"order": "UCX NIXL"}, {"CFG-020"}),
    ("trtllm-1.1", {"misspelt": True}, {"CFG-014"}),
]


def cases(test: Any) -> Iterator[dict[str, Any]]:
    """Yield the arguments of a table's cases; a property draws its own."""
    tables = [mark for mark in test.pytestmark if mark.name == "parametrize"]
    if not tables:
        yield {}
    for table in tables:
        names, rows = table.args
        yield from (dict(zip(names, row, strict=True)) for row in rows)


def broken(release: Release) -> set[str]:
    found = set()
    for name, test in vars(properties).items():
        if not name.startswith("test_"):
            continue
        identity = next(mark.args[0] for mark in test.pytestmark if mark.name == MARK)
        one = registry()[identity]
        if one.level == "UNSPECIFIED" or (one.profiles and release.profile not in one.profiles):
            continue
        for arguments in cases(test):
            try:
                test(implementation=release, **arguments)
            except Violation:
                found.add(identity)
    return found


@pytest.mark.parametrize("release", RELEASES.values(), ids=lambda release: release.profile)
def test_a_release_as_it_is_known_breaks_nothing(release: Release) -> None:
    assert broken(release) == set()


@pytest.mark.parametrize(
    ("profile", "change", "ids"), WRONG, ids=[f"{p} {' '.join(map(str, c.values()))}" for p, c, _ in WRONG]
)
def test_a_wrong_release_breaks_exactly_its_sentences(profile: str, change: dict[str, Any], ids: set[str]) -> None:
    assert broken(replace(RELEASES[profile], **change)) == ids


def test_the_sentences_about_releases_are_all_broken_by_one() -> None:
    about_them = [one for one in registry().values() if one.profiles and "source-page" not in one.profiles]
    can_be_broken = {one.id for one in about_them if one.level != "UNSPECIFIED"}
    assert can_be_broken <= set().union(*(ids for _, _, ids in WRONG))
