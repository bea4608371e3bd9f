"""One rank of whatever world it is started into: finds it, joins, gives a record and its rank, waits in `launch`.

Prints JSON lines. With the argument `wait` it stays in its last phase until something ends it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from suite.cluster.discover import join
from suite.cluster.meeting.failure import MeetingFailed
from suite.cluster.meeting.greeting import Me
from suite.cluster.meeting.hub import Hub
from suite.cluster.meeting.member import Member
from suite.cluster.meeting.proof import digest, token_of
from suite.cluster.meeting.roll import Patience, Run

LONG = 30.0
PATIENCE = Patience(join_s=20.0, beat_s=0.2, silence_s=2.0)


def tell(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def course() -> None:
    world, waits = join(os.environ), "wait" in sys.argv
    token, spec = token_of(os.environ, world), digest({"name": "quick"})
    assert world.meeting
    kept: list[str] = []

    async def member() -> None:
        me = Me(world.rank, world.size, "1.0", spec, "host", os.getpid())
        async with Member(world.meeting, me, token, PATIENCE) as rank:  # type: ignore[arg-type]  asserted above
            told = await rank.exchange("place", world.local_rank, LONG)
            rank.phase("launch", LONG)
            await rank.keep(f"record of {world.rank}", LONG)
            tell(here="launch", told=told)
            if waits:
                await rank.get("never", LONG)
            rank.leave()

    async def lead() -> None:
        def keep(_rank: int, line: str) -> None:
            kept.append(line)

        async with Hub(world.meeting, Run(world.size, "1.0", spec), token, keep, PATIENCE) as hub:  # type: ignore[arg-type]  asserted above
            own = asyncio.create_task(member())
            await hub.everyone()
            hub.scatter("place", [[rank, where] for rank, where in enumerate(await hub.gather("place", LONG))])
            try:
                await hub.all_left(LONG)
            finally:
                await asyncio.gather(own, return_exceptions=True)

    try:
        await (member() if world.rank else lead())
        tell(end="good", kept=sorted(kept))
    except MeetingFailed as error:
        tell(end=[error.failure.rank, error.failure.phase, error.failure.reason], kept=sorted(kept))


asyncio.run(course())
