"""How each release resolves `backend: DEFAULT`: the whole table, and what all of them have in common."""

from __future__ import annotations

import pytest

from conformance.implementations import FROM_READING
from conformance.implementations.trtllm import FACTORIES
from conformance.verdict import Refused

NAMES = ("0.19", "cpp-0.19", "0.20", "1.0rc", "1.0", "cpp-1.0", "1.1", "cpp-1.1", "pytorch-current", "cpp-current")
SHORT = {"off": "disabled", "UCX": "ucx", "NIXL": "nixl:UCX", "MPI": "mpi", "MOONCAKE": "mooncake:tcp"}
ROWS = [
    ("", "off off off UCX UCX UCX NIXL NIXL NIXL NIXL"),
    ("UCX=1", "UCX UCX UCX UCX UCX UCX UCX UCX UCX UCX"),
    ("UCX=0", "UCX off UCX UCX UCX UCX NIXL NIXL NIXL NIXL"),
    ("UCX=true", "UCX off UCX UCX UCX UCX NIXL NIXL NIXL NIXL"),
    ("UCX=", "off off off UCX UCX UCX NIXL NIXL NIXL NIXL"),
    ("NIXL=1", "off off NIXL NIXL NIXL NIXL NIXL NIXL NIXL NIXL"),
    ("MPI=1", "MPI MPI MPI MPI MPI MPI MPI MPI MPI MPI"),
    ("MOONCAKE=1", "off off off UCX UCX UCX NIXL NIXL MOONCAKE MOONCAKE"),
    ("UCX=1 MPI=1", "UCX UCX UCX UCX MPI UCX UCX UCX UCX UCX"),
    ("NIXL=1 UCX=1", "UCX UCX UCX UCX NIXL UCX UCX UCX NIXL UCX"),
    ("NIXL=1 MPI=1", "MPI MPI NIXL NIXL NIXL NIXL MPI NIXL NIXL NIXL"),
    ("UCX=0 NIXL=1", "UCX off UCX UCX NIXL NIXL NIXL NIXL NIXL NIXL"),
]
DEFAULT = {"cache_transceiver_config": {"backend": "DEFAULT"}}


def environment(text):
    pairs = [word.partition("=") for word in text.split()]
    return {f"TRTLLM_USE_{name}_KVCACHE".encode(): value.encode() for name, _, value in pairs}


@pytest.mark.parametrize(("text", "outcomes"), ROWS)
def test_default_resolves_as_the_release_did(text, outcomes):
    found = [FACTORIES[f"trtllm-{name}"]().method(DEFAULT, environment(text)) for name in NAMES]
    assert found == [SHORT[word] for word in outcomes.split()]


@pytest.mark.parametrize("name", NAMES)
def test_the_misspelt_variable_is_read_by_none(name):
    """R12's own spelling, `_KV_CACHE`."""
    release = FACTORIES[f"trtllm-{name}"]()
    assert release.method(DEFAULT, {b"TRTLLM_USE_UCX_KV_CACHE": b"1"}) == release.method(DEFAULT, {})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("backend", ["UCX", "NIXL", "MPI"])
def test_an_explicit_backend_ignores_the_environment(name, backend):
    release = FACTORIES[f"trtllm-{name}"]()
    config = {"cache_transceiver_config": {"backend": backend}}
    assert {release.method(config, environment(text)) for text, _ in ROWS} == {SHORT[backend]}


@pytest.mark.parametrize(
    "config", [{}, {"cache_transceiver_config": None}, {"cache_transceiver_config": {"backend": None}}]
)
@pytest.mark.parametrize("name", NAMES)
def test_without_a_backend_nothing_is_transferred(name, config):
    assert FACTORIES[f"trtllm-{name}"]().method(config, environment("NIXL=1 UCX=1")) == "disabled"


@pytest.mark.parametrize(
    ("value", "transport"), [(b"LIBFABRIC", "nixl:LIBFABRIC"), (b"UCX", "nixl:UCX"), (b"libfabric", "nixl:UCX")]
)
def test_nixls_back_end_has_a_variable_of_its_own(value, transport):
    release = FACTORIES["trtllm-pytorch-current"]()
    assert release.method(DEFAULT, {b"TRTLLM_NIXL_KVCACHE_BACKEND": value}) == transport


def test_kvbms_variables_are_not_read():
    release = FACTORIES["trtllm-cpp-current"]()
    assert release.method(DEFAULT, {b"DYN_KVBM_NIXL_BACKEND_UCX": b"maybe"}) == "nixl:UCX"


def test_a_backend_that_is_none_is_refused():
    with pytest.raises(Refused, match="did you mean NIXL"):
        FACTORIES["trtllm-1.1"]().method({"cache_transceiver_config": {"backend": "nixl"}}, {})


def test_they_say_that_nothing_of_upstream_was_run():
    assert {factory().note for factory in FACTORIES.values()} == {FROM_READING}
    assert len(FACTORIES) == len(NAMES)
