"""`kvgauge transfer`."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from suite.errors import Exit

if TYPE_CHECKING:
    from suite.transfer.run import Asked

_DTYPES = {"bf16": 2, "fp8": 1}


@click.command(short_help="Move requests from prefill ranks to decode ranks and check every byte.")
@click.option("--model", default="llama-3.1-8b", show_default=True, help="A preset: see docs/models.md.")
@click.option("--layers", type=click.IntRange(1), help="The model's first layers only.  [default: all]")
@click.option("--dtype", type=click.Choice(list(_DTYPES)), default="bf16", show_default=True, help="Of the KV cache.")
@click.option("--prefill", default="tp=1", show_default=True, metavar="LAYOUT", help="Ranks that have the cache.")
@click.option("--decode", default="tp=2", show_default=True, metavar="LAYOUT", help="Ranks that need it.")
@click.option("--isl", type=click.IntRange(1), default=1024, show_default=True, help="Tokens of a prompt.")
@click.option("--cached", type=click.IntRange(0), default=0, help="Tokens that decode has already, whole blocks.")
@click.option("--requests", type=click.IntRange(1, 100_000), default=4, show_default=True, help="How many prompts.")
@click.option(
    "--op", type=click.Choice(["push", "pull", "both", "handoff"]), help="[default: all that the transport can do]"
)
@click.option("--transport", help="nixl:UCX, copy, ucx (push only), ...  [default: what the settings select]")
@click.option(
    "--config", type=click.Path(path_type=Path), help="TensorRT-LLM engine YAML with cache_transceiver_config."
)
@click.option("--in-flight", type=click.IntRange(1, 1024), default=1, show_default=True, help="Requests at a time.")
@click.option(
    "--layers-each",
    type=click.IntRange(1),
    metavar="N",
    help="Push N layers as soon as they are there.  [default: all]",
)
@click.option("--pace", "pace_ms", type=click.FloatRange(0, 60_000), metavar="MS", help="That prefill takes for them.")
@click.option("--memory", metavar="SIZE", help="For the pools of all ranks: 4GiB.  [default: what is free]")
@click.option("--emulated-gpus", type=click.IntRange(1, 16), metavar="N", help="Pools on N emulated GPUs.")
@click.option("--seed", type=click.IntRange(0, (1 << 31) - 1), help="Of the block tables.  [default: random]")
@click.option(
    "--deadline",
    "deadline_s",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    help="Seconds that one phase may take before all workers are killed.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Run folder.  [default: runs/<time>]")
@click.option("--quiet", is_flag=True, help="No progress; results only.")
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")
def transfer(*, as_json: bool, quiet: bool, out: Path | None, **options: Any) -> None:
    """Hand requests over from prefill to decode, a worker process for each rank.

    LAYOUT is tp=4,pp=2: also dp (attention-DP groups), block (tokens of a block), order (HND, NHD) and stages
    (layers of each pipeline stage: 5+3). Every byte of every rank's pools is compared after each batch.

    Reads DYN_KVBM_NIXL_BACKEND_<BACKEND> and, with --config, the engine's cache_transceiver_config.

    \b
    Examples:
      kvgauge transfer --model deepseek-v3 --layers 8 --prefill tp=4,pp=2 --decode tp=8 --emulated-gpus 8
      kvgauge transfer --model gpt-oss-120b --layers 6 --prefill tp=2 --decode tp=4,block=64 --transport copy
      kvgauge transfer --layers 8 --requests 32 --in-flight 8 --layers-each 2 --pace 1 --op push
    """  # noqa: D301  \b is click's mark for a paragraph to leave alone
    from rich.console import Console

    from suite.transfer import terminal
    from suite.transfer.run import run

    signal.signal(signal.SIGTERM, _interrupt)  # what a scheduler sends is as good as Ctrl-C
    asked = _asked(**options)
    if not (quiet or as_json):
        for line in asked.settings["selected_by"]:
            click.echo(line, err=True)
    with Console(stderr=True).status("starting a worker for each rank") as status:
        if quiet or as_json:
            status.stop()
        told = run(asked, out, lambda op, done: status.update(f"{op}: {done} of {asked.task.requests} requests"))
    if as_json:
        import json

        click.echo(
            json.dumps(
                {"run": str(told.folder), "selection": asked.settings["selection"], "ops": told.ops},
                indent=2,
                allow_nan=False,
            )
        )
    else:
        transports = ", ".join(transport for transport, _ in asked.methods)
        Console().print(terminal.page(told.task, transports, told.ops, emulated=bool(asked.emulated_gpus)))
    click.echo(f"run: {told.folder}", err=True)
    sys.exit(Exit.GOOD if all(one["good"] for one in told.ops) else Exit.VERDICT_FAILED)


def _asked(
    *,
    model: str,
    layers: int | None,
    dtype: str,
    prefill: str,
    decode: str,
    isl: int,
    cached: int,
    requests: int,
    op: str | None,
    transport: str | None,
    config: Path | None,
    in_flight: int,
    layers_each: int | None,
    pace_ms: float | None,
    memory: str | None,
    emulated_gpus: int | None,
    seed: int | None,
    deadline_s: float,
) -> Asked:
    from suite.transfer.methods import chosen
    from suite.transfer.options import manner_of, task_of
    from suite.transfer.run import Asked
    from suite.units import parse_bytes

    task = task_of(
        model,
        layers=layers,
        prefill=prefill,
        decode=decode,
        tokens=isl,
        cached=cached,
        requests=requests,
        element_bytes=_DTYPES[dtype],
    )
    methods, settings = chosen(transport, config, os.environb, op, on_devices=bool(emulated_gpus))
    return Asked(
        task=task,
        transport=methods[0][0],
        ops=methods[0][1],
        seed=secrets.randbits(31) if seed is None else seed,
        deadline_s=deadline_s,
        memory_bytes=None if memory is None else parse_bytes(memory),
        emulated_gpus=emulated_gpus or 0,
        then=methods[1:],
        manner=manner_of(methods, in_flight=in_flight, layers_each=layers_each, pace_ms=pace_ms, deadline_s=deadline_s),
        settings=settings,
    )


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
