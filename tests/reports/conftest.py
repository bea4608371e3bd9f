"""Made-up points of several GPUs and of storage: shapes to draw and print, not results of any machine. And a browser."""

from __future__ import annotations

import json
import math
import shutil
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from perf.record import Issue, Storage
from perf.statistics import median_interval
from perf.summary import Repetition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from perf.summary import PointSummary

MIB = 1 << 20
CACHE = {"unit": "block", "descriptor_bytes": 4 * MIB, "descriptors": 16}
WRONG = Issue(level="INVALID", code="wrong-bytes", message="1 of 9 launches left bytes that are not as they must be")


@pytest.fixture
def grid(summary: Callable[..., PointSummary], interval: Callable[..., Any]) -> Callable[..., list[PointSummary]]:
    """Return every ordered pair of `count` devices; two islands of fast links."""

    def build(count: int = 4, **changes: Any) -> list[PointSummary]:
        found = []
        for source, to in product(range(count), repeat=2):
            speed = 900.0 if source == to else (140.0 if source // 2 == to // 2 else 21.5) + source + to / 8
            fields = {"wires": ("cuda_ipc",), "allocation": "cudaMalloc", **CACHE, "throughput": interval(speed)}
            pair = {"source": f"cuda:{source}", "destination": f"cuda:{to}"}
            found.append(summary(**(fields | pair | changes)))
        return found

    return build


@pytest.fixture
def beside(summary: Callable[..., PointSummary], interval: Callable[..., Any]) -> Callable[..., list[PointSummary]]:
    """Return one KV cache between two memories by push, pull and handoff, and the halves of the handoff."""

    def build(source: str = "host", destination: str = "host", **changes: Any) -> list[PointSummary]:
        whole = CACHE | {"source": source, "destination": destination}
        files = [Storage(filesystem="ext4", io="buffered", cached_before=[0, 0], cached_after=[512 * MIB] * 2),
                 Storage(filesystem="ext4", io="direct", cached_before=[0, 0], cached_after=[0, 0])]  # fmt: skip
        ways = (("handoff", whole), ("store", whole | {"destination": "file"}), ("fetch", whole | {"source": "file"}))
        network = [
            summary(transport=name, op=op, **(whole | {"throughput": interval(speed)} | changes))
            for name, speed in (("nixl:UCX", 5.4), ("copy", 6.1))
            for op in ("push", "pull")
        ]
        storage = [
            summary(
                transport="nixl:POSIX", op=op, settings={"io": file.io}, storage=file,
                **(where | {"wires": ("posix aio",)} | {"throughput": interval(0.8 if op == "handoff" else 1.7), "ceiling_share": None} | changes),
            )
            for file in files
            for op, where in ways
        ]  # fmt: skip
        return [*network, *storage]

    return build


@pytest.fixture
def timed(summary: Callable[..., PointSummary]) -> Callable[..., PointSummary]:
    """Return a point with six launches: `rates` in GB/s, one a launch; other fields by name."""

    def build(
        rates: tuple[float, ...] = (5.0, 5.1, 4.9, 5.2, 4.8, 5.0), samples: int = 8, **changes: Any
    ) -> PointSummary:
        phases = changes.pop("phases_ns", {"open": 15_000_000, "connect": 6_000_000, "first_transfer": 12_000_000})
        bare = summary(**changes)
        found = []
        for launch, rate in enumerate(rates):
            took = bare.logical_bytes / rate
            tails = {"p90": 1.1 * took, "p99": 1.5 * took} if samples >= 1_000 else {}
            curve = tuple(took * (1 + index / 400) for index in range(1, min(samples, 200) + 1))
            found.append(
                Repetition(
                    launch=launch, throughput=rate, latency_ns=took, first_ns=1.2 * took, max_ns=int(2 * took) if math.isfinite(took) else 0, samples=samples,
                    percentiles_ns=tails, quantiles_ns=curve, window_samples=samples // 2, posts=3 * samples // 2, phases_ns=phases,
                )
            )  # fmt: skip
        throughput = changes.get("throughput") or median_interval(rates)
        latency = median_interval([one.latency_ns for one in found])
        return replace(bare, repetitions=tuple(found), throughput=throughput, latency_ns=latency)

    return build


@pytest.fixture
def wrong() -> Issue:
    """Return what the analysis says of a point that left wrong bytes."""
    return WRONG


@pytest.fixture(scope="session")
def line() -> Callable[..., dict[str, Any]]:
    """Return a line of `samples.jsonl`: a good launch of nixl:UCX; `changes` name fields of it or of its point."""

    def build(launch: int = 0, **changes: Any) -> dict[str, Any]:
        point = {"transport": "nixl:UCX", "op": "push", "source": "host", "destination": "host", "workload": "a-model",
                 "pattern": "scattered", "unit": "block", "descriptor_bytes": MIB, "descriptors": 16, "flows": 1,
                 "settings": {}}  # fmt: skip
        record = {
            "kind": "point", "schema": 1, "launch": launch, "position": 0, "setup": "default", "status": "measured",
            "durations_ns": [3_000_000 + 1_000 * launch] * 4, "delivered_ns": [6_100_000] * 2, "window_samples": 2,
            "logical_bytes": 16 * MIB, "padded_bytes": 16 * MIB, "wire_bytes": 16 * MIB, "posted_descriptors": 16,
            "working_set_bytes": 64 * MIB, "allocation": "4k", "verified": True, "verified_bytes": 256 * MIB,
            "emulated": False, "evidence": {"wire": "cma", "source": "UCX", "reach": "intra-node"},
            "phases_ns": {"open": 15_000_000}, "load_average": 0.1, "started_at": f"2026-11-24T05:00:{launch:02d}Z",
        }  # fmt: skip
        for name, value in changes.items():
            (point if name in point else record)[name] = value
        return record | {"point": point}

    return build


@pytest.fixture
def run_folder(tmp_path: Path, manifest: dict[str, object]) -> Callable[..., Path]:
    """Return a run folder of lines of `samples.jsonl`."""

    def build(lines: Iterable[dict[str, Any]], name: str = "run") -> Path:
        path = tmp_path / name
        path.mkdir(exist_ok=True)
        (path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        (path / "samples.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
        return path

    return build


@pytest.fixture(scope="session")
def handed() -> Callable[..., dict[str, Any]]:
    """Return a line of `requests.jsonl`: a good push of a request; `changes` name fields of it."""

    def build(request: int = 0, **changes: Any) -> dict[str, Any]:
        return {
            "schema": 1, "op": "push", "request": request, "batch": request // 4, "status": "good", "transport": "nixl:UCX",
            "emulated": False, "prefill_ranks": 1, "decode_ranks": 4, "pairs": 4, "descriptors": 112, "posted_descriptors": 56,
            "logical_bytes": 3 * MIB, "padded_bytes": 4 * MIB, "wire_bytes": 8 * MIB, "preparation_ns": 1_000_000,
            "transmission_ns": 2_000_000 + 1_000 * request, "findings": [], "failure": None, "wire": "cma",
        } | changes  # fmt: skip

    return build


@pytest.fixture
def transfers(tmp_path: Path, manifest: dict[str, object]) -> Callable[..., Path]:
    """Return a run folder of `kvgauge transfer` of lines of `requests.jsonl`; `ops` are summaries of the manifest."""

    def build(lines: Iterable[dict[str, Any]], ops: list[Any] | None = None, **changes: Any) -> Path:
        path = tmp_path / "handed over"
        path.mkdir(exist_ok=True)
        lines = list(lines)
        asked = sorted({line["op"] for line in lines}, reverse=True)
        requests = max((line["request"] + 1 for line in lines), default=4)
        side = {"parallel": {"tp": 2, "pp": 1, "dp": 1}, "tokens_per_block": 32, "order": "HND"}
        spec = {"ops": asked, "transport": "nixl:UCX", "emulated_gpus": 0, "batch": 4,
                "transfer": {"model": {"name": "a-model", "layers": 4}, "tokens": 200, "cached": 0, "requests": requests,
                             "prefill": side, "decode": side}}  # fmt: skip
        told = {"spec": spec, "settings": {}, "ops": [_summary_of(op, lines) for op in asked] if ops is None else ops}
        (path / "manifest.json").write_text(json.dumps(manifest | told | changes), encoding="utf-8")
        (path / "requests.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
        return path

    return build


def _summary_of(op: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
    statuses = Counter(line["status"] for line in lines if line["op"] == op)
    return {
        "op": op, "good": statuses.keys() == {"good"}, "requests": dict(statuses), "checked_bytes": 63 * MIB, "findings": [],
        "more_findings": 0, "failure": None, "wires": [{"wire": "cma", "source": "UCX protocol tables", "ranks": 2, "reason": ""}],
        "phases_ns": {"register": 500_000.0, "metadata": 9_000_000.0, "prepare": 1.0, "transfer": 1.0, "check": 18_000_000.0},
    }  # fmt: skip


@dataclass
class Opened:
    """A page in the browser, and what it asked for and complained of since it was opened."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Return one browser for all tests of reports; no other test may share its event loop."""
    from playwright.sync_api import sync_playwright  # not at the top: quick tests read this file too

    chromium = shutil.which("chromium")
    assert chromium, "Debian's package chromium is missing"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser) -> Callable[..., Any]:
    """Return what opens a file in a fresh context, with the options of one."""

    @contextmanager
    def opening(path: Path, **options: Any) -> Iterator[Opened]:
        context = browser.new_context(**({"viewport": {"width": 1200, "height": 900}} | options))
        context.set_default_timeout(10_000)
        opened = Opened(context.new_page())
        opened.page.on("request", lambda request: opened.requests.append(request.url))
        opened.page.on("console", lambda said: opened.complaints.append(said.text))
        opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        opened.page.goto(path.as_uri())
        yield opened
        context.close()

    return opening
