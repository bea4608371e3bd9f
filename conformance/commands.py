"""`kvgauge conform`: the same tests as `pytest --pyargs conformance`, in a clean process, as a matrix."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from suite.errors import BadInput, Exit, KvgaugeError, Missing

if TYPE_CHECKING:
    from collections.abc import Sequence

_PYTEST_USAGE, _PYTEST_NONE = 4, 5


@click.command(short_help="Does an implementation read its settings as documented?")
@click.argument("implementations", metavar="[IMPL]...", nargs=-1)
@click.option(
    "--requirement", "-r", "requirements", multiple=True, metavar="ID", help="Only this requirement; repeatable."
)
@click.option("--expect", type=click.Path(path_type=Path, dir_okay=False), help="TOML file of expected failures.")
@click.option(
    "--emulated-gpus", type=click.IntRange(1, 16), metavar="N", help="Let implementations find N emulated GPUs."
)
@click.option("--strict", is_flag=True, help="A broken SHOULD fails, too.")
@click.option(
    "--from-environment", is_flag=True, help="Test this very environment: how a printed example is run again."
)
@click.option("--engine", metavar="JSON", help="With --from-environment: the engine configuration.")
@click.option(
    "--case", metavar="JSON", help="Try this transfer, or this sequence of calls: how a printed one is run again."
)
@click.option("--seed", type=click.IntRange(min=0), help="Of the generated inputs.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Keep conformance.jsonl in this folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the cases as JSON.")
@click.option("--list", "list_all", is_flag=True, help="List the built-in implementations and the requirements.")
@click.option("--hazards", is_flag=True, help="Try known hazards of libraries instead: all, or IMPL names them.")
@click.option(
    "--tries", type=click.IntRange(1, 1000), default=20, help="How often a hazard is tried.", show_default=True
)
def conform(
    implementations: tuple[str, ...],
    *,
    list_all: bool,
    as_json: bool,
    out: Path | None,
    hazards: bool,
    tries: int,
    **options: Any,
) -> None:
    """Test implementations against the numbered sentences of the documentation.

    IMPL is my_pkg.settings:parse, exec:COMMAND, exec-log:..., or a built-in name (the
    default is reference); or a transport: nixl:UCX, my_pkg.transport:transport, with
    settings as nixl:UCX?UCX_TLS=tcp. Exit code 1: a MUST is broken; 3: a harness does not work.

    \b
    Examples:
      kvgauge conform reference kvbm-A trtllm-pytorch-current
      kvgauge conform my_pkg.settings:parse --expect expectations.toml
      kvgauge conform nixl:UCX mooncake:tcp my_pkg.transport:transport
      kvgauge conform --hazards ucxx-view --tries 3
      kvgauge conform reference kvbm-A --out runs/settings && kvgauge report runs/settings
    """  # noqa: D301  \b is click's mark for a paragraph to leave alone
    from conformance import matrix
    from conformance.faults import table
    from conformance.record import FILE, read_cases, read_outcomes
    from suite.run import manifest
    from suite.run.folder import RunFolder

    if list_all:
        click.echo(matrix.catalogue())
        return
    if hazards:
        from conformance.hazards import trying

        for line in trying.tried(trying.chosen(implementations), tries):
            click.echo(line)
        return
    names = implementations or ("reference",)
    with tempfile.TemporaryDirectory() as scratch:
        folder = out or Path(scratch) / "run"
        started = manifest.begin(
            seed=options["seed"] or 0, spec={"implementations": list(names)}, settings={"strict": options["strict"]}
        )
        status, output = _run(names, folder, Path(scratch), **options)
        if status in {int(Exit.MISSING), _PYTEST_USAGE} or not (folder / FILE).exists():
            raise _refusal(status, output)
        cases, outcomes = read_cases(folder / FILE), read_outcomes(folder / FILE)
        RunFolder(folder).write_manifest(manifest.end(started, complete=True))
    if not cases:
        raise BadInput("nothing-tested", f"no requirement applies: {' '.join(names)}", "kvgauge conform --list")
    if as_json:
        click.echo(matrix.as_json(cases, outcomes))
    else:
        matrix.show(cases, list(dict.fromkeys(names)))
        table.show(outcomes)
    sys.exit(Exit.VERDICT_FAILED if status else Exit.GOOD)


def _run(
    names: Sequence[str],
    folder: Path,
    scratch: Path,
    *,
    requirements: Sequence[str],
    expect: Path | None,
    emulated_gpus: int | None,
    strict: bool,
    from_environment: bool,
    engine: str | None,
    case: str | None,
    seed: int | None,
) -> tuple[int, str]:
    """Run pytest with our plug-in and hypothesis's alone: no foreign ini file, option or plug-in has a say."""
    ini = scratch / "pytest.ini"
    ini.write_text("[pytest]\n", encoding="ascii")
    command = [sys.executable, "-P", "-m", "pytest", "-c", str(ini), "--rootdir", str(scratch), "-q", "--tb=short"]
    command += ["-p", "no:cacheprovider", "-p", "_hypothesis_pytestplugin", "-p", "conformance.plugin"]
    command += ["--import-mode=importlib", "--pyargs", "conformance", "--kv-out", str(folder.absolute())]
    command += [word for name in names for word in ("--kv-implementation", name)]
    command += ["--kv-expect", str(expect.absolute())] if expect else []
    command += [f"--kv-emulated-gpus={emulated_gpus}"] if emulated_gpus else []
    command += ["--kv-strict"] if strict else []
    command += ["--kv-environment"] if from_environment else []
    command += ["--kv-config", engine] if engine is not None else []
    command += ["--kv-case", case] if case is not None else []
    command += ["-k", " or ".join(requirements)] if requirements else []
    command += [f"--hypothesis-seed={seed}"] if seed is not None else []
    ours = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"} | ours
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    return done.returncode, done.stdout + done.stderr


def _refusal(status: int, output: str) -> KvgaugeError:
    """Return what pytest refused, without the frame that pytest puts around it."""
    told = [
        line.removeprefix("ERROR: ").removeprefix("Exit: ").strip("! ") for line in output.splitlines() if line.strip()
    ]
    message, hint = (told or ["pytest said nothing"])[0], "\n".join(told[1:6])
    if status == int(Exit.MISSING):
        return Missing("harness", message.removeprefix("_pytest.outcomes.").removeprefix("kvgauge: "), hint)
    if status == _PYTEST_USAGE:
        return BadInput("conform", message, hint)
    return KvgaugeError("conform-broke", f"pytest left with status {status}: {told[-1] if told else ''}", hint)
