"""An implementation under test: what can be asked what it makes of an environment, or what moves bytes.

The first is named on the command line as `my_pkg.settings:parse` (a callable), as
`exec:COMMAND` (a harness that speaks JSON lines), as `exec-log:...` (a command
whose log tells), or by the name of one that is built in. The second is a transport:
`nixl:UCX`, or `my_pkg.transport:transport`. `answers` tells them apart, and decides
which requirements are tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.faults.outcome import Outcome
    from conformance.requirement import Answers, Requirement
    from conformance.transfer.case import Case
    from conformance.transfer.scene import Scene


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


class MovesBytes(Protocol):
    """What a transport looks like to a test; see `conformance.implementations.transport`."""

    name: str
    answers: frozenset[Answers]  # "transfer"
    profile: str
    note: str

    def scene(self, case: Case, *, others: bool = False, file: bool = False) -> Scene:
        """Return a case with fresh endpoints, to be stepped through; with `others` there are three sides."""

    def outcome(self, case: Case) -> Outcome:
        """Return what came of the fault of a case; it is brought about once."""

    def unable(self, requirement: Requirement) -> str:
        """Return why the transport is not asked about a requirement, in words; empty if it is."""

    def close(self) -> None:
        """End processes, if there are any."""


UnderTest: TypeAlias = Implementation | MovesBytes
