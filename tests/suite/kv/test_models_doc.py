"""The table of docs/models.md is what the data says."""

from __future__ import annotations

from pathlib import Path

from suite.kv.model_table import markdown
from suite.kv.models import PRESETS

DOCUMENT = Path(__file__).parents[3] / "docs" / "models.md"


def test_the_page_holds_the_table() -> None:
    """After a change of the data, put what `suite.kv.model_table.markdown()` returns into the page."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert markdown() in text
    assert text.count("\n| `") == len(PRESETS)


def test_a_row_says_what_the_layers_keep() -> None:
    """Windows, latents, states and their own data types are told apart."""
    rows = {line.split("`")[1]: line for line in markdown().splitlines()[2:]}
    assert "| 18 full 2x8x64; 18 window 2x8x64, window 128 | 36864 | 18432 | 4.719 | 0.307 |" in rows["gpt-oss-120b"]
    assert "| 61 latent 576 | 70272 | 35136 | - | 0.576 | 2.3 | 9.21 |" in rows["deepseek-v3"]
    assert "61 indexer 132 of 1 B" in rows["deepseek-v3.2"]
    assert "23 state 64x8192 of 4 B, once" in rows["nemotron-3-nano-30b"]
