"""Rules R1 to R12 of the source page as a transfer obeys them; variables and files, no machine."""

from __future__ import annotations

import pytest

from suite.errors import BadInput, Missing
from suite.settings.cache_transceiver import CacheTransceiverConfig
from suite.settings.faults import SettingsError
from suite.transfer.selection import HANDOFF, WORK, selected
from suite.transports import base
from suite.transports.base import Op

PREFIX = "DYN_KVBM_NIXL_BACKEND_"
UCX, GDS = ("nixl:UCX", ("push", "pull")), ("nixl:GDS", (HANDOFF,))
DIRECT, MOONCAKE = ("ucx", ("push",)), ("mooncake:tcp", ("push", "pull"))
ABSENT = "no section"
RULES = [
    ("R1", ABSENT, "", [UCX]),
    ("R1", "DEFAULT", "", [UCX]),
    ("R1", "NIXL", "", [UCX]),
    ("R2, R3", ABSENT, f"{PREFIX}GDS=true", [GDS]),
    ("R4", ABSENT, f"{PREFIX}UCX=true", [UCX]),
    *[("R5", ABSENT, f"{PREFIX}GDS={word}", [GDS]) for word in ("true", "1", "on", "yes")],
    *[("R6", ABSENT, f"{PREFIX}GDS={word}", [UCX]) for word in ("false", "0", "off", "no")],
    ("R7", ABSENT, f"{PREFIX}GDS=false", [UCX]),
    ("R8", "DEFAULT", "OTHER=1", [UCX]),
    ("R9", ABSENT, f"{PREFIX}UCX=true {PREFIX}GDS=true", [UCX, GDS]),
    ("R9", "NIXL", f"{PREFIX}GDS=on {PREFIX}UCX=yes", [UCX, GDS]),
    ("R10", ABSENT, f"{PREFIX}UCX=true {PREFIX}GDS=false", [UCX]),
    ("R10", ABSENT, f"{PREFIX}UCX=false {PREFIX}GDS=true", [GDS]),
    ("R11", "UCX", "", [DIRECT]),
    ("R11", "UCX", f"{PREFIX}GDS=true", [DIRECT]),
    ("R12", "DEFAULT", "TRTLLM_USE_UCX_KV_CACHE=1", [UCX]),
    ("R12", "DEFAULT", "TRTLLM_USE_UCX_KVCACHE=1", [UCX]),
    ("R12", "UCX", "TRTLLM_USE_UCX_KV_CACHE=1", [DIRECT]),
    ("not on the page", "MOONCAKE", "", [MOONCAKE]),
]


def of(backend, assignments, source="engine.yaml"):
    config = None if backend == ABSENT else CacheTransceiverConfig(backend=backend)
    environment = dict(one.encode().split(b"=", 1) for one in assignments.split())
    return selected(config, environment, source="" if backend == ABSENT else source)


@pytest.mark.parametrize(("rule", "backend", "assignments", "expected"), RULES)
def test_the_rules_of_the_source_page(rule, backend, assignments, expected):
    found = of(backend, assignments)
    assert [(method.transport, method.ops) for method in found.methods] == expected, rule


def test_every_transport_is_given_only_what_it_can_do():
    """The table here and the traits of the transports are written apart."""
    posted = {"push": {Op.WRITE}, "pull": {Op.READ}, HANDOFF: {Op.STORE, Op.FETCH}}
    for transport, (role, ops) in WORK.items():
        traits = base.load(transport).traits
        assert set().union(*(posted[op] for op in ops)) == traits.ops
        assert (role == "files") == any(remote == "file" for _, remote in traits.memory)


@pytest.mark.parametrize(
    ("backend", "assignments", "said"),
    [
        (ABSENT, f"{PREFIX}UCX=true", ["nixl:UCX: DYN_KVBM_NIXL_BACKEND_UCX=true"]),
        (
            ABSENT,
            f"{PREFIX}GDS=1 {PREFIX}UCX=on",
            ["nixl:UCX: DYN_KVBM_NIXL_BACKEND_UCX=on", "nixl:GDS: DYN_KVBM_NIXL_BACKEND_GDS=1"],
        ),
        (ABSENT, "", ["nixl:UCX: the default, as no DYN_KVBM_NIXL_BACKEND_* switches a backend on"]),
        ("UCX", "", ["ucx: cache_transceiver_config.backend: UCX in engine.yaml"]),
        (
            "NIXL",
            f"{PREFIX}UCX=true",
            ["nixl:UCX: cache_transceiver_config.backend: NIXL in engine.yaml, DYN_KVBM_NIXL_BACKEND_UCX=true"],
        ),
    ],
)
def test_each_method_says_which_setting_selected_it(backend, assignments, said):
    assert [str(method) for method in of(backend, assignments).methods] == said


def test_a_file_without_a_choice_is_named_too():
    assert "no cache_transceiver_config in e.yaml" in selected(None, {}, source="e.yaml").methods[0].why
    unset = selected(CacheTransceiverConfig(), {}, source="e.yaml")
    assert "no cache_transceiver_config.backend in e.yaml" in unset.methods[0].why
    assert selected(CacheTransceiverConfig(backend="UCX"), {}).methods[0].why == "cache_transceiver_config.backend: UCX"


@pytest.mark.parametrize(
    ("backend", "assignments", "said"),
    [
        ("DEFAULT", "TRTLLM_USE_UCX_KV_CACHE=1", "TRTLLM_USE_UCX_KV_CACHE='1' does not enable UCX"),
        ("UCX", f"{PREFIX}GDS=true", "not read, as the method is ucx"),
        (ABSENT, f"{PREFIX}GDS=false", "GDS is not used: switched off"),
        (ABSENT, f"{PREFIX}UCX=false {PREFIX}GDS=true", "UCX is not used: switched off"),
    ],
)
def test_what_was_written_and_selects_nothing_is_noted(backend, assignments, said):
    [note] = of(backend, assignments).notes
    assert said in note


def test_where_nothing_was_written_nothing_is_noted():
    assert of(ABSENT, f"{PREFIX}UCX=true").notes == ()
    assert of("DEFAULT", "").notes == ()


@pytest.mark.parametrize(
    ("backend", "assignments", "kind", "said"),
    [
        (None, "", BadInput, "engine.yaml moves no KV cache: cache_transceiver_config or its backend is null"),
        (ABSENT, f"{PREFIX}UCX=false", BadInput, "no NIXL backend is left: DYN_KVBM_NIXL_BACKEND_UCX="),
        (ABSENT, f"{PREFIX}UCX=maybe", SettingsError, "DYN_KVBM_NIXL_BACKEND_UCX='maybe'"),
        (ABSENT, f"{PREFIX}POSIX=true", SettingsError, "names POSIX"),
        ("MPI", "", Missing, "mpi is selected (cache_transceiver_config.backend: MPI in engine.yaml)"),
    ],
)
def test_what_cannot_be_run_says_which_setting_it_is(backend, assignments, kind, said):
    with pytest.raises(kind) as caught:
        of(backend, assignments)
    assert said in caught.value.message
    assert type(caught.value) is kind
