"""Every row of the tables in docs/semantics.md is what the implementation does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from suite.settings.cache_transceiver import resolve_method
from suite.settings.nixl_backends import parse
from suite.settings.profiles import NIXL_BACKEND, PROFILES

DOCUMENT = Path(__file__).parents[3] / "docs" / "semantics.md"


def table(*columns: str) -> list[tuple[str, ...]]:
    """Return the rows of the one table whose header is `columns`."""
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    start = lines.index(f"| {' | '.join(columns)} |") + 2
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append(tuple(cell.strip() for cell in line.strip("|").split("|")))
    return rows


def environment_in(cell: str) -> dict[bytes, bytes]:
    """Return the assignments in back-quotes, escapes as in Python."""
    assignments = [
        quoted.encode().decode("unicode_escape").encode("latin-1") for quoted in re.findall("`([^`]*)`", cell)
    ]
    assert assignments or cell == "nothing set"
    return {name: value for name, _, value in (a.partition(b"=") for a in assignments)}


VARIABLES = table("environment", "reading")
METHODS = table("configuration", "environment", "reading")
ROWS = table("profile", "selectors, first wins", "counts as set", "none set", "NIXL's backends from")


def test_the_tables_are_found() -> None:
    """The tables are not empty, so that the tests below are not either."""
    assert len(VARIABLES) > 20
    assert len(METHODS) > 20


@pytest.mark.parametrize(("cell", "reading"), VARIABLES)
def test_variables_are_read_as_documented(cell: str, reading: str) -> None:
    """The backends that a documented environment selects are those in its row."""
    try:
        actual = ", ".join(parse(environment_in(cell))) or "nothing"
    except ValueError:
        actual = "refused"
    assert actual == reading


@pytest.mark.parametrize(("configuration", "cell", "reading"), METHODS)
def test_methods_are_resolved_as_documented(configuration: str, cell: str, reading: str) -> None:
    """The method that a documented configuration and environment give is that in its row."""
    try:
        actual = resolve_method(yaml.safe_load(configuration.strip("`")), environment_in(cell))
    except ValueError:
        actual = "refused"
    assert actual == reading


def test_profiles_are_those_of_the_table() -> None:
    """Each row of the table is a row of the code, in the same order."""
    sources = {"DYN_KVBM": "`DYN_KVBM_NIXL_BACKEND_*`", "UCX": "always UCX", "TRTLLM": f"`{NIXL_BACKEND}`"}
    rows = [
        (
            row.name,
            ", ".join(selector.method.upper() for selector in row.selectors) or "none",
            {"one": "1", "any": "not empty"}[row.truth],
            row.fallback,
            sources[row.nixl_backends],
        )
        for row in PROFILES.values()
    ]
    assert rows == ROWS
