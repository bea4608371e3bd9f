"""Hazards tried again and again, each time in a fresh process: how often each was seen, and what was seen."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.hazards import HAZARDS, Hazard
from suite.errors import BadInput, KvgaugeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

TRIES = 20
_PATIENCE_S = 120.0
_SHOWN, _MOST = 3, 200  # lines of evidence, and characters of each


def chosen(names: Sequence[str]) -> tuple[Hazard, ...]:
    """Return the hazards called so, all without a name."""
    known = {one.name: one for one in HAZARDS}
    for name in names:
        if name not in known:
            raise BadInput("unknown-hazard", f"no hazard {name[:60]!r}", f"known: {', '.join(known)}")
    return tuple(known[name] for name in names) or HAZARDS


def tried(hazards: Iterable[Hazard], tries: int) -> Iterator[str]:
    """Yield lines about one hazard after the other, as each is done."""
    for hazard in hazards:
        yield f"{hazard.name}: {hazard.what}"
        yield from _about(list(_tries(hazard, tries)), tries)


def _tries(hazard: Hazard, tries: int) -> Iterator[dict[str, Any]]:
    """Yield what each try told; one that cannot run here ends them."""
    for _ in range(tries):
        with tempfile.TemporaryDirectory(prefix="kvgauge-hazard-", ignore_cleanup_errors=True) as folder:
            told = _once(hazard, Path(folder))
        yield told
        if "missing" in told:
            return


def _once(hazard: Hazard, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-P", "-m", "conformance.hazards.attempt", hazard.name]
    try:
        environment = {**os.environ, **_gpus(hazard, folder)}
    except KvgaugeError as error:
        return {"missing": str(error)}
    process = subprocess.Popen(  # its library may have threads and children: they end with its group
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        printed, _ = process.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        printed = ""
    finally:
        _end(process)
    return _last(printed, process.returncode)


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _gpus(hazard: Hazard, folder: Path) -> dict[str, str]:
    if not hazard.emulated_gpus:
        return {}
    from suite.cuda_emulator.environment import environment

    return environment(hazard.emulated_gpus, base=os.environ, logs=folder)


def _last(printed: str, status: int | None) -> dict[str, Any]:
    """Return the JSON object in the last line; libraries print before it."""
    try:
        told = json.loads(printed.strip().splitlines()[-1])
    except (IndexError, ValueError):
        told = None
    return told if isinstance(told, dict) else {"error": f"it told nothing and left with {status}"}


def _about(told: Sequence[dict[str, Any]], tries: int) -> Iterator[str]:
    if told and "missing" in told[-1]:
        yield f"  not tried: {told[-1]['missing'].splitlines()[0]}"
        return
    yield f"  seen in {sum(bool(one.get('seen')) for one in told)} of {tries}"
    for label, wanted in (("seen", True), ("not seen", False), ("no answer", None)):
        words = Counter(str(one.get("evidence", one.get("error")))[:_MOST] for one in told if one.get("seen") is wanted)
        for text, count in words.most_common(_SHOWN):
            yield f"  {label} {count}: {text}"
        if len(words) > _SHOWN:
            yield f"  {label}, and {len(words) - _SHOWN} other lines"
