"""The reference reading of the source page (`suite.settings`, explained in `docs/semantics.md`) as an implementation under test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.verdict import Refused
from suite.errors import BadInput
from suite.settings import cache_transceiver, nixl_backends

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.requirement import Answers


class Reference:
    """Answers both questions, under the profile `source-page`."""

    name = "reference"
    answers: frozenset[Answers] = frozenset(("backends", "method"))
    profile = "source-page"
    note = ""

    def backends(self, environment: Mapping[bytes, bytes]) -> tuple[str, ...]:
        """Return the selected backends, UCX before GDS."""
        try:
            return nixl_backends.parse(environment)
        except BadInput as error:
            raise Refused(str(error)) from error

    def method(self, config: Mapping[str, object], environment: Mapping[bytes, bytes]) -> str:
        """Return the method for a whole engine configuration."""
        try:
            return cache_transceiver.resolve_method(config, environment)
        except BadInput as error:
            raise Refused(str(error)) from error

    def close(self) -> None:
        """Nothing is open."""
