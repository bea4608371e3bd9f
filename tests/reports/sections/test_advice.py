"""What to set: lines that really select what they say, and none that the evidence does not carry."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from perf.record import Issue
from perf.summary import Interval
from reports.data import report_data
from reports.formats.html import render
from reports.sections.advice import Advice, advice, selecting
from suite.settings.cache_transceiver import resolve_method

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.summary import PointSummary

    One = Callable[..., PointSummary]

BLOCKS: dict[str, Any] = {"unit": "block", "descriptor_bytes": 4 << 20, "descriptors": 16}
OTHERS_ON = {b"DYN_KVBM_NIXL_BACKEND_UCX": b"true", b"DYN_KVBM_NIXL_BACKEND_GDS": b"true"}  # what may be set already


def at(rate: float) -> Interval:
    return Interval(rate, 0.98 * rate, 1.02 * rate, 0.969, 6)


def by(summary: One, **rates: float) -> list[PointSummary]:
    return [summary(transport=name.replace("_", ":"), throughput=at(rate), **BLOCKS) for name, rate in rates.items()]


def needed(found: Advice | None) -> Advice:
    assert found is not None
    return found


def exported(lines: str) -> dict[bytes, bytes]:
    """Return what a real shell has in its environment after these lines."""
    script = f"{lines}\nexec env -0"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True, env={})
    pairs = [entry.split(b"=", 1) for entry in done.stdout.split(b"\0") if b"=" in entry]
    return {name: value for name, value in pairs if name not in {b"PWD", b"SHLVL", b"_", b"OLDPWD"}}


@pytest.mark.parametrize("transport", ["nixl:UCX", "nixl:GDS", "ucx", "mooncake:tcp"])
def test_the_lines_select_what_they_say_whatever_was_set_before(summary: One, transport: str) -> None:
    found = needed(advice([summary(transport=transport, **BLOCKS)]))
    environment = OTHERS_ON | exported(found.exports)
    assert resolve_method(yaml.safe_load(found.engine), environment) == transport


def test_every_transport_of_the_reference_has_lines_and_copy_has_none() -> None:
    assert selecting().keys() == {"nixl:UCX", "nixl:GDS", "ucx", "mooncake:tcp", "mpi"}


@pytest.mark.parametrize("name", ["copy", "nixl:POSIX", "nixl:GDS_MT", "their:own"])
def test_what_no_setting_selects_is_never_advised(summary: One, name: str) -> None:
    assert advice([summary(transport=name, throughput=at(99.0), **BLOCKS)]) is None
    found = needed(advice([*by(summary, nixl_UCX=5.0), summary(transport=name, throughput=at(99.0), **BLOCKS)]))
    assert found.transport == "nixl:UCX"


@pytest.mark.parametrize(
    "changes", [{"emulated": True}, {"verified": False}, {"issues": (Issue(level="INVALID", code="x", message="x"),)},
                {"unit": "bytes", "workload": "bytes"}],
)  # fmt: skip
def test_emulated_wrong_or_invalid_points_advise_nothing(summary: One, changes: dict[str, Any]) -> None:
    points = [summary(**(BLOCKS | changes))]
    assert advice(points) is None
    assert 'id="set"' not in render(report_data({}, points, []))


def test_a_winner_is_named_with_its_lead(summary: One) -> None:
    found = needed(advice(by(summary, nixl_UCX=5.0, ucx=6.0, copy=9.0), ["nixl:UCX"]))
    assert (found.transport, found.shown) == ("ucx", True)
    assert found.sentence == "ucx is 20 % faster than nixl:UCX, the next that settings can select."
    assert (found.exports, found.engine) == ("", "cache_transceiver_config:\n  backend: UCX")


def test_without_a_difference_what_was_selected_stays(summary: One) -> None:
    points = by(summary, nixl_UCX=5.0, ucx=5.05)
    for selected in (["nixl:UCX"], ["ucx"]):
        found = needed(advice(points, selected))
        assert (found.transport, found.shown) == (selected[0], False)
        assert found.sentence.startswith("Nothing here shows that another setting is faster:")
    assert needed(advice(points)).transport == "ucx", "nothing was selected: the faster one, without a claim"


def test_of_equals_that_beat_the_selected_one_is_advised(summary: One) -> None:
    found = needed(advice(by(summary, nixl_UCX=3.0, ucx=5.05, mooncake_tcp=5.0), ["nixl:UCX"]))
    assert (found.transport, found.shown) == ("ucx", False)
    assert "ucx is 68 % faster than nixl:UCX" in found.sentence


def test_one_transport_alone_claims_nothing(summary: One) -> None:
    found = needed(advice(by(summary, nixl_UCX=5.0, copy=9.0)))
    assert not found.shown
    assert "nothing here shows that another setting is faster" in found.sentence


def test_the_variables_of_a_winning_axis_are_lines(summary: One) -> None:
    slow = by(summary, nixl_UCX=5.0)
    fast = summary(settings={"UCX_TLS": "tcp,self $x"}, throughput=at(9.0), **BLOCKS)
    found = needed(advice([*slow, fast], environment={"UCX_TLS": "all", "UCX_NET_DEVICES": "mlx5_0:1"}))
    assert exported(found.exports) == {
        b"DYN_KVBM_NIXL_BACKEND_UCX": b"true", b"DYN_KVBM_NIXL_BACKEND_GDS": b"false",
        b"UCX_TLS": b"tcp,self $x", b"UCX_NET_DEVICES": b"mlx5_0:1",
    }  # fmt: skip
    assert found.kept == ("UCX_NET_DEVICES",)


def test_a_back_end_s_own_parameter_cannot_be_set_by_documented_settings(summary: One) -> None:
    assert advice([summary(settings={"num_threads": "4"}, **BLOCKS)]) is None


HOSTILE = {"UCX_A": "'; touch x #", "UCX_B\n": "1", "UCX_C": "a\nb", "UCX_D": "<redacted>", "ucx_e": "1", "UCX_F": "z" * 999,
           "UCX_PROTO_INFO": "used", "PATH": "/bin", "UCX_G": "$(touch x)`touch x`"}  # fmt: skip


def test_a_hostile_environment_gives_no_line_that_runs(summary: One) -> None:
    found = needed(advice(by(summary, nixl_UCX=5.0), environment=HOSTILE))
    assert found.kept == ("UCX_A", "UCX_G")
    assert exported(found.exports)[b"UCX_G"] == b"$(touch x)`touch x`"
    assert all(shlex.split(line)[0] == "export" for line in found.exports.splitlines())


def test_the_page_shows_the_lines_to_copy(summary: One) -> None:
    page = render(report_data({}, by(summary, nixl_UCX=5.0, ucx=6.0), []))
    section = page[page.index('<section id="set"') : page.index('<section id="environment"')]
    blocks = re.findall(r'<pre class="command"><code>(.*?)</code></pre>', section, re.DOTALL)
    assert blocks == ["cache_transceiver_config:\n  backend: UCX"]
    assert "kvgauge conform" in section
