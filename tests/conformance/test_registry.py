"""Requirements and tests know each other."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest

from conformance import requirement as module
from conformance.properties import (
    test_cache_transceiver,
    test_nixl_backends,
    test_transfer_bytes,
    test_transfer_disks,
    test_transfer_faults,
    test_transfer_files,
    test_transfer_leaks,
    test_transfer_life,
    test_transfer_memory,
    test_transfer_metadata,
    test_transfer_notifications,
    test_transfer_peers,
    test_transfer_sequences,
    test_transfer_threads,
)
from conformance.requirement import RegistryFault, parse, registry, requirement

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOOD: dict[str, Any] = {"level": "MUST", "sentence": "A.", "source": "R1", "since": "0.1.0", "answers": "backends"}
TRANSFERS = (
    test_transfer_bytes, test_transfer_notifications, test_transfer_memory, test_transfer_metadata, test_transfer_life,
    test_transfer_leaks, test_transfer_files,
    test_transfer_peers, test_transfer_threads, test_transfer_disks, test_transfer_sequences,
    test_transfer_faults,
)  # fmt: skip
PROFILES = {
    "source-page", "trtllm-0.19", "trtllm-cpp-0.19", "trtllm-0.20", "trtllm-1.0rc", "trtllm-1.0", "trtllm-cpp-1.0",
    "trtllm-1.1", "trtllm-cpp-1.1", "trtllm-pytorch-current", "trtllm-cpp-current",
}  # fmt: skip


def every_test() -> Iterator[tuple[str, Any]]:
    for found in (test_nixl_backends, test_cache_transceiver, *TRANSFERS):
        yield from ((name, test) for name, test in vars(found).items() if name.startswith("test_"))


def marks(test: Any) -> list[str]:
    return [mark.args[0] for mark in getattr(test, "pytestmark", []) if mark.name == module.MARK]


def arguments(test: Any) -> set[str]:
    plain = test.hypothesis.inner_test if hasattr(test, "hypothesis") else test
    return set(plain.__code__.co_varnames[: plain.__code__.co_argcount])


def test_every_requirement_has_a_test_and_every_test_one_requirement() -> None:
    assert all(len(marks(test)) == 1 for _, test in every_test())
    assert {marks(test)[0] for _, test in every_test()} == set(registry())


@pytest.mark.parametrize(("name", "test"), list(every_test()))
def test_arguments_are_those_that_can_be_replaced(name: str, test: Any) -> None:
    one = registry()[marks(test)[0]]
    inputs = {
        "backends": {"environment"},
        "method": {"environment", "config"},
        "transfer": {"sequence" if "sequence" in arguments(test) else "case"},
    }
    wanted = {"implementation"} | inputs[one.answers]
    assert arguments(test) == wanted | ({"observe"} if one.level == "UNSPECIFIED" else set()), name


@pytest.mark.parametrize("one", list(registry().values()), ids=lambda one: one.id)
def test_a_requirement_is_one_plain_sentence(one: module.Requirement) -> None:
    assert one.sentence.endswith(".")
    assert ". " not in one.sentence
    assert len(one.sentence) < 140
    assert one.answers == {"ENV": "backends", "CFG": "method", "XFER": "transfer"}[one.id.partition("-")[0]]
    assert set(one.profiles) <= PROFILES
    if one.answers == "transfer":
        library = any(one.source.startswith(name) for name in ("NIXL ", "UCX ", "suite/transports/"))
        assert one.level != "MUST" or library, "only a library's own documentation obliges"
    elif one.level == "MUST":
        assert set(one.source.replace(",", "").split()) <= {f"R{n}" for n in range(1, 13)}, "only the page obliges"


def test_every_profile_has_a_sentence() -> None:
    assert {profile for one in registry().values() for profile in one.profiles} == PROFILES


@pytest.mark.parametrize("identity", ["ENV-1", "ENV-0001", "env-001", "KV-001", "ENV-001 ", ""])
def test_ids_have_a_form(identity: str) -> None:
    with pytest.raises(RegistryFault):
        parse(identity, GOOD, "x.toml")


@pytest.mark.parametrize(
    "fields",
    [
        *({key: value for key, value in GOOD.items() if key != missing} for missing in GOOD),
        *({**GOOD, key: value} for key in GOOD for value in ("", " ", 1)),
        {**GOOD, "level": "must"},
        {**GOOD, "answers": "everything"},
        {**GOOD, "profiles": [""]},
        {**GOOD, "profiles": [1]},
        {**GOOD, "severity": "high"},
        {**GOOD, "needs": ["read"]},
        {**GOOD, "answers": "transfer", "needs": ["wings"]},
        {**GOOD, "answers": "transfer", "needs": [["read"]]},
        {**GOOD, "answers": "transfer", "needs": "read"},
        "MUST",
        None,
    ],
)
def test_an_ill_formed_requirement_is_a_fault(fields: object) -> None:
    with pytest.raises(RegistryFault):
        parse("ENV-001", fields, "x.toml")


def test_a_good_one_is_none() -> None:
    assert parse("ENV-001", {**GOOD, "profiles": ["source-page"]}, "x.toml").profiles == ("source-page",)


def test_an_id_in_two_files_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "requirements").mkdir()
    text = "[ENV-001]\n" + "".join(f'{key} = "{value}"\n' for key, value in GOOD.items())
    for name in ("a.toml", "b.toml"):
        (tmp_path / "requirements" / name).write_text(text)
    monkeypatch.setattr(resources, "files", lambda _: tmp_path)
    with pytest.raises(RegistryFault, match=r"b\.toml: ENV-001 is there twice"):
        registry.__wrapped__()


def test_an_unknown_id_is_a_fault() -> None:
    with pytest.raises(RegistryFault, match="ENV-999"):
        requirement("ENV-999")
