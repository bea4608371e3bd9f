"""`cache_transceiver_config` as a file, as a model, and resolved with the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import BadInput
from suite.settings.cache_transceiver import (
    SECTION,
    CacheTransceiverConfig,
    from_mapping,
    read_engine_config,
    resolve,
    resolve_method,
)
from suite.settings.faults import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from suite.settings.protocols import ResolveMethod

UCX_OFF = {b"DYN_KVBM_NIXL_BACKEND_UCX": b"false"}
GDS_ON = {b"DYN_KVBM_NIXL_BACKEND_GDS": b"true"}
BAD = {b"DYN_KVBM_NIXL_BACKEND_UCX": b"maybe"}


def config(**fields: object) -> CacheTransceiverConfig:
    return CacheTransceiverConfig.model_validate(fields)


def test_a_file_is_read_and_its_other_keys_ignored(tmp_path: Path) -> None:
    """The section comes out as a model, the rest of the engine configuration is not ours."""
    file = tmp_path / "engine.yaml"
    file.write_text("kv_cache_config: {free_gpu_memory_fraction: 0.9}\ncache_transceiver_config:\n  backend: UCX\n")
    assert read_engine_config(file) == config(backend="UCX")


def test_a_file_without_the_section_gives_none(tmp_path: Path) -> None:
    """An absent section is told apart from an empty one."""
    file = tmp_path / "engine.yaml"
    file.write_text("tensor_parallel_size: 8\n")
    assert read_engine_config(file) is None
    file.write_text("cache_transceiver_config: {}\n")
    assert read_engine_config(file) == config()


def test_defaults_are_those_of_tensorrt_llm() -> None:
    """An empty section has the documented defaults."""
    assert config().model_dump() == {
        "backend": None,
        "transceiver_runtime": "auto",
        "max_tokens_in_buffer": None,
        "kv_transfer_timeout_ms": 60_000,
        "kv_transfer_sender_future_timeout_ms": 1_000,
        "kv_transfer_poll_interval_ms": 5_000,
        "kv_cache_bounce_size_mb": 0,
        "enable_pipelined_transfer": False,
    }


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        (
            "backend",
            "nixl",
            "backend='nixl' cannot be accepted (did you mean NIXL?). Accepted: DEFAULT, UCX, NIXL, MOONCAKE, MPI or null",
        ),
        ("backend", "UCX ", "backend='UCX ' cannot be accepted (did you mean UCX?)"),
        ("backend", "", "backend='' cannot be accepted. Accepted: DEFAULT"),
        ("backend", 1, "backend=1 cannot be accepted. Accepted: DEFAULT"),
        ("backend", "\x1b[2J", r"backend='\x1b[2J' cannot be accepted"),
        (
            "transceiver_runtime",
            "AUTO",
            "transceiver_runtime='AUTO' cannot be accepted (did you mean auto?). Accepted: CPP, PYTHON",
        ),
        (
            "kv_transfer_timeout_ms",
            0,
            "kv_transfer_timeout_ms=0 cannot be accepted. Accepted: a positive integer or null",
        ),
        ("kv_transfer_timeout_ms", "60000", "kv_transfer_timeout_ms='60000' cannot be accepted"),
        ("kv_transfer_timeout_ms", True, "kv_transfer_timeout_ms=true cannot be accepted"),
        ("kv_transfer_poll_interval_ms", 2**63, "cannot be accepted"),
        pytest.param(
            "max_tokens_in_buffer",
            16**5000,
            "max_tokens_in_buffer=a huge number cannot be accepted. Accepted: an integer or null",
            id="huge",
        ),
        (
            "kv_cache_bounce_size_mb",
            -1,
            "kv_cache_bounce_size_mb=-1 cannot be accepted. Accepted: an integer, 0 or more",
        ),
        ("kv_cache_bounce_size_mb", None, "kv_cache_bounce_size_mb=null cannot be accepted"),
        (
            "enable_pipelined_transfer",
            "yes",
            "enable_pipelined_transfer='yes' cannot be accepted. Accepted: true or false",
        ),
        ("bakend", "UCX", "bakend='UCX' is an unknown key (did you mean backend?)"),
        ("max_num_tokens", 1, "max_num_tokens=1 is an unknown key (did you mean max_tokens_in_buffer?)"),
        ("zzz", [1], "zzz=[1] is an unknown key. Accepted: backend, transceiver_runtime"),
        (7, 1, "cache_transceiver_config.7=1 is an unknown key"),
        (None, 1, "cache_transceiver_config.null=1 is an unknown key"),
        pytest.param(16**5000, 1, "cache_transceiver_config.a huge number=1 is an unknown key", id="huge key"),
        ("\ud800", "\ud800", r"cache_transceiver_config.'\ud800'='\ud800' is an unknown key"),
        ("backend", "\ud800", r"backend='\ud800' cannot be accepted"),
        ("backend", ["UCX"], "backend=['UCX'] cannot be accepted"),
        (b"backend", "UCX", "cache_transceiver_config.'backend'='UCX' is an unknown key"),
    ],
)
def test_a_bad_field_is_one_line_of_ours(key: object, value: object, line: str) -> None:
    """File, dotted key, value and what is accepted are in one line, with a suggestion where there is a near one."""
    with pytest.raises(SettingsError) as caught:
        from_mapping({SECTION: {key: value}}, source="e.yaml")
    assert caught.value.message.startswith("e.yaml: cache_transceiver_config.")
    assert line in caught.value.message
    assert caught.value.message.isprintable()
    assert "pydantic" not in caught.value.message


def test_all_faults_of_a_section_come_at_once() -> None:
    """Every bad key is reported, in the order of their names."""
    with pytest.raises(SettingsError) as caught:
        from_mapping({SECTION: {"zz": 1, "backend": "ucx", "kv_transfer_timeout_ms": -1}})
    assert [fault.variable.removeprefix(f"{SECTION}.") for fault in caught.value.faults] == [
        "backend",
        "kv_transfer_timeout_ms",
        "zz",
    ]


@pytest.mark.parametrize(
    "key",
    [
        "cache_transciever_config",
        "cache-transceiver-config",
        "CacheTransceiverConfig",
        "CACHE_TRANSCEIVER_CONFIG",
        "cache_transceiver_configs",
    ],
)
def test_a_misspelt_section_is_refused(key: str) -> None:
    """A typo in the section's name does not silently mean the default."""
    with pytest.raises(SettingsError, match=f"did you mean {SECTION}"):
        from_mapping({key: {"backend": "UCX"}})


@pytest.mark.parametrize(
    "key", ["kv_cache_config", "peft_cache_config", "cuda_graph_config", "moe_config", "backend", 1, None]
)
def test_real_top_level_keys_are_not_taken_for_typos(key: object) -> None:
    """TensorRT-LLM's other keys, and keys that are no text, are ignored."""
    assert from_mapping({key: {}}) is None


@pytest.mark.parametrize("section", ["UCX", ["UCX"], 1, False])
def test_a_section_that_is_no_mapping_is_refused(section: object) -> None:
    """The section is a mapping or null."""
    with pytest.raises(SettingsError, match="is not a mapping"):
        from_mapping({SECTION: section})


@given(
    st.dictionaries(
        st.text() | st.integers() | st.none(),
        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.none()),
    )
)
def test_any_section_is_a_model_or_a_settings_error(section: dict[object, object]) -> None:
    """No section raises anything but `SettingsError`, and its message is printable."""
    try:
        from_mapping({SECTION: section})
    except SettingsError as error:
        assert all(line.isprintable() for line in error.message.split("\n"))  # noqa: PT017  both outcomes are right


def test_nixl_carries_its_selection_and_reasons() -> None:
    """With NIXL the transports are its backends, and every step has a sentence."""
    resolution = resolve(config(backend="DEFAULT"), GDS_ON)
    assert (resolution.method, resolution.transports) == ("nixl", ("nixl:GDS",))
    assert resolution.selection is not None
    assert resolution.why[-2:] == resolution.selection.why
    assert all(sentence.endswith(".") for sentence in resolution.why)


def test_an_absent_section_says_that_tensorrt_llm_differs() -> None:
    """The page's default applies, and the reason tells what TensorRT-LLM itself does."""
    resolution = resolve(None, {})
    assert resolution.transports == ("nixl:UCX",)
    assert "TensorRT-LLM itself transfers nothing" in resolution.why[0]


@pytest.mark.parametrize(
    ("variable", "note"),
    [("TRTLLM_USE_UCX_KV_CACHE", "no release"), ("TRTLLM_USE_UCX_KVCACHE", "releases of TensorRT-LLM do read")],
)
def test_the_variables_of_r12_do_not_enable_ucx_and_are_mentioned(variable: str, note: str) -> None:
    """Either spelling leaves NIXL in place, and the reasons say who reads it."""
    resolution = resolve(config(backend="DEFAULT"), {variable.encode(): b"1"})
    assert resolution.transports == ("nixl:UCX",)
    assert any(variable in sentence and note in sentence for sentence in resolution.why)


def test_faults_of_variables_that_nothing_reads_are_mentioned_only() -> None:
    """Direct UCX works whatever `DYN_KVBM_*` say; NIXL refuses the same environment."""
    resolution = resolve(config(backend="UCX"), BAD)
    assert resolution.transports == ("ucx",)
    assert "NIXL would refuse DYN_KVBM_NIXL_BACKEND_UCX='maybe'" in resolution.why[-1]
    with pytest.raises(SettingsError):
        resolve(config(backend="NIXL"), BAD)


def test_variables_that_nothing_reads_are_mentioned() -> None:
    """A selection of NIXL backends beside direct UCX is worth a sentence."""
    assert "DYN_KVBM_NIXL_BACKEND_GDS='true': not read" in resolve(config(backend="UCX"), GDS_ON).why[-1]


def test_nixl_without_a_backend_is_refused_when_required() -> None:
    """The resolution tells of the empty selection, and using it is refused."""
    resolution = resolve(config(backend="NIXL"), UCX_OFF)
    assert resolution.transports == ()
    with pytest.raises(BadInput, match="no NIXL backend is left"):
        resolution.require()


def test_an_unknown_profile_is_refused() -> None:
    """Only rows of the table can be asked for."""
    with pytest.raises(BadInput, match="no profile 'trtllm-9'"):
        resolve(None, {}, profile="trtllm-9")


def test_resolve_method_is_the_protocol() -> None:
    """`resolve_method` serves wherever a `ResolveMethod` is expected."""
    implementation: ResolveMethod = resolve_method
    assert implementation({SECTION: {"backend": None}}, {}) == "disabled"
