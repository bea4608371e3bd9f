"""The page's script as text: small, harmless, and the only one that the policy allows."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from reports.formats.script import policy, script

LIMIT_BYTES = 8 << 10


def test_it_is_small() -> None:
    assert len(script().encode()) < LIMIT_BYTES


@pytest.mark.parametrize("word", ["fetch", "XMLHttpRequest", "WebSocket", "sendBeacon", "import(", "eval", "Function(",
                                  "innerHTML", "outerHTML", "insertAdjacent", "document.write", "http:", "https:", "</", "<!--"])  # fmt: skip
def test_it_calls_nobody_and_writes_no_markup(word: str) -> None:
    """`</` and `<!--` would also end the element that it stands in."""
    assert word not in script()


def test_the_policy_allows_it_by_its_hash_and_nothing_else() -> None:
    """The hash is over exactly what stands between the tags; a changed character is another hash."""
    digest = base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()
    rules = dict(re.findall(r"([\w-]+) ([^;]+)", policy(script())))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert policy(script()) != policy(script() + " ")
    assert not re.search(r"\*|unsafe-eval|script-src[^;]*unsafe|https?:", policy(script()))
