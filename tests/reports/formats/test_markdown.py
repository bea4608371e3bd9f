"""Markdown for a pull request, read as GitHub would: by a CommonMark parser with tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from conformance.record import Case
from perf.markdown_text import block, code, text
from perf.record import Issue
from perf.words import NONE
from reports.data import report_data
from reports.formats.markdown import LONGEST, render
from reports.sections.conformance import matrix
from suite.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from markdown_it.token import Token

    from perf.summary import PointSummary

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
MARKUP = {"html_block", "html_inline", "image", "link_open", "code_block", "s_open", "blockquote_open", "hr"}
PIECES = ("|", "<", ">", "&", "@", "`", "``", "\n", "\r", "\t", "\\", "*", "_", "[", "]", "(", ")", "!", "#", "~", "-", "+",
          "=", "1. ", "1)", "$", ":", "http://", "www.", "GH-1", "a", "B", " ", "é", "\u200b", "\u202e", "<!--", "&lt;",
          "```", "---", "<img src=x>", "![a](b)", "[a](http://b)", "@octocat", "#12")  # fmt: skip
HOSTILE = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join)


def tokens(markdown: str) -> Iterator[Token]:
    for token in PARSER.parse(markdown):
        yield token
        yield from token.children or ()


def kinds(markdown: str) -> set[str]:
    return {token.type for token in tokens(markdown)}


def shown(markdown: str) -> str:
    """Return what a reader of the rendered text sees."""
    return "".join(token.content for token in tokens(markdown) if token.type in {"text", "text_special", "code_inline"})


@given(HOSTILE)
@example("| `a\\|b` <b> @octocat #1 http://x.example www.x.example GH-1 ![x](y)")
def test_foreign_text_is_only_text(value: str) -> None:
    said = text(value)
    assert "\n" not in said
    assert kinds(said) <= {"paragraph_open", "inline", "paragraph_close", "text", "text_special"}
    assert shown(said).replace("\u200b", "") == shown_plainly(value)
    cell = PARSER.parse(f"| a | b |\n| --- | --- |\n| {said} | c |")
    assert [token.type for token in cell].count("td_open") == 2
    assert not {child.type for token in cell for child in token.children or ()} - {"text", "text_special"}


def shown_plainly(value: str) -> str:
    return " ".join(plain(value, 300).split())


@given(HOSTILE)
def test_nobody_is_mentioned_and_nothing_is_linked(value: str) -> None:
    """Those are looked for in the finished text, so it is the finished text that must not have them."""
    said = shown(text(value)).lower()
    assert not [word for word in ("://", "www.", "@octocat", "#12", "gh-1") if word in said]


@given(HOSTILE)
def test_foreign_lines_stay_in_their_block(value: str) -> None:
    assert [token.type for token in PARSER.parse(f"{block(value)}\n\nafter")] == [
        "fence", "paragraph_open", "inline", "paragraph_close",
    ]  # fmt: skip


@given(HOSTILE)
def test_code_within_a_line_is_one_piece(value: str) -> None:
    inline = [child.type for token in PARSER.parse(f"a {code(value)} b") for child in token.children or ()]
    assert inline == ["text", "code_inline", "text"]


def test_it_has_what_decides(manifest: dict[str, object], summaries: list[PointSummary]) -> None:
    said = render(report_data(manifest, summaries, ["It is faster.", "And more."], run="monday"))
    assert said.startswith("### KV-cache transfer: monday\n\n1 of 75 points was moved on emulated GPUs")
    assert "\n\n**It is faster.**\n\n- And more.\n\n75 points · 1 with failures · 9 launches · " in said
    ours = "| 5.51 [5.29, 5.79] | 6.08 ms [5.84, 6.39] | 90 % | 1.25 GiB ✓ |"
    assert f"| push a-model, page 64 KiB scattered | ucx | cma {ours}" in said
    assert "| copy |" not in said
    assert "| copy |" in render(
        report_data({}, [one for one in summaries if one.point.transport == "copy"], [])
    ).replace("ceiling: ", "")
    assert "**INVALID** Two launches used different wires: cma and tcp: push a-model" in said
    assert f"mooncake:tcp | unknown{f' | {NONE}' * 4} |" in said
    assert "UCX is the default." in said
    assert "#### What to set\n\n" in said
    assert "```text\ncache_transceiver_config:\n  backend: " in said
    assert "```text\nkvgauge run --out 'runs/a b'\n```" in said
    assert "40 more points are in the report" in said  # plain messages, copy
    assert kinds(said) & MARKUP == set()


def test_an_emulated_run_has_no_rate(summary: Callable[..., PointSummary]) -> None:
    said = render(report_data({}, [summary(emulated=True)], ["Moved."]))
    assert "GB/s" not in said.replace("no rate", "")
    assert "GB/s [95" in render(report_data({}, [summary()], ["Moved."]))
    assert "| nixl:UCX **emulated** | cma | 1.25 GiB ✓ |" in said
    assert "emulated GPUs" in said


def test_it_fits_into_a_comment(manifest: dict[str, object], summary: Callable[..., PointSummary]) -> None:
    """Of a thousand points with the longest names, and with as much to say of them."""
    long = "&" * 190
    doubts = [Issue(level="OPEN", code="a", message=f"{chr(65 + n % 26) * (1 + n // 26)}{long}") for n in range(100)]
    points = [summary(workload=f"{long}{n}", transport=long, issues=(doubts[n % 100],)) for n in range(1_000)]
    said = render(report_data(manifest, points, [long] * 100, [long] * 100))
    assert len(said) <= LONGEST + 200
    assert "more points are in the report" in said or "no room for all" in said
    assert "#### How to reproduce" in said


def test_broken_requirements_are_told_with_their_input() -> None:
    def case(name: str, verdict: str, **changes: Any) -> Case:
        fields: dict[str, Any] = {"expected": False, "what": "selected: nothing", "example": {"environment": {"A": "|@x"}},
                                  "reproduce": "kvgauge conform"}  # fmt: skip
        return Case("ENV-002", name, "one", verdict, **(fields | changes))

    cases = [case("mine", "fail"), case("known", "fail", expected=True), case("good", "pass", example=None)]
    said = render(report_data({}, [], [], conformance=matrix(cases), cases=cases))
    assert 'mine breaks a MUST: **ENV-002** selected: nothing; smallest input: `{"environment": {"A": "|@x"}}`' in said
    assert "1 were expected." in said
    assert "known breaks a MUST: **" not in said
    assert "points" not in said


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOSTILE)
def test_no_string_of_a_run_becomes_markup(summary: Callable[..., PointSummary], value: str) -> None:
    name = value.encode("utf-8", "replace").decode()[:200]
    issue = Issue(level="OPEN", code="a", message=name)
    points = [summary(transport=name, workload=name, settings={name: name}, wires=(name,), issues=(issue,))]
    manifest = dict.fromkeys(("kvgauge", "seed", "started_at"), value) | {
        "command": ["kvgauge", value],
        "settings": {"transports": [value], "why": [value]},
    }
    said = render(report_data(manifest, points, [value or "-", value], [value], run=value))
    assert kinds(said) & MARKUP == set()
    cells = [token.type for token in PARSER.parse(said)]
    assert cells.count("td_open") == 7
    assert cells.count("fence") == 1
