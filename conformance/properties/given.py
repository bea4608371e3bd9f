"""How hypothesis runs here: the user's profile decides how many examples and which seed, we decide the rest.

No profile is loaded by us. With `CI` set hypothesis itself takes its `ci`
profile, which draws the same examples every time; `--hypothesis-profile
kvgauge-deep` draws many more.
"""

from __future__ import annotations

import json
import time
from functools import wraps
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import hypothesis
from hypothesis import Phase, settings

from conformance.verdict import Violation

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

    from conformance.implementation import MovesBytes
    from conformance.transfer.case import Case

_PHASES = (Phase.explicit, Phase.generate, Phase.shrink)  # those of the user's profile that need no yesterday
_SHRINK_S = 5.0  # for a smaller case of a transfer that went wrong: after that, what is known stands
_EACH_S, _LEAST = 0.4, 3  # a case, on average, before fewer are drawn: cuFile takes 1.6 s to close an endpoint of GDS
_SHARE = 8  # a transfer takes a real library's time, so it gets fewer examples than an environment
_FEWEST = 2  # of one transfer; the default profile draws 12
DEEP = "kvgauge-deep"
settings.register_profile(DEEP, max_examples=2000, deadline=None, database=None)


def given(**drawn: SearchStrategy[Any]) -> Callable[[Any], Any]:
    """Draw arguments by name.

    There is no deadline, as an implementation may be a process that is started
    for each question, no database, as a verdict must not depend on yesterday's,
    and one example for each failure, as that is what a report shows.
    """
    return lambda test: _ours(settings.default)(hypothesis.given(**drawn)(test))


def _ours(base: settings | None, **more: Any) -> settings:
    return settings(
        base,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        phases=[one for one in _PHASES if base is None or one in base.phases],
        **more,
    )


def given_case(cases: SearchStrategy[Case]) -> Callable[[Any], Any]:
    """Draw the argument `case`, an eighth as often as `given` draws.

    A case that went wrong is not tried again: the verdict of the smallest one known
    stands, so that a transport that fails now and then is no flaky test, and a transport
    that hangs hangs once. Where cases are slow there are fewer, so that a run ends.
    """

    def decorate(test: Callable[[MovesBytes, Case], None]) -> Any:
        known: WeakKeyDictionary[MovesBytes, dict[str, tuple[float, Violation]]] = WeakKeyDictionary()
        good: WeakKeyDictionary[MovesBytes, list[float]] = WeakKeyDictionary()  # seconds that each good case took
        examples = max(_FEWEST, (settings.default or settings()).max_examples // _SHARE)

        @wraps(test)
        def remembered(implementation: MovesBytes, case: Case) -> None:
            broken = known.setdefault(implementation, {})  # case -> when it was tried first, and what came of it
            key = json.dumps(case.as_json())
            if key in broken:
                raise broken[key][1]
            started, taken = time.monotonic(), good.setdefault(implementation, [])
            if len(taken) >= _LEAST and sum(taken) > _EACH_S * examples:
                return
            if broken and started - min(when for when, _ in broken.values()) > _SHRINK_S:
                return
            try:
                test(implementation, case)
            except Violation as violation:
                broken[key] = started, violation
                raise
            taken.append(time.monotonic() - started)

        return _ours(settings.default, max_examples=examples)(hypothesis.given(case=cases)(remembered))

    return decorate
