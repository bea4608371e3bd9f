"""UCXX: a view that is not contiguous, by its own asynchronous API alone."""

from __future__ import annotations

import asyncio
import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from conformance.hazards.attempt import Seen
from suite.errors import Missing

_PATIENCE_S = 10.0


def wrong() -> Seen:
    """Send every second element of every second row to a listener of the same process."""
    if find_spec("ucxx") is None:
        raise Missing("no-ucxx", "UCXX is not installed", "pip install ucxx-cu12")
    os.environ.setdefault("UCX_TLS", "tcp")
    view = np.arange(16, dtype=np.int64).reshape(4, 4)[::2, ::2]
    arrived = asyncio.run(asyncio.wait_for(_moved(view), _PATIENCE_S))
    return Seen(bool((view != arrived).any()), f"sent {view.tolist()}, arrived {arrived.tolist()}")


async def _moved(view: Any) -> Any:
    ucxx: Any = import_module("ucxx")
    arrived: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def receive(endpoint: Any) -> None:
        buffer = np.zeros(view.shape, view.dtype)
        await endpoint.recv(buffer)
        arrived.set_result(buffer)

    listener = ucxx.create_listener(receive)
    endpoint = await ucxx.create_endpoint("127.0.0.1", listener.port)
    await endpoint.send(view)
    return await arrived
