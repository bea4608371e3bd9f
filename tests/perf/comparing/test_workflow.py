"""The workflow that docs/compare.md shows: it is YAML, and every command of ours in it is one that there is."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
import yaml

from suite.cli import kvgauge as main

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[3] / "docs" / "compare.md"


def workflow() -> dict[str, Any]:
    [block] = [part.partition("```")[0] for part in PAGE.read_text("utf-8").split("```yaml\n")[1:]]
    found = yaml.safe_load(block)
    assert isinstance(found, dict)
    return found


def steps() -> list[dict[str, Any]]:
    [job] = workflow()["jobs"].values()
    assert job["runs-on"] != "ubuntu-latest", "hosted runners are noisy, and the page says so"
    return list(job["steps"])


def commands() -> Iterator[list[str]]:
    """Yield the words of each command line of kvgauge, from its own name on."""
    for step in steps():
        for line in str(step.get("run", "")).splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0].endswith("/kvgauge"):
                yield words[1:]


def parsed(words: list[str]) -> click.Context:
    with click.Context(main, info_name="kvgauge") as context:
        command = main.get_command(context, words[0])
        assert command is not None, words[0]
        return command.make_context(words[0], words[1:], parent=context)


def test_each_command_of_it_is_one_that_the_command_line_takes() -> None:
    found = {words[0]: parsed(words) for words in commands()}
    assert set(found) == {"sweep", "compare"}
    gate = found["compare"].params
    assert gate["fail_on"]
    assert gate["markdown"]
    assert gate["junit"]
    assert {str(path).rpartition("/")[2] for path in (gate["base"], *gate["new"])} == {"base", "head"}


def test_a_command_that_is_none_would_be_seen() -> None:
    with pytest.raises(click.UsageError):
        parsed(["compare", "a", "b", "--fail-if", "slower"])


def test_the_verdict_is_shown_also_when_the_gate_fails() -> None:
    shown = [step for step in steps() if "GITHUB_STEP_SUMMARY" in str(step.get("run"))]
    kept = [step for step in steps() if str(step.get("uses", "")).startswith("actions/upload-artifact@")]
    assert [step["if"] for step in (*shown, *kept)] == ["always()", "always()"]
    assert workflow()["permissions"] == {"contents": "read"}


def test_the_page_says_why_hosted_runners_are_no_place_for_a_gate() -> None:
    text = PAGE.read_text("utf-8")
    assert "runners are noisy" in text
    assert "`kvgauge sweep --ab` on one machine" in text
