"""Two hosts on one machine, and a link of known rate between them: network namespaces, a veth pair, `tc tbf`.

Each host is a namespace that a waiting process holds. It waits for the end of its
input, which is ours, so whatever ends us ends the hosts, their interfaces and the link,
also SIGKILL. Nothing has a name outside of them: two calibrations at once cannot meet, and
there is nothing to clean up. Each host has its own IPC namespace too, or UCX would find
shared memory past the link.

Root makes the namespaces directly; anybody else needs user namespaces, if the kernel gives them.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suite.errors import Missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DEVICE = "kvgauge0"  # the same name on both hosts: each sees its own end
ADDRESSES = ("10.123.45.1", "10.123.45.2")
FRAME_BYTES, MTU = 14, 1500  # tbf counts the Ethernet header; tc-tbf(8)
SEGMENT_BYTES = MTU - 20 - 20 - 12  # IP, TCP, and TCP's time stamps
PAYLOAD = SEGMENT_BYTES / (MTU + FRAME_BYTES)  # of what the link counts
_READY_S, _TOOL_S = 10.0, 10.0
# UCX looks for devices in /sys, which shows those of the namespace that it was mounted in
_HOLD = ("/bin/sh", "-c", "mount -t sysfs sysfs /sys && echo ready && exec cat > /dev/null")
_NEW = ("--net", "--ipc", "--mount")
_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"  # a user's PATH may lack sbin
_QUEUE_MS = 200  # of waiting packets; TCP keeps far fewer in one queue


@dataclass(frozen=True)
class Host:
    """A namespace; `enter` is the command that starts another one inside it, as the same process."""

    enter: tuple[str, ...]
    pid: int

    def run(self, *command: str) -> str:
        """Run a command on this host and return what it prints; `Missing` where it fails."""
        return _run([*self.enter, *command])


@dataclass(frozen=True)
class Link:
    """Two hosts and the link between them."""

    prefill: Host
    decode: Host

    def shape(self, bits_per_s: int, burst_bytes: int) -> None:
        """Let each end send `bits_per_s`, Ethernet headers included, and at most `burst_bytes` at once."""
        rule = ("rate", f"{bits_per_s}bit", "burst", str(burst_bytes), "latency", f"{_QUEUE_MS}ms")
        for host in (self.prefill, self.decode):
            host.run(_tool("tc"), "qdisc", "replace", "dev", DEVICE, "root", "tbf", *rule)

    def sent_bytes(self) -> int:
        """Return what the shaper of the prefill host has let pass, headers included."""
        told = json.loads(self.prefill.run(_tool("tc"), "-s", "-j", "qdisc", "show", "dev", DEVICE))
        return int(told[0]["bytes"])


def missing() -> tuple[str, str] | None:
    """Return what this machine lacks for a link of known rate and how to mend it, or None. Tries it out."""
    lacking = [name for name in ("ip", "tc", "nsenter", "unshare") if shutil.which(name, path=_FOLDERS) is None]
    if lacking:
        packages = sorted({"iproute2" if name in {"ip", "tc"} else "util-linux" for name in lacking})
        return f"no {' and no '.join(lacking)} here", f"apt-get install {' '.join(packages)}"
    try:
        with link() as made:
            made.shape(1_000_000_000, 1 << 16)
    except Missing as error:
        return error.message, error.hint
    return None


@contextmanager
def link() -> Iterator[Link]:
    """Make the hosts and an unshaped link between them; `Missing` where the machine does not let us."""
    with ExitStack() as held:
        first = held.enter_context(_host(None))
        second = held.enter_context(_host(None if os.geteuid() == 0 else first))
        ip = _tool("ip")
        first.run(ip, "link", "add", DEVICE, "type", "veth", "peer", "name", DEVICE, "netns", str(second.pid))
        for host, address in zip((first, second), ADDRESSES, strict=True):
            host.run(ip, "address", "add", f"{address}/30", "dev", DEVICE)
            host.run(ip, "link", "set", DEVICE, "mtu", str(MTU), "up")
            host.run(ip, "link", "set", "lo", "up")
        yield Link(first, second)


@contextmanager
def _host(owner: Host | None) -> Iterator[Host]:
    """Hold a new network and IPC namespace; without root in a new user namespace, or in that of `owner`."""
    root = os.geteuid() == 0
    unshare, nsenter = _tool("unshare"), _tool("nsenter")
    inside = ("--user", "--preserve-credentials") if not root else ()
    if root:
        command = [unshare, *_NEW, *_HOLD]
    elif owner is None:
        command = [unshare, "--user", "--map-root-user", *_NEW, *_HOLD]
    else:
        command = [nsenter, *inside, "--target", str(owner.pid), "--", unshare, *_NEW, *_HOLD]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us: the host goes when we are done with it
        cwd="/",
    ) as holder:  # leaving closes its stdin and waits
        try:
            _await_ready(holder)
            yield Host((nsenter, *inside, "--target", str(holder.pid), *_NEW, "--"), holder.pid)
        finally:
            holder.kill()


def _await_ready(holder: subprocess.Popen[bytes]) -> None:
    if holder.stdout is None or holder.stderr is None:
        raise Missing("no-namespace", "no pipe to the holder of a namespace")
    ready, _, _ = select.select([holder.stdout], [], [], _READY_S)
    if ready and holder.stdout.readline() == b"ready\n":
        return
    holder.kill()
    why = holder.stderr.read(1_000).decode("utf-8", errors="replace").strip() or "no answer"
    hint = (
        "run it as root, or where user namespaces are allowed (containers: --privileged, or without seccomp's filter)"
    )
    raise Missing("no-namespace", f"network namespaces cannot be made here: {why}", hint)


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TOOL_S, check=False)
    except subprocess.TimeoutExpired:
        raise Missing("no-link", f"{' '.join(command[-6:])} hangs", "look at dmesg") from None
    if done.returncode:
        words = command[command.index("--") + 1 :]
        hint = "the kernel needs veth and sch_tbf, and the right CAP_NET_ADMIN: run it as root"
        raise Missing("no-link", f"{' '.join(words)}: {done.stderr.strip()[:500]}", hint)
    return done.stdout


def _tool(name: str) -> str:
    found = shutil.which(name, path=_FOLDERS)
    if found is None:
        raise Missing("no-tool", f"no {name} here", "apt-get install iproute2 util-linux")
    return found
