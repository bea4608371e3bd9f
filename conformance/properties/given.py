"""How hypothesis runs here: the user's profile decides how many examples and which seed, we decide the rest.

No profile is loaded by us. With `CI` set hypothesis itself takes its `ci`
profile, which draws the same examples every time; `--hypothesis-profile
kvgauge-deep` draws many more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hypothesis
from hypothesis import Phase, settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

DEEP = "kvgauge-deep"
settings.register_profile(DEEP, max_examples=2000, deadline=None, database=None)


def given(**drawn: SearchStrategy[Any]) -> Callable[[Any], Any]:
    """Draw arguments by name.

    There is no deadline, as an implementation may be a process that is started
    for each question, no database, as a verdict must not depend on yesterday's,
    and one example for each failure, as that is what a report shows.
    """
    ours = settings(
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )
    return lambda test: ours(hypothesis.given(**drawn)(test))
