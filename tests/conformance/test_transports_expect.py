"""What transports are known to break is a file that this version can read."""

from __future__ import annotations

from pathlib import Path

import conformance
from conformance.expectations import read_expectations
from conformance.requirement import registry

FILE = Path(conformance.__file__).parent / "implementations" / "transports.expect.toml"


def test_every_entry_is_about_a_transfer_and_has_the_verdict_of_its_level() -> None:
    """A broken MUST fails, a broken SHOULD warns."""
    entries = read_expectations(FILE).entries
    assert {entry.implementation for entry in entries} >= {"nixl:UCX", "mooncake:tcp", "copy"}
    for entry in entries:
        one = registry()[entry.id]
        assert one.answers == "transfer"
        assert entry.verdict == {"MUST": "fail", "SHOULD": "warn"}[one.level], entry
    assert len({(entry.implementation, entry.id) for entry in entries}) == len(entries)


def test_every_entry_about_a_library_has_a_thread_upstream_or_says_that_none_is_known() -> None:
    """`copy` is ours: it is the kernel."""
    for entry in read_expectations(FILE).entries:
        known = entry.url.startswith("https://github.com/")
        unknown = "no upstream report known on 2026-" in entry.reason
        assert (known != unknown) is (entry.implementation != "copy"), entry
