"""Clocks of processors: true of work that is known, and silent where the kernel is."""

from __future__ import annotations

import os
import threading
import time

import pytest

from suite.run import processor

MS = 1_000_000


def spin(duration_ns: int) -> None:
    until = time.process_time_ns() + duration_ns
    while time.process_time_ns() < until:
        pass


def test_work_is_processor_time_and_sleep_is_none():
    begun = processor.read()
    spin(30 * MS)
    worked = processor.read()
    time.sleep(0.03)
    slept = processor.read()
    busy, idle = worked.since(begun), slept.since(worked)
    assert 30 * MS <= busy["cpu_ns"] <= busy["wall_ns"] * 1.05
    assert idle["wall_ns"] >= 30 * MS
    assert idle["cpu_ns"] < 15 * MS
    assert set(busy) == {"wall_ns", "cpu_ns", "system_ns", "waited_ns", "switches"}


def test_other_threads_of_the_process_count():
    """Where an engine's progress thread works, the worker's processor time has to say so."""
    begun = processor.read()
    thread = threading.Thread(target=spin, args=(20 * MS,))
    thread.start()
    thread.join()
    assert processor.read().since(begun)["cpu_ns"] >= 20 * MS


def test_who_waits_for_a_processor_is_known():
    """Two that spin on one core: each has to wait for about half of the time."""
    if processor.read().waited_ns is None:
        pytest.skip("this kernel does not count waits")
    allowed = os.sched_getaffinity(0)
    core = min(allowed)
    child = os.fork()
    if not child:
        os.sched_setaffinity(0, {core})
        until = time.monotonic() + 5
        while time.monotonic() < until:
            pass
        os._exit(0)
    try:
        os.sched_setaffinity(0, {core})
        begun = processor.read()
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            pass
        used = processor.read().since(begun)
    finally:
        os.sched_setaffinity(0, allowed)
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert used["waited_ns"] > 0.2 * used["wall_ns"]
    assert used["cpu_ns"] + used["waited_ns"] < 1.2 * used["wall_ns"]


@pytest.mark.parametrize(
    ("text", "ticks"),
    [
        ("cpu  1 2 3 4 5 6 7 88 0 0\ncpu0 1 2 3 4 5 6 7 88 0 0\n", 88),
        ("cpu  1 2 3\n", 0),
        ("cpu  1 2 3 4 5 6 7 x\n", 0),
        ("", 0),
        (None, 0),
    ],
)
def test_stolen_time_is_a_column_or_nothing(tmp_path, text, ticks):
    table = tmp_path / "stat"
    if text is not None:
        table.write_text(text)
    assert processor.stolen_ns(table) == ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(("text", "waited"), [("5 7 9\n", 7), ("5\n", None), ("a b c", None), (None, None)])
def test_waits_are_a_column_or_nothing(tmp_path, text, waited):
    file = tmp_path / "schedstat"
    if text is not None:
        file.write_text(text)
    assert processor._waited_ns(file) == waited
