"""The report as JUnit XML, for the test view of a CI: one test case a point, an op of transfers, a case of conformance.

The shape is that of `junit-10.xsd` of Jenkins's xUnit plug-in, which pytest writes
too: no properties below a suite, so the numbers of a case are its `system-out`.
`plain` leaves no character that XML has no place for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree as ET

from conformance.requirement import registry
from conformance.verdict import Verdict
from perf.rows import row
from perf.words import NONE, full_name, what, workload
from suite.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from conformance.record import Case
    from perf.rows import Row
    from perf.summary import PointSummary
    from reports.data import ReportData
    from reports.sections.transfer import Transfer

_MESSAGE, _DETAILS = 500, 20_000  # characters; the whole text stands inside the element


@dataclass(frozen=True)
class _Test:
    """One test case; `outcome` is empty where it passed."""

    classname: str
    name: str
    outcome: Literal["", "failure", "error", "skipped"] = ""
    kind: str = ""
    message: str = ""
    details: str = ""
    out: str = ""


def render(data: ReportData) -> str:
    """Return the report as JUnit XML; a point fails if one of its launches does not count, as for the exit code."""
    root = ET.Element("testsuites", {"name": plain(data.title)})
    suites = [
        ("transfers", [_of_point(one) for one in data.summaries]),
        ("requests", _of_transfer(data.transfer)),
        ("conformance", list(map(_of_case, data.cases))),
    ]
    for name, tests in suites:
        if tests or (name == "transfers" and data.swept):
            root.append(_suite(name, tests, data))
    for counted in ("tests", "failures", "errors"):
        root.set(counted, str(sum(int(suite.get(counted, "0")) for suite in root)))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(name: str, tests: Sequence[_Test], data: ReportData) -> ET.Element:
    counted = {outcome: sum(test.outcome == outcome for test in tests) for outcome in ("failure", "error", "skipped")}
    suite = ET.Element(
        "testsuite",
        {
            "name": f"kvgauge {name}",
            "tests": str(len(tests)),
            "failures": str(counted["failure"]),
            "errors": str(counted["error"]),
            "skipped": str(counted["skipped"]),
            **({"timestamp": plain(data.created)} if data.created else {}),
        },
    )
    properties = ET.SubElement(suite, "properties")
    for key, value in _properties(name, data):
        ET.SubElement(properties, "property", {"name": key, "value": plain(value)})
    for test in tests:
        _append(suite, test)
    return suite


def _properties(name: str, data: ReportData) -> Iterable[tuple[str, str]]:
    yield "kvgauge", data.version
    yield "run", data.run
    yield "complete", str(data.complete).lower()
    yield "command", data.command
    yield "seed", data.seed
    if name in {"transfers", "requests"}:
        yield from (("verdict", sentence) for sentence in data.sentences)
        yield from (("note", note) for note in (data.emulation, data.locality, *data.notes) if note)


def _append(suite: ET.Element, test: _Test) -> None:
    case = ET.SubElement(suite, "testcase", {"classname": plain(test.classname), "name": plain(test.name)})
    if test.outcome:
        told = {"type": plain(test.kind), "message": plain(test.message, _MESSAGE)}
        ET.SubElement(case, test.outcome, told).text = plain(test.details, _DETAILS)
    if test.out:
        ET.SubElement(case, "system-out").text = plain(test.out, _DETAILS)


def _of_point(one: PointSummary) -> _Test:
    """Return a point as a test: failed if a launch failed, was INVALID or left wrong bytes; a doubt does not fail it."""
    told, point = row(one), one.point
    classname = f"kvgauge.{point.op}.{workload(point.workload)}.{told.transport}"
    name = f"{what(point)} x {point.descriptors}"
    issues = [f"{issue.level} {issue.code}: {issue.message}" for issue in one.issues]
    if one.launches and one.verified and not one.failed and not one.invalid:
        return _Test(classname, name, out="\n".join([_numbers(told), *issues]))
    lost = f"failed in {one.failed} of {one.failed + one.launches} launches" if one.failed else ""
    wrong = "not every byte was found to be right" if one.launches and not one.verified else ""
    grave = next((issue.message for issue in one.issues if issue.level == "INVALID"), "")
    return _Test(
        classname, name, "failure", "INVALID" if one.invalid or wrong else "FAILED",
        message=grave or wrong or lost or "no launch was measured",
        details="\n".join(filter(None, [full_name(point), wrong, lost, *issues])), out=_numbers(told),
    )  # fmt: skip


def _of_transfer(found: Transfer | None) -> list[_Test]:
    """Return each op of `kvgauge transfer` as a test: failed unless all of its requests are good, as for the exit code."""
    if not found:
        return []
    tests = [_of_op(found, place) for place in range(len(found.ops))]
    none = _Test("kvgauge.transfer", "requests", "failure", "FAILED", found.sentences[0], found.sentences[0])
    return tests or [none]


def _of_op(found: Transfer, place: int) -> _Test:
    op = found.ops[place]
    classname, name = f"kvgauge.transfer.{op.name}", f"{op.asked or op.requests} requests"
    told = "\n".join(f"{row.name.lower()}: {row.cells[place]}" for row in found.rows)
    if op.good:
        return _Test(classname, name, out=told)
    wrong = [f"{one.level} {'; '.join([one.sentence, *one.requests])}" for one in found.troubles]
    details = "\n".join([*found.sentences[:1], *wrong])
    became = found.rows[0].cells[place]
    return _Test(classname, name, "failure", "FAILED", f"{op.name}: {became}", details, out=told)


def _numbers(told: Row) -> str:
    """Return the row of the table of points as lines; on the emulator it has no rate and no time."""
    values = {
        "throughput": f"{told.throughput} GB/s" if told.throughput.value != NONE else "",
        "latency": str(told.latency) if told.latency.value != NONE else "",
        "of copy": told.share if told.share != NONE else "",
        "wire": told.wire,
        "checked": told.checked,
        "posted descriptors": told.posted,
        "launches": told.launches,
        "remark": told.remark,
    }
    return "\n".join(f"{name}: {value}" for name, value in values.items() if value)


def _of_case(case: Case) -> _Test:
    """Return a case of conformance as a test; a broken SHOULD passes and is told, as `kvgauge conform` has it."""
    place = f"kvgauge.conformance.{case.implementation}", f"{case.requirement} {case.case}"
    known = registry().get(case.requirement)
    about = [f"{known.id} ({known.level}): {known.sentence}", f"source: {known.source}"] if known else []
    details = "\n".join([*about, case.what, case.reproduce]).strip()
    verdict = Verdict(case.verdict)
    if case.expected and verdict in {Verdict.FAIL, Verdict.WARN}:
        return _Test(*place, "skipped", f"expected {verdict.value}", f"expected: {case.what}", details)
    if verdict is Verdict.SKIP:
        return _Test(*place, "skipped", "skip", case.what, details)
    if verdict in {Verdict.FAIL, Verdict.ERROR}:
        outcome: Literal["failure", "error"] = "failure" if verdict is Verdict.FAIL else "error"
        return _Test(*place, outcome, case.requirement, case.what, details)
    out = f"{verdict.value}: {details}" if verdict in {Verdict.WARN, Verdict.INFO} else ""
    return _Test(*place, out=out)
