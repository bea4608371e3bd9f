"""Faults of a disk: no room, a file that may not grow, the right to write lost. They befall one process, which has no peer."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.faults.cells import INITIATOR
from conformance.faults.skipped import Skipped
from conformance.transfer.crew import Died, Refusal
from conformance.transfer.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.faults.cells import Cell
    from conformance.transfer.case import Case
    from conformance.transfer.scene import Stage

_ROOM = "16m"  # of the small file system
_MOUNT = 'mount -t tmpfs -o size="$0",mode=0700 tmpfs "$1" && shift && exec "$@"'
_TRY_S = 10.0


@contextmanager
def small_disk() -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Return a folder, and the command that starts a process for which it is a small disk of its own."""
    with tempfile.TemporaryDirectory(prefix="kvgauge-disk-") as folder:
        unshare = shutil.which("unshare", path="/usr/sbin:/usr/bin:/sbin:/bin")
        if unshare is None:
            raise Skipped("no unshare here (apt-get install util-linux)")
        who = () if os.geteuid() == 0 else ("--user", "--map-root-user")
        command = (unshare, *who, "--mount", "/bin/sh", "-c", _MOUNT, _ROOM, folder)
        done = subprocess.run([*command, "true"], capture_output=True, text=True, timeout=_TRY_S, check=False)
        if done.returncode:
            raise Skipped(f"no small file system can be mounted here: {done.stderr.strip()[:200]}")
        yield Path(folder), command


def endured(stage: Stage, case: Case, cell: Cell, folder: Path | None, limit_s: float) -> dict[str, Any]:
    """Prepare a STORE, bring about the fault, post; mend it, and store again. Return the fields of an outcome."""
    with Scene(stage, case, file=True) as one:
        one.spoilt()
        one.lay(**({"path": str(folder / "file")} if folder else {}))
        one.open(INITIATOR)
        one.stage_bytes()
        one.prepare()
        one.ask(INITIATOR, "spoil", what=cell.fault, place="file")
        struck = time.monotonic()
        told = _asked(one, limit_s)
        if "at" not in told:
            return {**told, "serves": "it is gone"}
        damage = one.ask(INITIATOR, "damage", place="file") if told["ended"] == "done" else None
        return {
            "ended": told["ended"],
            "when": told["step"],
            "after_ms": max(0, round(1000 * (told["at"] - struck))),
            "code": told["code"],
            "named": told["words"],
            "slowest_ms": told["slowest_ms"],
            "wrong": f"{damage['rows']} bytes are not in the file, and the STORE was reported done" if damage else "",
            "serves": _stores_again(one, cell),
        }


def _asked(one: Scene, limit_s: float) -> dict[str, Any]:
    try:
        steps = {"steps": [["post", {}], ["wait", {}]]}
        told: dict[str, Any] = one.ask_all({INITIATOR: ("endure", steps)}, limit_s)[INITIATOR]
    except Died as died:
        return {"ended": "hung" if "no answer" in str(died) else "died", "named": str(died)}
    return told


def _stores_again(one: Scene, cell: Cell) -> str:
    """Mend the fault and store anew through the same endpoint; return what went wrong, or nothing."""
    try:
        one.ask(INITIATOR, "mend", what=cell.fault, place="file")
        with suppress(Refusal):
            one.ask(INITIATOR, "release", name="t")
        one.stage_bytes(one.case.seed + 1)
        one.prepare("next")
        if one.move("next", count=0).late:
            return "no end"
        damage = one.damage()
    except (Refusal, Died) as error:
        return str(error)
    return f"{damage['rows'] + damage['beside']} bytes of the next STORE are wrong" if damage else ""
