"""What came of one fault: a frozen record, as it is kept, and shown."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from suite.errors import BadInput

Ended = Literal["done", "error", "no end", "died", "hung"]
ENDS: tuple[Ended, ...] = get_args(Ended)
_MAX_TEXT = 2_000


@dataclass(frozen=True)
class Outcome:
    """What the survivor of a fault saw, and could do afterwards.

    `ended` is how its transfer ended: "no end" within the time it was watched, "died" if the
    survivor did, "hung" if one of its calls did not return. For a target, that waits to be
    notified, "done" is that it was. `after_ms` is counted from the fault. `wrong` says what was
    wrong with bytes that were reported as good, `serves` why the next transfer failed: "" is good.
    """

    implementation: str
    fault: str
    role: str  # whom it befell
    phase: str
    way: str
    skipped: str = ""  # why it was not tried; nothing else holds then
    ended: str = ""
    after_ms: int = -1  # -1: not known
    code: str = ""  # of the error
    named: str = ""  # its words
    notified: str = ""  # whether the target was: "yes", "no", "" where nobody can say
    wrong: str = ""
    serves: str = ""
    slowest_ms: int = 0  # the longest call of the survivor meanwhile
    when: str = ""  # which step of the survivor it was

    def as_json(self) -> dict[str, Any]:
        """Return the fields."""
        return asdict(self)

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """Return what tells it from the others of a run."""
        return self.implementation, self.fault, self.role, self.phase, self.way


def of_json(told: dict[str, Any]) -> Outcome:
    """Return what `as_json` told; it comes from a file, so anything else is a `BadInput`."""
    try:
        outcome = Outcome(**told)
    except TypeError:
        raise BadInput("bad-record", "not the outcome of a fault") from None
    for name, value in told.items():
        wanted = int if name in {"after_ms", "slowest_ms"} else str
        if type(value) is not wanted or len(str(value)) > _MAX_TEXT:
            raise BadInput("bad-record", f"the outcome of a fault has a strange {name}")
    if outcome.ended not in {"", *ENDS}:
        raise BadInput("bad-record", "the outcome of a fault has an unknown end")
    return outcome
