"""What one invocation runs, from `--transport`, `--op`, a file and variables."""

from __future__ import annotations

import pytest

from suite.errors import BadInput
from suite.transfer.methods import OVERRIDES, chosen
from suite.transfer.selection import HANDOFF

UCX, GDS = {b"DYN_KVBM_NIXL_BACKEND_UCX": b"true"}, {b"DYN_KVBM_NIXL_BACKEND_GDS": b"true"}


def test_transport_overrides_and_no_setting_is_read(tmp_path):
    faulty = {b"DYN_KVBM_NIXL_BACKEND_UCX": b"maybe"}
    runs, settings = chosen("copy", tmp_path / "absent.yaml", faulty, None, on_devices=False)
    assert runs == [("copy", ["push", "pull"])]
    assert settings["selected_by"] == [f"copy: {OVERRIDES}"]
    assert settings["selection"] == []
    assert "transports" not in settings  # the report says of those that the settings select them


def test_an_op_chooses_among_what_is_enabled_and_the_record_names_the_idle_one():
    runs, settings = chosen(None, None, UCX | GDS, "push", on_devices=False)
    assert runs == [("nixl:UCX", ["push"])]
    assert [(one["backend"], one["role"], one["ops"]) for one in settings["selection"]] == [
        ("UCX", "between workers", ["push"]),
        ("GDS", "files", []),
    ]
    assert settings["transports"] == ["nixl:UCX"]
    assert settings["selected_by"] == [
        "nixl:UCX: DYN_KVBM_NIXL_BACKEND_UCX=true",
        "nixl:GDS: DYN_KVBM_NIXL_BACKEND_GDS=true (idle: --op push leaves it nothing)",
    ]


def test_an_op_that_nothing_enabled_can_do_names_the_setting():
    with pytest.raises(BadInput, match=r"--op pull, but nixl:GDS can handoff .*BACKEND_GDS=true"):
        chosen(None, None, GDS, "pull", on_devices=False)


def test_the_direct_method_cannot_pull(tmp_path):
    file = tmp_path / "engine.yaml"
    file.write_text("cache_transceiver_config: {backend: UCX}\n")
    assert chosen(None, file, UCX, None, on_devices=False)[0] == [("ucx", ["push"])]
    for op in ("pull", "both"):
        with pytest.raises(BadInput):
            chosen(None, file, {}, op, on_devices=False)


def test_both_backends_run_one_after_the_other():
    """Each does what it can do."""
    runs, settings = chosen(None, None, UCX | GDS, None, on_devices=False)
    assert runs == [("nixl:UCX", ["push", "pull"]), ("nixl:GDS", [HANDOFF])]
    assert [one["ops"] for one in settings["selection"]] == [["push", "pull"], [HANDOFF]]


def test_files_alone_are_handed_over():
    runs, _ = chosen(None, None, GDS, None, on_devices=False)
    assert runs == [("nixl:GDS", [HANDOFF])]


@pytest.mark.parametrize(
    ("transport", "op", "on_devices", "ops"),
    [
        ("nixl:POSIX", None, False, [HANDOFF]),
        ("nixl:GDS_MT", None, True, [HANDOFF]),
        ("nixl:GDS", HANDOFF, False, [HANDOFF]),
        ("nixl:UCX", None, False, ["push", "pull"]),
    ],
)
def test_storage_hands_over_and_does_nothing_else(transport, op, on_devices, ops):
    assert chosen(transport, None, {}, op, on_devices=on_devices)[0] == [(transport, ops)]


@pytest.mark.parametrize(
    ("transport", "op", "on_devices"),
    [("nixl:POSIX", None, True), ("nixl:POSIX", "push", False), ("nixl:UCX", HANDOFF, False)],
)
def test_what_a_transport_cannot_hand_over_is_refused(transport, op, on_devices):
    with pytest.raises(BadInput, match=f"{transport} cannot {op or ''}"):
        chosen(transport, None, {}, op, on_devices=on_devices)
