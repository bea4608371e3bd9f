"""A reader without JavaScript finds the six answers by their ids, in a page of made points and a conformance matrix."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from conformance.record import Case
from perf.limits import Share
from perf.record import Issue
from perf.summary import Interval
from reports.data import report_data
from reports.formats.html import render
from reports.formats.json_report import summary as embedded
from reports.sections.answers import MOST_MORE, answers
from reports.sections.conformance import matrix

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.summary import PointSummary
    from reports.sections.answers import Answer

    One = Callable[..., PointSummary]

IDS = ["answer-faster", "answer-real", "answer-limit", "answer-broken", "answer-set", "answer-reproduce"]
BLOCKS: dict[str, Any] = {"unit": "block", "descriptor_bytes": 4 << 20, "descriptors": 16}
WRONG = Issue(level="INVALID", code="wrong-bytes", message="bytes differ")


def at(rate: float) -> Interval:
    return Interval(rate, 0.98 * rate, 1.02 * rate, 0.969, 6)


def case(requirement: str = "ENV-019", implementation: str = "theirs", verdict: str = "fail", **changes: Any) -> Case:
    fields = {"case": "x", "expected": False, "what": "not refused",
              "example": {"environment": {"DYN_KVBM_NIXL_BACKEND_UCX": "y"}}, "reproduce": "env A=B kvgauge conform x"}  # fmt: skip
    return Case(requirement, implementation, verdict=verdict, **(fields | changes))


@pytest.fixture
def points(summary: One) -> list[PointSummary]:
    rates = {"nixl:UCX": (5.0, 0.8), "ucx": (6.0, 0.96), "copy": (6.25, None)}
    return [summary(transport=name, op=op, throughput=at(rate), ceiling_share=share, **BLOCKS)
            for name, (rate, share) in rates.items() for op in ("push", "pull")]  # fmt: skip


class ById(HTMLParser):
    """The text of every element that has an id, of a page whose scripts do not run."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: dict[str, str] = {}
        self.links: dict[str, list[str]] = {}
        self._open: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag not in {"meta", "use", "br"}:
            self._open.append((tag, found.get("id") or ""))
        for _, identity in self._open:
            if tag == "a" and identity:
                self.links.setdefault(identity, []).append(found.get("href") or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Skip an element without content."""

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for tag, identity in self._open:
            if identity and tag not in {"script", "style"}:
                self.text[identity] = self.text.get(identity, "") + data


def read(*args: Any, **options: Any) -> ById:
    return ById(render(report_data(*args, **options)))


def test_the_page_answers_the_six_questions_without_javascript(
    manifest: dict[str, object], points: list[PointSummary]
) -> None:
    tested = matrix([case(), case("ENV-014", "theirs", "warn"), case("ENV-001", "ours", "pass", example=None)])
    page = read(manifest, points, ["It is so."], conformance=tested)
    assert [identity for identity in page.text if identity.startswith("answer-")] == IDS
    said = page.text
    assert (
        "ucx is 20 % faster than nixl:UCX, for a-model's KV cache (push, block 4 MiB scattered \N{MULTIPLICATION SIGN} 16)"
        in said["answer-faster"]
    )
    assert "every byte was right" in said["answer-real"]
    assert "cma" in said["answer-real"]
    assert "a plain copy between the two processes reaches 6.25 GB/s" in said["answer-limit"].replace("Push: ", "")
    assert "of which ucx has 96 %" in said["answer-limit"]
    assert "theirs breaks a MUST in ENV-019 with DYN_KVBM_NIXL_BACKEND_UCX=y: not refused" in said["answer-broken"]
    assert "cache_transceiver_config:\n  backend: UCX" in said["answer-set"]
    assert "kvgauge run --out 'runs/a b'" in said["answer-reproduce"]
    assert "seed 7" in said["answer-reproduce"]
    targets = [page.links[identity][0] for identity in IDS]
    assert targets == ["#throughput", "#points", "#throughput", "#conformance", "#set", "#reproduce"]
    assert all(target[1:] in said for target in targets), "each answer leads to a section that is there"


def found(points: list[PointSummary], **options: Any) -> dict[str, Answer]:
    return {one.id: one for one in answers(report_data({}, points, [], **options), None)}


def test_what_was_not_asked_is_not_answered(manifest: dict[str, object], points: list[PointSummary]) -> None:
    assert found([]) == {}
    assert 'class="answers"' not in render(report_data({}, [], []))
    assert list(found([], conformance=matrix([case()]))) == ["answer-broken"]
    assert "answer-broken" not in found(points)
    assert list(read(manifest, [], [], conformance=matrix([case()])).links) >= ["answer-broken", "answer-reproduce"]


def test_no_difference_is_no_claim(summary: One) -> None:
    close = [summary(transport=name, throughput=at(rate), **BLOCKS) for name, rate in (("nixl:UCX", 5.0), ("ucx", 5.1))]
    said = found(close)["answer-faster"].sentence
    assert said.startswith("No difference is shown between ucx (5.1 GB/s")
    assert "faster" not in said
    few = [summary(transport=name, throughput=Interval(rate, None, None, None, 2), **BLOCKS)
           for name, rate in (("nixl:UCX", 5.0), ("ucx", 9.0))]  # fmt: skip
    assert found(few)["answer-faster"].sentence.startswith("No difference is shown")


def test_one_transport_is_not_faster_than_nothing(summary: One) -> None:
    said = found([summary(**BLOCKS)])["answer-faster"].sentence
    assert said.startswith("Only nixl:UCX (5 GB/s [4.8, 5.25]) moved a-model's KV cache")


def test_wrong_bytes_are_told_first_and_checked_bytes_are_not_claimed(summary: One) -> None:
    said = found([summary(**BLOCKS), summary(op="pull", issues=(WRONG,), **BLOCKS)])["answer-real"].sentence
    assert said.startswith("No: 1 point of 2 left wrong bytes.")
    assert "every byte was right" not in said
    unchecked = found([summary(verified=False, **BLOCKS)])["answer-real"].sentence
    assert unchecked.startswith("No: 1 point of 1 left wrong bytes.")


def test_a_run_in_which_all_failed_claims_no_byte(summary: One) -> None:
    said = found([summary(launches=0, failed=6, verified=False, verified_bytes=0, throughput=None, wires=(), **BLOCKS)])
    assert said["answer-real"].sentence == "No: no transfer was completed and checked. No wire is proven."
    lost = found([summary(failed=2, **BLOCKS)])["answer-real"].sentence
    assert "every byte was right; 1 point of 1 failed in at least one launch." in lost


def test_an_unproven_wire_is_said(summary: One) -> None:
    both = [summary(**BLOCKS), summary(op="pull", wires=("unknown",), **BLOCKS)]
    assert "For 1 point of 2 the wire is not proven." in found(both)["answer-real"].sentence
    assert "No wire is proven." in found(both[1:])["answer-real"].sentence


def test_emulated_points_answer_nothing_about_speed(summary: One) -> None:
    told = found([summary(emulated=True, throughput=at(123.4), **BLOCKS)])
    assert list(told) == ["answer-real"]
    assert "The GPUs are not, for 1 point of 1: emulated" in told["answer-real"].sentence
    assert "123" not in told["answer-real"].sentence


def test_the_limit_of_devices_is_the_driver_s_copy(summary: One) -> None:
    told = found([summary(source="cuda:0", destination="cuda:1", **BLOCKS)])
    assert "the driver's own copy" in told["answer-limit"].sentence
    assert "answer-limit" not in found([summary(ceiling_share=None, **BLOCKS)])


def test_the_ceiling_that_applies_comes_first(summary: One) -> None:
    told = found([summary(limit=Share("memory copy", 8.0, 0.625), **BLOCKS)])["answer-limit"]
    assert told.sentence.startswith("Push: memory copy reaches 8 GB/s, of which nixl:UCX has 62 %; a plain copy")
    assert told.section == "ceilings"


def broken(*cases: Case) -> Answer:
    return found([], conformance=matrix(list(cases)))["answer-broken"]


def test_what_keeps_everything_is_said_to() -> None:
    assert broken(case(verdict="pass")).sentence == "None of those tested (1 requirements, 1 implementations)."


def test_a_broken_must_comes_before_a_broken_should_and_all_are_counted() -> None:
    told = broken(
        case("ENV-001", "a", "warn"), case("ENV-002", "b"), case("ENV-003", "a", "pass"), case("ENV-003", "b", "warn")
    )
    assert told.sentence.startswith(
        "1 of 2 implementations break a MUST; 1 of 2 implementations break a SHOULD and no MUST. b breaks a MUST in ENV-002"
    )
    assert [line.partition(" with ")[0] for line in told.more] == [
        "a breaks a SHOULD in ENV-001",
        "b breaks a SHOULD in ENV-003",
    ]


@pytest.mark.parametrize(
    ("example", "said"),
    [({"rows": [[0, 0, 8]], "nbytes": [8, 8]}, "with a WRITE of 1 row:"), ({"rows": [[0, 0, 8], [8, 8, 8]], "way": "in"}, "with a READ of 2 rows:"),
     ({"rows": [], "fault": ["kill", "target", "con\x1bnected"]}, "with a WRITE of 0 rows, and a fault: kill target con\\x1bnected:"),
     ({"steps": [["open", "initiator", True]] * 3}, "with a sequence of 3 calls:"),
     ({"environment": {}}, "with nothing set:"), (None, "with an input that is not recorded:"), ({"environment": 3}, "with nothing set:"),
     ({"environment": {"A": "b\nc"}, "config": {"x": 1}}, 'with A=b\\nc {"x": 1}:'), ({"environment": {"A": "x" * 500}}, "more characters)")],
)  # fmt: skip
def test_an_input_is_shown_on_one_short_line(example: Any, said: str) -> None:
    assert said in broken(case(example=example)).sentence


def test_many_breaches_are_counted_and_not_all_listed() -> None:
    told = broken(*(case(f"ENV-{number:03d}") for number in range(40)))
    assert len(told.more) == MOST_MORE + 1
    assert told.more[-1] == f"and {39 - MOST_MORE} more"


def test_programs_find_the_answers_too(manifest: dict[str, object], points: list[PointSummary]) -> None:
    data = report_data(manifest, points, [], conformance=matrix([case()]))
    told = embedded(data)
    assert list(json.loads(json.dumps(told))["answers"]) == IDS


def test_of_transports_it_is_asked_for_promises() -> None:
    assert broken(case("XFER-405", "a", "warn")).question == "Which promises are broken, and by which transfer?"
    assert broken(case("ENV-001", "a", "warn")).question == "Which documented settings are broken, and by which input?"
