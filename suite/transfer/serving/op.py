"""All requests of one op through two servers with many in flight, and what came of each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from suite.kv import reshard
from suite.transfer.batch import failure_of
from suite.transfer.driver import OpResult
from suite.transfer.metrics import RankRecord
from suite.transfer.record import SERVING, Failure, RequestRecord
from suite.transfer.requests.request import State
from suite.transfer.selection import HANDOFF
from suite.transfer.serving.files import files_for
from suite.transfer.serving.service import Service, TooManyRestarts
from suite.transfer.task import SIDES, seat_of
from suite.world.supervisor import WorkerFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from suite.transfer.driver import Plan
    from suite.transfer.record import Op, Status
    from suite.transfer.serving.manner import Manner
    from suite.transfer.serving.server import Note
    from suite.transfer.task import SideName

_SHOWN = 20


Notes = dict["SideName", "Note"]


def run_served(plan: Plan, op: Op, manner: Manner, epoch: int, say: Callable[[RequestRecord], None]) -> OpResult:
    """Serve all requests; `say` gets each record when its request is over on both sides.

    A handoff has its files in the run folder until it is over.
    """
    if op != HANDOFF:
        return _served(plan, op, manner, epoch, say)
    with files_for(plan.task, plan.logs, layers_each=manner.layers_each) as files:
        result = _served(replace(plan, files=files), op, manner, epoch, say)
    told = files.as_json()
    result.files = {name: told[name] for name in ("nbytes", "direct", "why", "filesystem")}
    return result


def _served(plan: Plan, op: Op, manner: Manner, epoch: int, say: Callable[[RequestRecord], None]) -> OpResult:
    result = OpResult(op)
    told: set[int] = set()
    service: Service | None = None

    def tell(number: int, status: Status | None = None) -> None:
        told.add(number)
        result.records.append(_record(service, plan, op, number, status))
        say(result.records[-1])

    try:
        with Service(plan, op, manner, epoch) as service:
            for number in service.serve(range(plan.task.requests)):
                tell(number)
            result.ranks = list(_ranks(service))
            result.lost = [f"{lost.role}: {lost.reason}" for lost in service.lost]
            _finish(service, result)
            _log_refusals(service)
    except (WorkerFailed, TooManyRestarts) as lost:
        result.failure = failure_of(lost.failed if isinstance(lost, TooManyRestarts) else lost)
        for number in sorted(set(range(plan.task.requests)) - told):
            begun = service is not None and f"r{number}" in service.servers["decode"].notes
            tell(number, "failed" if begun else "not-run")
    result.records = [record.model_copy(update={"wire": result.wire[:200]}) for record in result.records]
    return result


def _finish(service: Service, result: OpResult) -> None:
    """Compare every byte of every rank once more, unused blocks and guards too, and ask what carried it."""
    for ranks in service.ranks.values():
        result.register_ns += ranks.register_ns
        result.metadata_ns += ranks.metadata_ns
        answers = ranks.ask("check", {role: {} for role in ranks.roles})
        result.check_ns.append(max(answer["took_ns"] for answer in answers.values()))
        result.checked_bytes += sum(answer["bytes"] for answer in answers.values())
        result.stray += [
            f"{role}: {finding['text']}" for role, answer in answers.items() for finding in answer["findings"]
        ][:_SHOWN]
    for server in service.servers.values():
        result.checked_bytes += sum(note.compared_bytes for note in server.notes.values())
    for ranks in service.ranks.values():
        result.evidence += ranks.close()


def _log_refusals(service: Service) -> None:
    """Keep what a server did not accept: after a cancel or a loss some words always come too late."""
    for side, server in service.servers.items():
        if server.refusals:
            path = service.plan.logs / f"{service.op}-{side}.refused.log"
            path.write_text("".join(f"{line}\n" for line in server.refusals), "utf-8")


def _ranks(service: Service) -> Iterator[RankRecord]:
    """Yield what each rank measured of each request: sums over its pieces, the transmission from first to last."""
    task = service.plan.task
    for server in service.servers.values():
        for name, note in server.notes.items():
            agreed = server.life(name).request.agreed
            for role in task.ranks_of(server.side, int(name[1:])):
                shares = [
                    pieces for pair, pieces in agreed.items() if pair[SIDES.index(server.side)] == seat_of(role)[1]
                ]
                done = note.moved.get(role, [])
                yield RankRecord(
                    schema=1,
                    op=service.op,
                    request=int(name[1:]),
                    role=role,
                    peers=len(shares),
                    transport=service.plan.transport,
                    emulated=service.plan.resources.emulated,
                    preparation_ns=sum(report["preparation_ns"] for report in done),
                    queue_ns=min((report["queue_ns"] for report in done), default=0),
                    transmission_ns=_span(done) if done else 0,
                    postprocessing_ns=sum(report["postprocessing_ns"] for report in done),
                    wire_bytes=sum(piece.nbytes for pieces in shares for piece in pieces),
                    descriptors=sum(piece.rows for pieces in shares for piece in pieces),
                    posted_descriptors=sum(report["posted_descriptors"] for report in done),
                )


def _record(service: Service | None, plan: Plan, op: Op, number: int, status: Status | None) -> RequestRecord:
    task, name = plan.task, f"r{number}"
    told: dict[str, Any] = {}
    if service is not None and name in service.servers["decode"].notes:
        notes = {side: server.notes[name] for side, server in service.servers.items()}
        status = status or _status(notes["decode"], notes["prefill"])
        told = _moved(service, name, notes) | {"findings": list(_findings(notes))[:_SHOWN]}
        if status not in {"good", "wrong"}:
            told["failure"] = _why(service, notes)
    ways = task.ways(number)
    whole = reshard.total(task.model, task.prefill, task.decode, tokens=task.tokens, cached=task.cached)
    return RequestRecord(
        schema=1,
        op=op,
        request=number,
        batch=0,
        status=status or "not-run",
        transport=plan.transport,
        emulated=plan.resources.emulated,
        prefill_ranks=len({way.source for way in ways}),
        decode_ranks=len({way.destination for way in ways}),
        pairs=len(ways),
        logical_bytes=whole.logical_bytes,
        padded_bytes=whole.padded_bytes,
        **told,
    )


def _status(*notes: Note) -> Status:
    if any(note.outcome is State.CANCELLED for note in notes):
        return "cancelled"
    if any(note.outcome is not State.COMPLETE for note in notes):
        return "failed"
    if any(note.findings for note in notes):
        return "wrong"
    return "unchecked" if any(note.lost for note in notes) else "good"


def _why(service: Service, notes: Notes) -> Failure:
    """Return who ended a request and why, as the first side to end it knows it."""
    side, note = min(
        ((side, note) for side, note in notes.items() if note.outcome is not State.COMPLETE),
        key=lambda both: both[1].ended_ns or 1 << 62,
        default=(SIDES[1], notes["decode"]),
    )
    detail = "\n".join(str(lost) for lost in service.lost)[:2000]
    return Failure(role=side, phase=SERVING, reason=note.reason[:2000] or "its ranks were lost", detail=detail)


def _moved(service: Service, name: str, notes: Notes) -> dict[str, Any]:
    """Return the numbers of a request: sums over its pieces, and the times of its slowest rank."""
    done = [report for note in notes.values() for reports in note.moved.values() for report in reports]
    by_rank = [reports for note in notes.values() for reports in note.moved.values()]
    stored = max(note.store_ns for note in notes.values())
    since = [server.life(name).since for server in service.servers.values()]
    return {
        "descriptors": sum(report["moved"][1] for report in done),
        "posted_descriptors": sum(report["posted_descriptors"] for report in done),
        "wire_bytes": sum(report["moved"][0] for report in done),
        "pieces": len(done),
        "preparation_ns": max((sum(r["preparation_ns"] for r in reports) for reports in by_rank), default=0),
        "transmission_ns": stored + max((_span(reports) for reports in by_rank), default=0),
        "store_ns": stored,
        "queue_ns": max(times.get(State.ALLOCATED, 0) - times.get(State.WAITING, 0) for times in since)
        if all(State.ALLOCATED in times for times in since)
        else 0,
    }


def _span(reports: list[dict[str, Any]]) -> int:
    """Return the time from a rank's first post to its last completion: pieces overlap."""
    starts = [int(report["queue_ns"]) for report in reports]
    ends = [start + int(report["transmission_ns"]) for start, report in zip(starts, reports, strict=True)]
    return max(ends) - min(starts)


def _findings(notes: Notes) -> Iterator[str]:
    for note in notes.values():
        for role, finding in note.findings:
            rows = f" ({finding['rows']} rows)" if finding["rows"] > 1 else ""
            yield f"{role}: {finding['text']}{rows}"[:2000]
