"""What A and B change: which points a setting is for, which environment workers get."""

from __future__ import annotations

import pytest

from perf.ab.sides import Side, doubled, sides
from perf.ab.variants import parse, parse_both
from perf.planning import points
from perf.spec import check_spec
from suite.errors import BadInput

KV = {"model": "llama-3.1-8b", "tokens": 64, "units": ["block"], "patterns": ["scattered"], "samples": 2}
NETWORK = KV | {"transports": ["nixl:UCX", "copy"], "ops": ["push"]}
STORAGE = KV | {"transports": ["nixl:POSIX"], "ops": ["store"], "memory": ["host -> file"]}


def planned(*tables):
    return points(check_spec({"launches": 1, "kv": list(tables)}, source="test"))


def settings_of(text, *tables):
    both = doubled(planned(*tables), [Side(parse("B", text))])
    assert {one.point.variant for one in both} == {"B"}
    return {one.point.transport: one.point.settings for one in both}


def test_a_setting_goes_to_the_points_that_have_it():
    found = settings_of("io=buffered,ucx_error_handling_mode=none", NETWORK, STORAGE)
    assert found == {
        "nixl:UCX": {"ucx_error_handling_mode": "none"},
        "copy": {},
        "nixl:POSIX": {"io": "buffered", "ucx_error_handling_mode": "none"},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("io=direct", "io is a setting that no point of the spec has"),
        ("device_memory=vmm", "device_memory is a setting that no point of the spec has"),
        ("UCX_TLS=tcp", "UCX_TLS is set by the spec as well"),
    ],
)
def test_what_could_not_be_told_apart_is_refused(tmp_path, text, message):
    table = NETWORK | {"settings": {"nixl:UCX": [{"UCX_TLS": "tcp,self"}]}}
    with pytest.raises(BadInput) as error:
        sides(parse_both(("default", text)), planned(table), tmp_path, emulated=False)
    assert error.value.message == f"--ab, B: {message}"


def test_a_value_that_one_of_our_settings_does_not_have_is_refused():
    with pytest.raises(BadInput, match="io = 'odd' is not accepted"):
        settings_of("io=odd", STORAGE)


def test_another_virtual_environment_is_not_run_on_emulated_gpus(tmp_path):
    with pytest.raises(BadInput, match="does not run on emulated GPUs"):
        sides(parse_both(("default", "venv:x")), planned(NETWORK), tmp_path, emulated=True)


def test_a_variable_of_the_caller_is_replaced_and_all_others_stay():
    side = Side(parse("B", "UCX_TLS=tcp"), paths={"PATH": "/venv/bin"})
    assert side.environment({"UCX_TLS": "all", "PATH": "/bin", "HOME": "/home"}) == {
        "UCX_TLS": "tcp",
        "PATH": "/venv/bin",
        "HOME": "/home",
    }
