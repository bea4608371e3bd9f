"""The pytest plug-in's door: options and ini keys, and nothing else.

It is loaded into every pytest run of everyone who has kvgauge installed, so it
imports nothing that pytest has not, and prints nothing. All else is in `conformance.hooks`, which is
registered only when our tests are asked for: `--pyargs conformance`.
"""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of `pytest --pyargs conformance`."""
    group = parser.getgroup("kvgauge", "conformance of KV-cache transfer (pytest --pyargs conformance)")
    group.addoption(
        "--kv-implementation",
        action="append",
        default=[],
        metavar="IMPL",
        help="what to test: my_pkg.settings:parse, my_pkg.transport:transport, nixl:UCX, exec:COMMAND, exec-log:..., "
        "or a built-in name; repeatable",
    )
    group.addoption("--kv-expect", metavar="FILE", help="TOML file of expected failures")
    group.addoption("--kv-out", metavar="DIR", help="where to write conformance.jsonl")
    group.addoption(
        "--kv-emulated-gpus", type=int, metavar="N", help="let implementations find N emulated GPUs (1 to 16)"
    )
    group.addoption("--kv-strict", action="store_true", help="a broken SHOULD fails, too")
    group.addoption(
        "--kv-environment",
        action="store_true",
        help="test this process's own environment instead of generated ones: how a printed example is run again",
    )
    group.addoption("--kv-config", metavar="JSON", help="with --kv-environment: the engine configuration to test")
    group.addoption(
        "--kv-case", metavar="JSON", help="one transfer, or sequence of calls, as printed, instead of generated ones"
    )
    parser.addini("kv_implementations", "implementations to test, one a line", type="linelist", default=[])
    parser.addini("kv_expect", "TOML file of expected failures, relative to the ini file", default="")


@pytest.hookimpl(tryfirst=True)  # before hypothesis chooses a profile: ours must be known by then
def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, so that --strict-markers stays quiet; begin if our tests are asked for."""
    config.addinivalue_line("markers", "requirement(id): the numbered sentence that a conformance test checks")
    if _asked_for(config):
        from conformance import hooks

        config.pluginmanager.register(hooks, "kvgauge-conformance-hooks")


def _asked_for(config: pytest.Config) -> bool:
    """Tell whether an argument names this package, or a file in it."""
    named = [
        argument.partition("::")[0] for argument in getattr(config.option, "file_or_dir", None) or ()
    ]  # --help has none
    if config.option.pyargs and any(name.partition(".")[0] == "conformance" for name in named):
        return True
    home = Path(__file__).parent
    return any(home in (path := Path(name).absolute(), *path.parents) for name in named)
