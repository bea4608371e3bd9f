"""The way to an installed TensorRT-LLM, with a stand-in: nobody has run this against a real TensorRT-LLM.

The stand-in has the fields and the strictness that were read in its source.
"""

from __future__ import annotations

import sys
from contextlib import closing
from importlib.util import find_spec

import pytest

from conformance.implementations.trtllm_installed import PYTHON, TrtllmInstalled
from conformance.verdict import Refused
from suite.errors import Missing

STAND_IN = """
from typing import Literal
from pydantic import BaseModel, ConfigDict, PositiveInt

class CacheTransceiverConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")
    backend: Literal["DEFAULT", "UCX", "NIXL", "MOONCAKE", "MPI"] | None = None
    kv_transfer_timeout_ms: PositiveInt | None = 60000

class TorchLlmArgs(BaseModel):
    model_config = ConfigDict(extra="forbid")
    cache_transceiver_config: CacheTransceiverConfig | None = None
    kv_cache_config: dict = {}
"""
NIXL, UCX = b"TRTLLM_USE_NIXL_KVCACHE", b"TRTLLM_USE_UCX_KVCACHE"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Return what makes the implementation with a stand-in of one version."""
    made = []

    def make(version):
        package = tmp_path / "tensorrt_llm"
        (package / "llmapi").mkdir(parents=True)
        (package / "llmapi" / "llm_args.py").write_text(STAND_IN, encoding="utf-8")
        (package / "__init__.py").write_text(f"print('noise')\n__version__ = {version!r}\n", encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setenv(PYTHON, sys.executable)
        made.append(TrtllmInstalled())
        return made[-1]

    yield make
    for one in made:
        one.close()


def asked(installed, section, environment=None):
    try:
        return installed.method({"cache_transceiver_config": section}, environment or {})
    except Refused as refused:
        return f"refused: {refused}"


def test_the_class_refuses_and_names_the_backend(installed):
    one = installed("1.1.0")
    assert one.profile == "trtllm-1.1"
    assert asked(one, {"backend": "UCX"}, {NIXL: b"1"}) == "ucx"
    assert asked(one, {"backend": "MPI"}) == "mpi"
    assert asked(one, {"backend": "NIXL"}) == "nixl:UCX"
    assert asked(one, {"kv_transfer_timeout_ms": "60000", "backend": "UCX"}) == "ucx"  # pydantic converts
    assert {asked(one, None), asked(one, {}), asked(one, {"backend": None}), one.method({}, {})} == {"disabled"}
    assert "Input should be 'DEFAULT', 'UCX'" in asked(one, {"backend": "nixl"})
    assert "Extra inputs are not permitted" in asked(one, {"max_num_tokens": 1})
    assert asked(one, ["UCX"]).startswith("refused: ")
    assert one.method({"kv_cache_config": {}}, {}) == "disabled"
    with pytest.raises(Refused, match="no field of TorchLlmArgs: cache_transciever_config"):
        one.method({"cache_transciever_config": {}}, {})


@pytest.mark.parametrize(("version", "both"), [("1.0.0rc3", "ucx"), ("1.0.1", "nixl:UCX"), ("1.1.0", "ucx")])
def test_default_is_that_of_the_release(installed, version, both):
    """With both variables; 1.0 does not read that of UCX."""
    assert asked(installed(version), {"backend": "DEFAULT"}, {NIXL: b"1", UCX: b"1"}) == both


def test_default_of_a_release_that_nobody_has_read_is_refused(installed):
    one = installed("1.2.1")
    assert asked(one, {"backend": "DEFAULT"}) == "refused: what DEFAULT means in TensorRT-LLM 1.2.1 has not been read"
    assert asked(one, {"backend": "MOONCAKE"}) == "mooncake:tcp"


@pytest.mark.skipif(find_spec("tensorrt_llm") is not None, reason="TensorRT-LLM is installed")
def test_not_installed_is_missing(monkeypatch):
    monkeypatch.delenv(PYTHON, raising=False)
    with pytest.raises(Missing, match="No module named 'tensorrt_llm'") as missing, closing(TrtllmInstalled()):
        pass
    assert "pip install tensorrt-llm" in missing.value.hint
    assert missing.value.exit_code == 3
