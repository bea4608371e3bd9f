"""The made-up runs of the tests of comparisons: files of other tools are put beside them."""

from tests.perf.comparing.conftest import made, sampled

__all__ = ["made", "sampled"]
