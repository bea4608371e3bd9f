"""The calibration that a manifest carries, read as a stranger's, and what makes it doubtful for that run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from suite.errors import BadInput
from suite.run.calibration import Calibration, PartName, check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OLD_DAYS = 30
_DAY_S = 86_400


@dataclass(frozen=True)
class Told:
    """What a run knows of how wrong its instrument is: a calibration, or why there is none that counts."""

    calibration: Calibration | None
    refused: str
    started_at: str  # of the run
    kernel: str
    kvgauge: str

    def age_days(self, part: PartName) -> float | None:
        """Return how old a part was when the run started; None where the times are not told."""
        if self.calibration is None or part not in self.calibration.parts:
            return None
        begun, made = _time(self.started_at), _time(self.calibration.parts[part].created_at)
        return (begun - made).total_seconds() / _DAY_S if begun and made else None

    def doubts(self, part: PartName) -> list[str]:
        """Return what makes a part doubtful for this run: age, another kernel, another kvgauge."""
        return list(self._doubts(part))

    def _doubts(self, part: PartName) -> Iterator[str]:
        if self.calibration is None or part not in self.calibration.parts:
            return
        made, age = self.calibration.parts[part], self.age_days(part)
        if age is None:
            yield "its age is not known"
        elif age < -1:
            yield "it is dated after the run"
        elif age > OLD_DAYS:
            yield f"it is {age:.0f} days old"
        if made.kernel != self.kernel:
            yield f"it was made on kernel {made.kernel}"
        if part == "band" and made.quick:
            yield "it was made with --quick"
        if made.kvgauge != self.kvgauge:
            yield f"it was made by kvgauge {made.kvgauge}"


def told(manifest: Mapping[str, object]) -> Told | None:
    """Return what a manifest tells of a calibration; None where there was none."""
    found = manifest.get("calibration")
    if not isinstance(found, dict):
        return None
    machine = manifest.get("machine")
    kernel = machine.get("kernel") if isinstance(machine, dict) else None
    calibration, refused = None, found.get("refused")
    if refused is None:
        try:
            calibration = check(found, source="the manifest's calibration")
        except BadInput as error:
            refused = error.message
    return Told(
        calibration=calibration,
        refused="" if calibration else str(refused)[:1_000],
        started_at=str(manifest.get("started_at"))[:100],
        kernel=str(kernel)[:500],
        kvgauge=str(manifest.get("kvgauge"))[:500],
    )


def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None
