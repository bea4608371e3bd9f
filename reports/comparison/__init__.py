"""Two to eight runs side by side: pure data, then one page."""
