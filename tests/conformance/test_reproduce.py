"""A line that is pasted into bash means the bytes that it was made of."""

from __future__ import annotations

import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.reproduce import quoted, shell_line
from conformance.verdict import Violation


@settings(max_examples=40)
@given(st.binary(min_size=1, max_size=30).filter(lambda data: b"\0" not in data))
def test_any_bytes_survive_bash(data):
    done = subprocess.run(
        ["/bin/bash", "-c", f"printf %s {quoted(data)}"], capture_output=True, check=True, env={"LC_ALL": "C"}
    )
    assert done.stdout == data


def test_the_line_names_all_that_is_needed():
    broken = Violation("x", {b"DYN_KVBM_NIXL_BACKEND_UCX": b"y"}, {"cache_transceiver_config": {"backend": "UCX"}})
    assert shell_line("my pkg:parse", "ENV-006", broken) == (
        "env DYN_KVBM_NIXL_BACKEND_UCX=y kvgauge conform 'my pkg:parse' --requirement ENV-006 --from-environment"
        """ --engine '{"cache_transceiver_config": {"backend": "UCX"}}'"""
    )


def test_without_variables_no_env_is_needed():
    assert shell_line("reference", "ENV-001", Violation("x", {})).startswith("kvgauge conform reference")


def test_a_transfer_is_one_option():
    broken = Violation("x", {}, case={"rows": [[0, 0, 1]], "nbytes": [1, 1]})
    assert shell_line("nixl:UCX?UCX_TLS=tcp", "XFER-006", broken) == (
        "kvgauge conform 'nixl:UCX?UCX_TLS=tcp' --requirement XFER-006 --case "
        """'{"rows":[[0,0,1]],"nbytes":[1,1]}'"""
    )
