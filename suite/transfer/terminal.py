"""A transfer on a terminal: a column for each op, then what is wrong; readable from 80 columns on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from suite.text import plain
from suite.transfer.task import SIDES
from suite.units import format_bytes, format_ns, format_rate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from suite.kv.side import Side
    from suite.transfer.task import Task

NONE = "\N{EN DASH}"


def page(task: Task, transport: str, told: Sequence[Mapping[str, Any]], *, emulated: bool) -> Group:
    """Return what `kvgauge transfer` prints."""
    return Group(
        _heading(task, transport, emulated=emulated, served=_served(told)),
        _table(told, emulated=emulated),
        *_sentences(task, told),
    )


def _heading(task: Task, transport: str, *, emulated: bool, served: bool) -> Text:
    batches = -(-task.requests // task.batch)
    split = f", in {batches} batches of {task.batch} that fit into memory" if batches > 1 else ""
    if served and batches > 1:
        split = f", pools for {task.batch} of them"
    cached = f", {task.cached} of them cached" if task.cached else ""
    memory = "emulated GPUs (host memory: no time here is a GPU's)" if emulated else "host memory"
    layers = f"{task.model.layers} layers" if task.model.layers > 1 else "1 layer"
    sides = " -> ".join(f"{name} {_side(task.side(name))}" for name in SIDES)
    return Text(
        f"{task.model.name}, {layers}, {task.requests} x {task.tokens} tokens{cached}{split}\n{sides}, {transport}, {memory}",
        style="bold",
    )


def _side(side: Side) -> str:
    parallel = side.parallel
    counts = {"tp": parallel.tp, "pp": parallel.pp, "dp": parallel.dp}
    return ",".join(f"{name}={count}" for name, count in counts.items() if count > 1 or name == "tp")


def _table(told: Sequence[Mapping[str, Any]], *, emulated: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    table.add_column("", no_wrap=True)
    for one in told:
        table.add_column(str(one["op"]), justify="right", overflow="fold")
    hidden = {_RATE} if emulated or _served(told) else set()
    hidden |= set() if _served(told) else {_QUEUE}
    rows = [(label, [cell(one) for one in told]) for label, cell in _ROWS if label not in hidden]
    for label, cells in rows:
        table.add_row(Text(label), *(Text(plain(text)) for text in cells))
    return table


def _served(told: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether two servers had requests in flight: then no time is of one request alone."""
    return any(one["phases_ns"].get("queue") is not None for one in told)


def _counts(one: Mapping[str, Any]) -> str:
    return ", ".join(f"{count} {status}" for status, count in one["requests"].items()) or NONE


def _descriptors(one: Mapping[str, Any]) -> str:
    planned, posted = one["descriptors"], one["posted_descriptors"]
    if planned is None:
        return NONE
    return str(planned) if planned == posted else f"{planned}, posted as {posted}"


def _wire_bytes(one: Mapping[str, Any]) -> str:
    if not one["logical_bytes"]:
        return NONE
    factor = one["wire_bytes"] / one["logical_bytes"]
    return f"{format_bytes(one['wire_bytes'])} (logical x {factor:.3g})"


def _wires(one: Mapping[str, Any]) -> str:
    said = (f"{wire['wire']} on {_ranks(wire['ranks'])} ({wire['source'] or wire['reason']})" for wire in one["wires"])
    return "\n".join(said) or NONE


def _size(one: Mapping[str, Any], name: str) -> str:
    return NONE if one[name] is None else format_bytes(one[name])


def _phase(one: Mapping[str, Any], name: str) -> str:
    took = one["phases_ns"][name]
    return NONE if took is None else format_ns(took)


def _rate(one: Mapping[str, Any]) -> str:
    rate = one["same_host_gb_per_s"]
    return NONE if rate is None else format_rate(rate)


_RATE = "rate, this host"
_QUEUE = "wait for blocks"
_ROWS = (
    ("requests", _counts),
    ("pairs of ranks", lambda one: NONE if one["pairs"] is None else str(one["pairs"])),
    ("descriptors of a request", _descriptors),
    ("logical bytes", lambda one: _size(one, "logical_bytes")),
    ("padded to blocks", lambda one: _size(one, "padded_bytes")),
    ("on the wire", _wire_bytes),
    ("register, a rank", lambda one: _phase(one, "register")),
    ("metadata, a rank", lambda one: _phase(one, "metadata")),
    (_QUEUE, lambda one: _phase(one, "queue")),
    ("prepare a request", lambda one: _phase(one, "prepare")),
    ("transfer a request", lambda one: _phase(one, "transfer")),
    ("check a batch", lambda one: _phase(one, "check")),
    (_RATE, _rate),
    ("wire", _wires),
)


def _sentences(task: Task, told: Sequence[Mapping[str, Any]]) -> list[Text]:
    lines: list[Text] = []
    for one in told:
        if failure := one["failure"]:
            text = (
                f"{one['op']}: {failure['role']} failed, {failure['phase']}: {failure['reason']}\n{failure['detail']}"
            )
            lines.append(Text(plain(text.rstrip()), style="red"))
        lines += [
            Text(plain(f"{one['op']}: lost {lost}; its server was started again"), style="red") for lost in one["lost"]
        ]
        for reason, count in one["reasons"].items():
            lines.append(Text(plain(f"{one['op']}: {_requests(count)} {reason}"), style="red"))
        lines += [Text(plain(finding), style="red") for finding in one["findings"]]
        if one["more_findings"]:
            lines.append(Text(f"... and {one['more_findings']} more, in the run folder", style="red"))
    if all(one["good"] for one in told):
        checked = format_bytes(sum(one["checked_bytes"] for one in told))
        lines.append(Text(f"Every byte is right: {checked} compared on {len(task.roles())} ranks.", style="green"))
    return lines


def _requests(count: int) -> str:
    return "1 request" if count == 1 else f"{count} requests"


def _ranks(count: int) -> str:
    return "1 rank" if count == 1 else f"{count} ranks"
