"""Links between real namespaces: what they carry, and that nothing is left of them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from perf.calibration import links
from perf.calibration.throttle import throttled
from suite.errors import Missing
from suite.world import namespaces
from suite.world.namespaces import DEVICE

LACKING = namespaces.missing()
pytestmark = [
    pytest.mark.deep,
    pytest.mark.skipif(LACKING is not None, reason=f"no links of known rate here: {LACKING}"),
]
CALIBRATE = [sys.executable, "-c", "from perf.calibration.commands import calibrate; calibrate()"]


OURS = Path("/proc/self/ns/net").readlink()


def space_of(pid: int) -> Path | None:
    """Return the network namespace of a process, None where there is none any more."""
    try:
        return Path(f"/proc/{pid}/ns/net").readlink()
    except OSError:
        return None


def processes() -> list[int]:
    return [int(one.name) for one in Path("/proc").glob("[0-9]*")]


def children(parent: int) -> list[int]:
    """Return the processes that `parent` has started: hosts and workers."""
    found = []
    for pid in processes():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
        except OSError:
            continue
        if int(stat.rpartition(")")[2].split()[1]) == parent:
            found.append(pid)
    return found


def gone(spaces: set[Path | None]) -> bool:
    """Tell whether no process is in any of these namespaces, so that they and their interfaces are no more."""
    return not spaces & {space_of(pid) for pid in processes()}


def wait_until(happened, within_s: float) -> bool:
    end = time.monotonic() + within_s
    while not (done := happened()) and time.monotonic() < end:
        time.sleep(0.05)
    return done


def test_a_raw_stream_and_ucx_through_two_links(tmp_path):
    """The shaper bounds them from above, whatever the load; from below a busy machine may lose some."""
    environment = os.environ | {"XDG_DATA_HOME": str(tmp_path)}
    done = subprocess.run(
        [*CALIBRATE, "link", "--quick", "--json"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stderr
    found = json.loads(done.stdout)["parts"]["link"]["known"]
    ours = {one["what"]: one["measured"] / one["known"] for one in found if one["kind"] == "tool"}
    assert set(ours) == {f"raw TCP, {rate}" for rate in links._QUICK_RATES}
    for what, ratio in ours.items():
        assert 0.9 < ratio < 1.02, what
    for one in found:
        assert one["detail"].startswith("wire: tcp;"), one
        counted, formula = map(float, re.findall(r"([\d.]+) %", one["detail"]))
        assert counted == pytest.approx(formula, abs=0.5), one  # the share that the known rate rests on
        assert one["measured"] < 1.02 * one["known"]
        assert one["kind"] == "protocol" or one["tolerated"] == links.TOLERATED


def test_hosts_see_their_link_and_nothing_else():
    with namespaces.link() as link:
        link.shape(1_000_000_000, 1 << 16)
        for host in (link.prefill, link.decode):
            seen = {line.split(":")[0].strip() for line in host.run("cat", "/proc/net/dev").splitlines()[2:]}
            assert DEVICE in seen
            assert not {name for name in seen if name.startswith(("eth", "ens", "wl"))}
            assert DEVICE in host.run("ls", "/sys/class/net").split()
        assert str(Path("/proc/self/ns/ipc").readlink()) != link.prefill.run("readlink", "/proc/self/ns/ipc").strip()


def test_two_at_once_do_not_meet():
    with namespaces.link() as one, namespaces.link() as other:
        one.shape(100_000_000, 1 << 16)
        other.shape(1_000_000_000, 1 << 16)
        shown = [link.prefill.run(namespaces._tool("tc"), "qdisc", "show", "dev", DEVICE) for link in (one, other)]
    assert "100Mbit" in shown[0]
    assert "1Gbit" in shown[1]


def test_a_link_is_gone_when_it_is_left_also_by_an_error():
    made: set[Path | None] = set()

    def fail() -> None:
        with namespaces.link() as link:
            made.update({space_of(link.prefill.pid), space_of(link.decode.pid)})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert len(made - {OURS, None}) == 2
    assert wait_until(lambda: gone(made), 10)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda one: one.name)
def test_whatever_ends_the_command_ends_hosts_and_links(number, tmp_path):
    """Killed while the stream runs: no process stays in a namespace of ours, so no interface stays either."""
    environment = os.environ | {"XDG_DATA_HOME": str(tmp_path)}
    with subprocess.Popen(
        [*CALIBRATE, "link", "--quick"], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL, text=True
    ) as command:

        def inside() -> list[Path]:
            return [space for pid in children(command.pid) if (space := space_of(pid)) not in {OURS, None} and space]

        assert wait_until(lambda: len(inside()) >= 4, 60)  # two hosts, and a worker in each
        made: set[Path | None] = set(inside())
        assert len(made) == 2
        command.send_signal(number)
        assert command.wait(20) != 0
    assert wait_until(lambda: gone(made), 20)


def test_a_limited_device_leaves_no_control_group(tmp_path):
    try:
        with throttled(tmp_path) as throttle:
            throttle.limit("write", 100_000_000)
            assert throttle.folder.exists()
            holder = subprocess.Popen([*throttle.enter, "sleep", "60"])
            assert wait_until(lambda: str(holder.pid) in (throttle.folder / "cgroup.procs").read_text().split(), 10)
            holder.kill()
            holder.wait()
    except Missing as error:
        pytest.skip(f"no limit for a block device here: {error}")
    assert not throttle.folder.exists()
