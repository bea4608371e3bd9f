"""TensorRT-LLM's releases as implementations under test: the rows of `suite.settings.profiles`, one implementation each.

They are asked for the method only. Which NIXL backends a release uses is in its
answer, and no release reads `DYN_KVBM_*` for its own transfer.
"""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from conformance.implementations import FROM_READING
from conformance.verdict import ImplementationBroke, Refused
from suite.errors import BadInput
from suite.settings.cache_transceiver import resolve_method
from suite.settings.profiles import RELEASES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from conformance.implementation import Implementation
    from conformance.requirement import Answers


class Release:
    """One way in which a release of TensorRT-LLM finds its method; name and profile are the row's."""

    answers: frozenset[Answers] = frozenset(("method",))
    note = FROM_READING

    def __init__(self, profile: str) -> None:
        self.name = self.profile = profile

    def backends(self, environment: Mapping[bytes, bytes]) -> tuple[str, ...]:  # noqa: ARG002  the protocol's signature
        """Say that nobody should have asked."""
        raise ImplementationBroke(f"{self.name} answers for the method, not for backends")

    def method(self, config: Mapping[str, object], environment: Mapping[bytes, bytes]) -> str:
        """Return the method for a whole engine configuration."""
        try:
            return resolve_method(config, environment, self.profile)
        except BadInput as error:
            raise Refused(str(error)) from error

    def close(self) -> None:
        """Nothing is open."""


FACTORIES: Mapping[str, Callable[[], Implementation]] = MappingProxyType(
    {name: partial(Release, name) for name in RELEASES}
)
