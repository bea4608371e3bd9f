"""The table of profiles, and that its columns work for rows to come."""

from __future__ import annotations

import dataclasses

import pytest

from suite.errors import BadInput
from suite.settings.profiles import MISSPELT, MPI, NIXL, NIXL_BACKEND, PROFILES, RELEASES, UCX, Profile, profile_named

ROW = Profile("made-up", (UCX, NIXL), truth="one", fallback="disabled", without_backend="disabled")


def test_the_source_page_reads_no_variable() -> None:
    """Under the source page every selector is ignored and the method is NIXL."""
    row = profile_named("source-page")
    everything = {s.variable.encode(): b"1" for s in (UCX, NIXL, MPI)}
    assert row.chosen_by(everything) is None
    assert row.fallback == "nixl"


def test_names_are_the_keys() -> None:
    """Each row is found under its own name."""
    assert all(name == row.name for name, row in PROFILES.items())


def test_the_first_selector_that_is_set_wins() -> None:
    """The order of the column decides, not the order of the environment."""
    assert ROW.chosen_by({NIXL.variable.encode(): b"1", UCX.variable.encode(): b"1"}) == UCX
    assert ROW.chosen_by({NIXL.variable.encode(): b"1", UCX.variable.encode(): b"0"}) == NIXL
    assert ROW.chosen_by({MPI.variable.encode(): b"1"}) is None


@pytest.mark.parametrize(
    ("value", "one", "any_"),
    [(b"1", True, True), (b"0", False, True), (b"true", False, True), (b"1 ", False, True), (b"", False, False)],
)
def test_truth_is_a_column(value: bytes, one: bool, any_: bool) -> None:  # noqa: FBT001  a table of truth values
    """`one` is exactly the character 1, `any` is anything but empty."""
    environment = {UCX.variable.encode(): value}
    assert (ROW.chosen_by(environment) is not None) == one
    assert (dataclasses.replace(ROW, truth="any").chosen_by(environment) is not None) == any_


def test_ignored_selectors_are_told_but_not_those_that_are_read() -> None:
    """A selector that is set and does nothing is worth a sentence; one that is read is not."""
    environment = {UCX.variable.encode(): b"1", MPI.variable.encode(): b"\x1b", MISSPELT.encode(): b"1"}
    mpi, misspelt = ROW.ignored(environment)
    assert mpi.startswith(r"TRTLLM_USE_MPI_KVCACHE='\x1b' does not enable MPI")
    assert "no release" in misspelt


def test_a_selector_whose_value_does_not_count_is_told() -> None:
    """`true` enables nothing where exactly 1 does, and that is worth a sentence."""
    [note] = ROW.ignored({UCX.variable.encode(): b"true"})
    assert note.startswith("TRTLLM_USE_UCX_KVCACHE='true' does not enable UCX")
    assert "only exactly 1 counts" in note


@pytest.mark.parametrize(
    ("value", "column", "backend", "told"),
    [
        (b"LIBFABRIC", "TRTLLM", "LIBFABRIC", "is LIBFABRIC"),
        (b"UCX", "TRTLLM", "UCX", "NIXL over UCX"),
        (b"libfabric", "TRTLLM", "UCX", "'libfabric' is not one it knows"),
        (b"", "TRTLLM", "UCX", "'' is not one it knows"),
        (b"LIBFABRIC", "UCX", "UCX", "NIXL over UCX"),
    ],
)
def test_who_chooses_nixls_backend_is_a_column(value: bytes, column: str, backend: str, told: str) -> None:
    """The variable is read only where the column says so, and only two words are known."""
    row = dataclasses.replace(ROW, nixl_backends=column)
    assert row.release_backend({NIXL_BACKEND.encode(): value})[0] == backend
    assert told in row.release_backend({NIXL_BACKEND.encode(): value})[1]


def test_releases_are_all_but_the_source_page_and_need_a_backend() -> None:
    """No release transfers anything without a backend, and none reads Dynamo's variables."""
    assert {"source-page", *RELEASES} == set(PROFILES)
    assert {(PROFILES[name].without_backend, PROFILES[name].nixl_backends == "DYN_KVBM") for name in RELEASES} == {
        ("disabled", False)
    }


def test_an_unknown_profile_gets_a_suggestion() -> None:
    """A misspelt profile is refused with the nearest one."""
    with pytest.raises(BadInput, match="no profile 'source-pag'") as caught:
        profile_named("source-pag")
    assert "did you mean source-page?" in caught.value.hint
