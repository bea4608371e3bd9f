"""What excludes what a library says of its wire: the request, the engine's own name, the kernel's counters."""

from __future__ import annotations

import pytest

from perf.contradictions import contradictions
from perf.record import Evidence, Point

MIB = 1 << 20


def point(transport="nixl:UCX", **changes):
    fields = {
        "transport": transport,
        "op": "push",
        "workload": "a-model",
        "pattern": "scattered",
        "unit": "layer",
        "descriptor_bytes": 128 << 10,
        "descriptors": 64,
    }
    return Point(**fields | changes)


def found(wire, *, transport="nixl:UCX", tls=None, window=64 * MIB, lo=(0, 0), other=0, tcp=()):
    evidence = Evidence(wire=wire, source="UCX_PROTO_INFO")
    network = [{"lo": sent, "eth0": other} for sent in lo]
    issues = contradictions(point(transport), evidence, tls=tls, window_bytes=window, network=network, tcp_bytes=tcp)
    assert all((issue.level, issue.code) == ("INVALID", "contradiction") for issue in issues)
    return [issue.message for issue in issues]


@pytest.mark.parametrize(
    ("tls", "wire", "excluded"),
    [
        ("tcp", "cma", True),
        ("tcp,cuda", "cuda_ipc", False),
        ("tcp,sm", "cma", False),
        ("^cma", "cma", True),
        ("^cma", "sysv", False),
        ("^sm", "posix", True),
        ("all", "cma", False),
        ("", "cma", False),
        (None, "cma", False),
        ("rc", "rc_mlx5", False),
        ("posix,cma", "sysv + cma", True),
        ("tcp", "self", False),
        ("tcp", "unknown", False),
    ],
)
def test_a_wire_that_ucx_tls_excludes_is_told(tls, wire, excluded):
    assert bool(found(wire, tls=tls)) is excluded


def test_ucx_tls_says_nothing_of_other_engines():
    assert found("cma", transport="copy", tls="tcp") == []


def test_an_engine_named_after_its_wire_must_use_it():
    assert "mooncake:tcp was asked for" in found("cma", transport="mooncake:tcp")[0]
    assert found("tcp", transport="mooncake:tcp", lo=(70 * MIB, 70 * MIB)) == []


def test_the_kernel_must_have_counted_what_tcp_carried():
    assert found("tcp", lo=(64 * MIB, 66 * MIB)) == []
    assert found("tcp", lo=(0, 0), other=65 * MIB) == []  # it went over another interface
    (told,) = found("tcp", lo=(64 * MIB, 63 * MIB))
    assert "the kernel counted 63 MiB" in told
    (told,) = found("tcp", lo=(640 * MIB, 640 * MIB), tcp=(64 * MIB, 1000))  # others were busy there
    assert "the kernel counted 1000 B on this process's TCP connections" in told
    assert found("tcp", lo=(640 * MIB, 640 * MIB), tcp=(64 * MIB, 65 * MIB)) == []


def test_what_the_connections_carried_in_every_window_was_not_cma():
    assert found("cma", lo=(65 * MIB, 70 * MIB)) == []  # another program's traffic
    assert found("cma", tcp=(65 * MIB, 1000)) == []  # something else of ours, once
    (told,) = found("cma", tcp=(65 * MIB, 70 * MIB))
    assert "TCP connections carried 65 MiB" in told
    assert found("tcp + cma", tcp=(65 * MIB, 70 * MIB)) == []


def test_small_windows_and_missing_counters_say_nothing():
    """A few kilobytes may be anybody's."""
    assert found("tcp", window=4096, lo=(0, 0)) == []
    evidence = Evidence(wire="tcp", source="x")
    for network in ([], [{"eth0": 1}]):
        assert contradictions(point(), evidence, tls=None, window_bytes=64 * MIB, network=network, tcp_bytes=[]) == []
