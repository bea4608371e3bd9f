"""Print what a run of A and B says, in the form that was asked for, and answer with the exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from perf.ab import forms
from perf.ab.against import against
from perf.analysis import wrong_bytes
from perf.comparing.gate import failing
from perf.words import plain
from suite.errors import Exit, Missing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from perf.comparing.gate import Condition


def tell(
    path: Path,
    conditions: Sequence[Condition],
    *,
    matters: float,
    as_json: bool,
    require: str | None = None,
    markdown: Path | None = None,
    junit: Path | None = None,
) -> Exit:
    """Print the comparison in run folder `path`; what `conditions` name fails it, and wrong bytes or wires do."""
    found = against(path, matters=matters)
    fails = failing(found.rows, conditions)
    for file, form in ((markdown, forms.markdown), (junit, forms.junit)):
        if file:
            _write(file, form(found, fails))
    if as_json:
        click.echo(json.dumps(forms.as_json(found, fails), indent=2, allow_nan=False))
    else:
        from rich.console import Console

        from perf.ab.terminal import show

        show(found, fails, Console())
    return max(Exit.VERDICT_FAILED if fails else Exit.GOOD, _held(path, require))


def _held(path: Path, require: str | None) -> Exit:
    """Return the exit code that the bytes, and a required wire, ask for; say what is wrong on stderr."""
    from perf.reading import read_records
    from perf.require import judge
    from suite.run.folder import RunFolder

    records, _ = read_records(RunFolder(path).samples)
    status = Exit.GOOD
    if any(wrong_bytes(record) for record in records):
        click.echo("wrong bytes were delivered: kvgauge report shows where", err=True)
        status = Exit.VERDICT_FAILED
    if require:
        judgement = judge(records, require)
        for sentence in judgement.sentences():
            click.echo(plain(sentence), err=True)
        if not judgement.judged:
            return Exit.MISSING
        status = status if judgement.good else Exit.VERDICT_FAILED
    return status


def _write(path: Path, text: str) -> None:
    from suite.run.folder import write_whole

    try:
        write_whole(path, text)
    except OSError as error:
        raise Missing("not-written", f"cannot write {path}: {error.strerror}", "choose another file") from error
