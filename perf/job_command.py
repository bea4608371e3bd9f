"""`kvgauge job`: what to submit on a cluster, printed and not run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

_ONLY = {  # option -> the launchers that have a use for it
    "time": ("slurm",),
    "partition": ("slurm",),
    "account": ("slurm",),
    "hostfile": ("mpirun",),
}
_COUNT = click.IntRange(1, 1 << 16)
NOT_YET = "note: kvgauge sweep does not run across ranks yet: each rank of this job will stop and say so (exit 3)"


@click.command(short_help="Print what to submit on a cluster.")
@click.argument("launcher", type=click.Choice(["slurm", "torchrun", "mpirun"]))
@click.argument("spec", metavar="SPEC.toml|PRESET")
@click.option("--nodes", type=_COUNT, default=1, show_default=True, help="Hosts.")
@click.option("--gpus-per-node", "gpus", type=click.IntRange(0, 64), default=0, show_default=True, help="GPUs of each.")
@click.option("--ranks-per-node", "ranks", type=_COUNT, help="Processes on each.  [default: one for a GPU, or 1]")
@click.option("--time", default="", metavar="TIME", help="Slurm: the limit, such as 30 or 01:30:00.")
@click.option("--partition", default="", metavar="NAME", help="Slurm: where.")
@click.option("--account", default="", metavar="NAME", help="Slurm: for whom.")
@click.option("--container", default="", metavar="IMAGE", help="Run in this image, by apptainer.")
@click.option("--venv", default="", metavar="DIR", help="The virtual environment that has kvgauge, on every node.")
@click.option("--hostfile", default="", metavar="FILE", help="mpirun: the hosts.")
@click.option("--out", default="", metavar="DIR", help="Run folder, of rank 0.")
@click.option("--rendezvous", metavar="HOST:PORT", help="Where rank 0 (torchrun: the agents) shall meet the others.")
def job(launcher: str, spec: str, **options: Any) -> None:
    """Print the script that runs a sweep on a cluster; nothing is submitted or started.

    Every rank is one process of kvgauge. SPEC is read here, so that a mistake in it
    costs no queue; the nodes must find it under the same name.

    \b
    Examples:
      kvgauge job slurm standard --nodes 2 --gpus-per-node 8 --time 01:00:00 > job.sh
      kvgauge job mpirun quick --ranks-per-node 4
    """  # noqa: D301  \b is click's mark for a paragraph to leave alone
    from perf.spec import load_spec
    from suite.cluster import values
    from suite.cluster.jobs.job import Job
    from suite.cluster.jobs.mpirun import mpirun
    from suite.cluster.jobs.slurm import slurm
    from suite.cluster.jobs.torchrun import torchrun

    _refuse_useless(launcher, options)
    meeting = options.pop("rendezvous")
    ranks = options.pop("ranks") or options["gpus"] or 1
    address = values.address(meeting, "--rendezvous") if meeting is not None else None
    asked = Job(spec, ranks=ranks, rendezvous=address, **options)
    load_spec(spec)
    lines = {"slurm": slurm, "torchrun": torchrun, "mpirun": mpirun}[launcher](asked)
    click.echo("\n".join(lines))
    if asked.nodes * asked.ranks > 1:
        click.echo(NOT_YET, err=True)


def _refuse_useless(launcher: str, options: Mapping[str, Any]) -> None:
    for name, launchers in _ONLY.items():
        if options[name] and launcher not in launchers:
            raise click.UsageError(f"--{name} is for {' and '.join(launchers)}, not for {launcher}")
