"""Waiting until something has become so, for a bounded time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Changes:
    """Wakes those who wait, to look again; for one event loop."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def tell(self) -> None:
        """Say that something has changed."""
        self._next.set()
        self._next = asyncio.Event()

    async def until(self, so: Callable[[], bool], deadline_s: float) -> bool:
        """Return whether it became so within `deadline_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                while not so():
                    await self._next.wait()
        return so()
