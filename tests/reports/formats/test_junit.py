"""JUnit XML as CI systems read it: the shape of `junit-10.xsd`, and which points and cases fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.record import Case
from perf.record import Issue
from reports.data import report_data
from reports.formats.junit import render
from reports.sections.conformance import matrix

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from perf.summary import PointSummary

# element -> (its attributes, those that it must have, its children), from junit-10.xsd of Jenkins's xUnit plug-in
RESULT = ({"type", "message"}, set[str](), set[str]())
SHAPE: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, set(), {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "timestamp", "time", "hostname", "id", "package"},
        {"name", "tests", "failures", "errors"},
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": ({"name", "classname", "time"}, {"name"}, {"failure", "error", "skipped", "system-out", "system-err"}),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, {"name", "value"}, set()),
    "failure": RESULT, "error": RESULT, "skipped": RESULT,
    "system-out": (set(), set(), set()),
}  # fmt: skip


def checked(xml: str) -> ET.Element:
    """Parse a report and hold it to the shape, and its counts to its cases."""
    root = ET.fromstring(xml.encode())  # noqa: S314  our own output
    assert root.tag == "testsuites"
    for element in root.iter():
        attributes, needed, children = SHAPE[element.tag]
        assert needed <= element.attrib.keys() <= attributes, element.tag
        assert {child.tag for child in element} <= children, element.tag
    for suite in root:
        assert suite.get("tests") == str(len(suite.findall("testcase")))
        for name, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert suite.get(count) == str(len(suite.findall(f"testcase/{name}")))
    for count in ("tests", "failures", "errors"):
        assert root.get(count) == str(sum(int(suite.get(count, "0")) for suite in root))
    return root


def outcomes(root: ET.Element) -> list[str]:
    return [
        next((child.tag for child in case if child.tag != "system-out"), "passed") for case in root.iter("testcase")
    ]


def test_points_that_do_not_count_fail_and_doubts_do_not(summary: Callable[..., PointSummary]) -> None:
    invalid = Issue(level="INVALID", code="contradiction", message="cma excludes tcp")
    doubt = Issue(level="OPEN", code="noisy", message="The host was busy.")
    points = [
        summary(descriptor_bytes=1, issues=(doubt,)),
        summary(descriptor_bytes=2, issues=(invalid, doubt)),
        summary(descriptor_bytes=3, failed=2),
        summary(descriptor_bytes=4, verified=False),
        summary(descriptor_bytes=5, launches=0, throughput=None, latency_ns=None),
    ]
    root = checked(render(report_data({}, points, ["It is so."])))
    assert outcomes(root) == ["passed", "failure", "failure", "failure", "failure"]
    cases = list(root.iter("testcase"))
    assert "OPEN noisy: The host was busy." in cases[0].findtext("system-out", "")
    assert "throughput: 5 [4.8, 5.25] GB/s" in cases[0].findtext("system-out", "")
    failure = cases[1].find("failure")
    assert failure is not None
    assert (failure.get("type"), failure.get("message")) == ("INVALID", "cma excludes tcp")
    assert "INVALID contradiction: cma excludes tcp\nOPEN noisy" in (failure.text or "")
    assert "failed in 2 of 11 launches" in (cases[2].findtext("failure") or "")
    assert cases[0].get("classname") == "kvgauge.push.a-model.nixl:UCX"
    assert len({(case.get("classname"), case.get("name")) for case in cases}) == 5
    values = {one.get("name"): one.get("value") for one in root.iter("property")}
    assert values["verdict"] == "It is so."


def test_no_number_of_an_emulated_point(summary: Callable[..., PointSummary]) -> None:
    root = checked(render(report_data({}, [summary(emulated=True)], [])))
    told = "".join(root.itertext())
    assert "checked: 1.25 GiB" in told
    assert not [word for word in ("throughput", "latency", "of copy", "GB/s", "ms") if word in told]


@pytest.mark.parametrize(
    ("verdict", "expected", "outcome"),
    [
        ("pass", False, "passed"),
        ("fail", False, "failure"),
        ("fail", True, "skipped"),
        ("warn", False, "passed"),
        ("warn", True, "skipped"),
        ("info", False, "passed"),
        ("skip", False, "skipped"),
        ("error", False, "error"),
    ],
)
def test_every_case_of_conformance_is_a_test(verdict: str, expected: bool, outcome: str) -> None:  # noqa: FBT001  a table
    cases = [_case(verdict, expected=expected), _case("pass", case="other")]
    root = checked(render(_conformance(cases)))
    assert [suite.get("name") for suite in root] == ["kvgauge conformance"]
    assert outcomes(root) == [outcome, "passed"]
    told = ET.tostring(root, encoding="unicode")
    assert ("selected: nothing" in told) == (verdict != "pass")
    if expected:
        assert f"expected {verdict}" in told
    if outcome == "failure":
        assert "ENV-002 (MUST)" in told
        assert "kvgauge conform mine" in told


def _case(verdict: str, **changes: Any) -> Case:
    fields: dict[str, Any] = {"requirement": "ENV-002", "implementation": "mine", "case": "one", "expected": False,
                              "what": "selected: nothing", "example": None, "reproduce": "kvgauge conform mine"}  # fmt: skip
    return Case(verdict=verdict, **(fields | changes))


def _conformance(cases: Sequence[Case]) -> Any:
    return report_data({}, [], [], conformance=matrix(cases), cases=cases)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=30) | st.sampled_from(("]]>", "\x00\x0b\x1b", "\ufffe\uffff", "\ud800", "&x;", "<!--", "a\r\nb"))
)
def test_whatever_a_run_says_it_can_be_parsed(summary: Callable[..., PointSummary], value: str) -> None:
    name = value.encode("utf-8", "replace").decode()
    issue = Issue(level="INVALID", code=name, message=name)
    points = [summary(transport=name, workload=name, wires=(value,), issues=(issue,), settings={name: name})]
    manifest = dict.fromkeys(("kvgauge", "seed", "started_at"), value) | {"command": ["x", value]}
    cases = [_case("fail", implementation=value, requirement=value, case=value, what=value, reproduce=value)]
    data = report_data(manifest, points, [value], [value], run=value, conformance=matrix(cases), cases=cases)
    assert outcomes(checked(render(data))) == ["failure", "failure"]
