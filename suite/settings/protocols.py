"""What an implementation under test offers: two plain functions, so that a stranger's parser needs no import of ours.

A refusal is a `ValueError` (`BadInput` is one).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

ParseBackends = Callable[[Mapping[bytes, bytes]], Sequence[str]]
"""The environment as bytes -> the selected NIXL backends, in any order."""

ResolveMethod = Callable[[Mapping[str, object], Mapping[bytes, bytes]], str]
"""The whole engine configuration and the environment -> `nixl:UCX`, `nixl:UCX,nixl:GDS`, `ucx`, ..., `disabled`."""
