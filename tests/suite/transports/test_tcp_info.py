"""What the kernel says of this process's own connections, against sockets whose bytes we know."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from suite.transports.tcp_info import carried, carried_to, listening_ports


@pytest.fixture(params=["127.0.0.1", "::ffff:127.0.0.1"])
def connected(request):
    """Return (port, ours, theirs): a connection from this process, by IPv4 or by a socket of IPv6."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection((request.param, port)) as ours, server.accept()[0] as theirs:
            yield port, ours, theirs


def exchange(sender, receiver, nbytes):
    sender.sendall(bytes(nbytes))
    while nbytes:
        nbytes -= len(receiver.recv(nbytes))


def descriptors():
    return {one.name for one in Path("/proc/self/fd").iterdir()}


def test_both_directions_are_counted_exactly(connected):
    port, ours, theirs = connected
    exchange(ours, theirs, 100_000)
    exchange(theirs, ours, 30_000)  # its acknowledgement of ours comes with it, at the latest
    carried = carried_to("127.0.0.1", [port])
    assert (carried.connections, carried.received) == (1, 30_000)
    assert carried.acknowledged - 100_000 in (0, 1)  # Linux counts the opening SYN as a byte


def test_all_connections_of_the_process_are_counted_together(connected):
    _, ours, theirs = connected
    before = carried()
    exchange(ours, theirs, 100_000)
    exchange(theirs, ours, 30_000)
    assert carried() - before in range(
        2 * 130_000 - 100_000, 2 * 130_000 + 3
    )  # both ends are here; the last may not be acknowledged


def test_other_hosts_other_ports_and_the_far_end_are_not_counted(connected):
    port, ours, theirs = connected
    exchange(ours, theirs, 1000)
    assert carried_to("127.0.0.2", [port]).connections == 0
    assert carried_to("127.0.0.1", []).connections == 0
    assert carried_to("127.0.0.1", [theirs.getsockname()[1] ^ 1]).connections == 0


def test_only_those_that_listen_are_listening(connected):
    port, ours, _ = connected
    assert port in listening_ports()
    assert ours.getsockname()[1] not in listening_ports()


def test_asking_leaves_no_descriptor_behind_and_closes_none(connected):
    port, ours, theirs = connected
    before = descriptors()
    carried_to("127.0.0.1", [port])
    listening_ports()
    assert descriptors() == before
    exchange(ours, theirs, 10)
