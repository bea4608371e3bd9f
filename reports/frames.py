"""A run as pandas frames, for notebooks: tidy, with units in the column names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from perf.analysis import counts
from perf.reading import read_records
from reports.launches import identity, launch_row
from suite.errors import BadInput
from suite.run.folder import RunFolder

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def load(run: str | Path) -> pd.DataFrame:
    """Return one row per point and launch of the run folder `run`.

    Times are ns, sizes bytes, rates GB/s of logical bytes until delivered.
    `counts` says whether the row may enter a number: measured, every byte
    right, nothing INVALID. On the emulator rates and times are missing.
    Raises `BadInput` for a folder that is not a readable run.
    """
    import pandas as pd

    records, _ = read_records(RunFolder(Path(run)).samples)
    return pd.DataFrame([launch_row(record) for record in records])


def load_samples(run: str | Path) -> pd.DataFrame:
    """Return one row per sample of the run folder `run`: the point, its launch, and `duration_ns` from post to completion.

    `window` and `sample` count from 0: the windows of a launch, and the samples of
    their window. `counts` is that of the launch, as in `load`. Failed launches have
    no samples here. Emulated points have none either, because their durations are nobody's;
    a run that has no others is refused with `BadInput`, as is a folder that is not a readable run.
    """
    import pandas as pd

    path = Path(run)
    records, _ = read_records(RunFolder(path).samples)
    timed = [record for record in records if record.status == "measured" and not record.emulated]
    if not timed and any(record.emulated for record in records):
        message = f"{path}: every point was moved on emulated GPUs, where durations mean nothing"
        raise BadInput("emulated-samples", message, "reports.load has what was moved and checked")
    rows = [{**identity(one.point), "launch": one.launch, "counts": counts(one)} for one in timed]
    counted = np.array([len(one.durations_ns) for one in timed], np.int64)
    frame = pd.DataFrame(rows).loc[np.repeat(np.arange(len(timed)), counted)]
    places = [np.arange(count, dtype=np.int64) for count in counted]
    windows = [place // one.window_samples for place, one in zip(places, timed, strict=True)]
    samples = [place % one.window_samples for place, one in zip(places, timed, strict=True)]
    durations = [np.asarray(one.durations_ns, np.int64) for one in timed]
    return frame.reset_index(drop=True).assign(
        window=_joined(windows), sample=_joined(samples), duration_ns=_joined(durations)
    )


def _joined(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate([np.empty(0, np.int64), *parts])
