"""An implementation under test: whatever can be asked what it makes of an environment.

Named on the command line as `my_pkg.settings:parse` (a callable), as
`exec:COMMAND` (a harness that speaks JSON lines), as `exec-log:...` (a command
whose log tells), or by the name of one that is built in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.requirement import Answers


class Implementation(Protocol):
    """What every way of reaching an implementation looks like to a test.

    `backends` and `method` raise `Refused` for an input that the implementation
    does not accept, and `ImplementationBroke` for a crash, a hang or nonsense:
    its subclass `Aborted` where it is known to have ended its own process.
    """

    name: str  # as it was named, and as test ids show it
    answers: frozenset[Answers]
    profile: str  # which requirements apply: "source-page" unless it says otherwise
    note: str  # what a reader must know: "written from reading the source; upstream was not run"

    def backends(self, environment: Mapping[bytes, bytes]) -> tuple[str, ...]:
        """Return the NIXL backends that `environment` selects, upper case, in any order."""

    def method(self, config: Mapping[str, object], environment: Mapping[bytes, bytes]) -> str:
        """Return how the KV cache moves: `nixl:UCX`, `nixl:UCX,nixl:GDS`, `ucx`, `mpi`, `mooncake:tcp`, `disabled`."""

    def close(self) -> None:
        """End processes, if there are any."""
