"""Links of known rate: what a raw TCP stream makes of them is our error, what UCX does is its protocol.

A link of R bit/s that counts Ethernet frames carries R x (MTU - 52) / (MTU + 14) of payload: 20 bytes of
IP, 32 of TCP with its time stamps, 14 of Ethernet. The bucket of `tbf` starts full, so a window
is charged with the time that this saves it: bucket / R. A stall that is shorter than the bucket is
made up for; a longer one is lost, and shows.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from perf.calibration.asked import Found, known
from perf.calibration.runner import group, measured, messages
from perf.calibration.server import TCP
from perf.repetition import WARM_UP_WINDOWS
from perf.resources import library_environment
from perf.setups import required_environment
from suite.errors import Missing
from suite.transports import base
from suite.world import namespaces
from suite.world.namespaces import ADDRESSES, DEVICE, PAYLOAD
from suite.world.supervisor import WorkerFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perf.calibration.asked import Asked
    from perf.calibration.runner import Windows
    from suite.run.calibration import Known
    from suite.world.namespaces import Link

TOLERATED = 0.02
RATES = {"100 Mbit/s": 100_000_000, "1 Gbit/s": 1_000_000_000, "4 Gbit/s": 4_000_000_000}
ENGINES = ("nixl:UCX", "ucx")
_QUICK_RATES = ("100 Mbit/s", "1 Gbit/s")
_BUCKET_S = 0.02  # longer than a busy machine usually keeps a process waiting
_MESSAGE_BYTES = 1 << 20
_LAUNCHES, _WINDOW_S = 3, 0.6
_QUICK_WINDOW_S = 0.25


@dataclass(frozen=True)
class Passed:
    """What went over the link in one launch; `payload` is its share of what the shaper counted."""

    windows: Windows
    payload: float


def calibrate_links(asked: Asked) -> Found:
    """Measure every rate with every stream that this machine has; `Missing` where it has no such links."""
    if lacking := namespaces.missing():
        raise Missing("no-known-link", *lacking)
    streams = [TCP, *_engines(asked)]
    found: list[Known] = []
    with namespaces.link() as link:
        for name in _QUICK_RATES if asked.quick else RATES:
            asked.say(f"a link of {name}: {', '.join(map(told, streams))}")
            for stream, passed in _at(link, RATES[name], streams, asked).items():
                found.append(_known(name, stream, passed))
    return Found(found)


def told(stream: str) -> str:
    """Return the name of a stream for a reader."""
    return "raw TCP" if stream == TCP else stream


def bucket_bytes(bits_per_s: int) -> int:
    """Return what the link may send at once."""
    return int(bits_per_s / 8 * _BUCKET_S)


def payload_rate(windows: Windows, bits_per_s: int) -> float:
    """Return GB/s of payload, each window charged with the time that the full bucket saved it."""
    saved_ns = bucket_bytes(bits_per_s) * 8e9 / bits_per_s
    count = len(windows.delivered_ns)
    return windows.nbytes * count / (sum(windows.delivered_ns) + count * saved_ns)


def _engines(asked: Asked) -> list[str]:
    environment = library_environment()
    here = {name: base.load(name).missing(environment) for name in (ENGINES[:1] if asked.quick else ENGINES)}
    for name, lacking in here.items():
        if lacking:
            asked.say(f"without {name}: {lacking}")
    return [name for name, lacking in here.items() if not lacking]


def _at(link: Link, bits_per_s: int, streams: list[str], asked: Asked) -> dict[str, list[Passed]]:
    """Measure the streams at one rate, in random order in each launch; an engine that fails is left out, and told."""
    link.shape(bits_per_s, bucket_bytes(bits_per_s))
    seconds = _QUICK_WINDOW_S if asked.quick else _WINDOW_S
    samples = max(1, round(bits_per_s / 8 * PAYLOAD * seconds / _MESSAGE_BYTES))
    found: defaultdict[str, list[Passed]] = defaultdict(list)
    failed: set[str] = set()
    for launch in range(1 if asked.quick else _LAUNCHES):
        for stream in random.sample(streams, len(streams)):
            label = f"{bits_per_s}-{launch}-{streams.index(stream)}"  # UCX gives colons in a file's name a meaning
            try:
                found[stream].append(_passed(link, stream, samples, asked, label))
            except WorkerFailed as error:
                if stream == TCP:
                    raise
                asked.say(f"{stream} failed: {error}")
                failed.add(stream)
    return {stream: found[stream] for stream in streams if found[stream] and stream not in failed}


def _passed(link: Link, stream: str, samples: int, asked: Asked, label: str) -> Passed:
    settings = {"listen": ADDRESSES[1]} if stream == TCP else {}
    point = messages(stream, _MESSAGE_BYTES, samples, settings=settings)
    prefixes = {"prefill": link.prefill.enter, "decode": link.decode.enter}
    before = link.sent_bytes()
    with group([point], _environment(stream), asked.logs, label, prefixes=prefixes) as workers:
        windows = measured(workers, 0, point)
    every = windows.nbytes * (point.windows + WARM_UP_WINDOWS)
    return Passed(windows, every / max(1, link.sent_bytes() - before))


def _environment(stream: str) -> Mapping[str, str]:
    needed = {} if stream == TCP else required_environment([stream])
    variables = {} if stream == TCP else {"UCX_TLS": "tcp", "UCX_NET_DEVICES": DEVICE}
    return {**library_environment(), **needed, **variables}


def _known(rate: str, stream: str, passed: list[Passed]) -> Known:
    bits = RATES[rate]
    wires = ", ".join(sorted({wire for one in passed for wire in one.windows.wires}))
    share = median(one.payload for one in passed)
    return known(
        f"{told(stream)}, {rate}",
        [payload_rate(one.windows, bits) for one in passed],
        bits / 8e9 * PAYLOAD,
        unit="GB/s",
        kind="tool" if stream == TCP else "protocol",
        tolerated=TOLERATED if stream == TCP else None,
        detail=f"wire: {wires}; {passed[0].windows.nbytes >> 20} MiB a window in messages of 1 MiB;"
        f" payload is {100 * share:.2f} % of the bytes that the link counted, {100 * PAYLOAD:.2f} % by the formula",
    )
