"""What the README's first line must have left behind: every byte verified, every wire named, under 700 MB."""

import json
from pathlib import Path

LIMIT_MB = 700
PAGE_BYTES = 50_000
POINTS = 240

[run] = Path("runs").iterdir()
lines = [json.loads(text) for text in (run / "samples.jsonl").read_text("utf-8").splitlines()]
records = [line for line in lines if line["kind"] == "point"]
used = sum(found.lstat().st_blocks * 512 for found in Path(".venv").rglob("*")) / 1e6
checks = {
    "the report is written": (run / "report.html").stat().st_size > PAGE_BYTES,
    f"{POINTS} points are recorded": len(records) == POINTS,
    "with their ceilings": {line["kind"] for line in lines} == {"point", "ceiling"},
    "all are measured, every byte": all(one["status"] == "measured" and one["verified"] for one in records),
    "all by cma": {one["evidence"]["wire"] for one in records} == {"cma"},
    f"{used:.0f} MB are installed, under {LIMIT_MB}": used < LIMIT_MB,
    "torch is not among them": not list(Path(".venv").rglob("torch/__init__.py")),
    "it ran as the user who owns the run": run.owner() == Path().resolve().owner(),
}
for words, holds in checks.items():
    print(f"{'yes' if holds else 'NO '} {words}")
raise SystemExit(0 if all(checks.values()) else 1)
