"""The implementations under test that are built in, and how those of a user are reached.

Everything but `reference` is written from reading upstream's source, because no
released binary holds the KVBM parsers and TensorRT-LLM needs a GPU to start.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from conformance.implementation import Implementation

FROM_READING = "written from reading the source; upstream was not run"


def built_in() -> Mapping[str, Callable[[], Implementation]]:
    """Return what makes each built-in implementation, by name: the reference, KVBM's parsers, TensorRT-LLM's releases in order."""
    from conformance.implementations import kvbm, trtllm
    from conformance.implementations.reference import Reference

    return MappingProxyType({Reference.name: Reference, **kvbm.FACTORIES, **trtllm.FACTORIES})
