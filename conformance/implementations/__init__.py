"""The implementations under test that are built in, and how those of a user are reached.

Everything in `built_in` but `reference` is written from reading upstream's
source, because no released binary holds the KVBM parsers and TensorRT-LLM needs
a GPU to start. What `where_installed` returns is upstream's own code, which
kvgauge does not bring.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from conformance.implementation import MovesBytes, UnderTest

    Factories = Mapping[str, Callable[[], UnderTest]]

FROM_READING = "written from reading the source; upstream was not run"
KNOWN_BROKEN = Path(__file__).parent / "built_ins.expect.toml"  # what the built-in ones are known to break


def built_in() -> Factories:
    """Return what makes each built-in implementation, by name: the reference, KVBM's parsers, TensorRT-LLM's releases in order; the reference transport."""
    from conformance.implementations import kvbm, reference_transport, trtllm
    from conformance.implementations.reference import Reference

    settings = {Reference.name: Reference, **kvbm.FACTORIES, **trtllm.FACTORIES}
    return MappingProxyType({**settings, reference_transport.NAME: _reference_transport})


def where_installed() -> Factories:
    """Return what makes each implementation that runs upstream's own code, by name; `Missing` says how to install that."""
    from conformance.implementations import kvbm_wheel
    from conformance.implementations.trtllm_installed import TrtllmInstalled

    return MappingProxyType({kvbm_wheel.NAME: kvbm_wheel.kvbm_wheel, TrtllmInstalled.name: TrtllmInstalled})


def _reference_transport() -> MovesBytes:
    from conformance.implementations.reference_transport import NAME, ReferenceTransport
    from conformance.implementations.transport import TransportUnderTest

    return TransportUnderTest(NAME, ReferenceTransport())
