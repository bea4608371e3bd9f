"""Listening at one address, the one that was told: never at all of a machine's."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING

from suite.cluster.world import Address
from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

BACKLOG = 4096  # a thousand ranks come at once
ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104  named to refuse it


async def listen(address: Address, serve: Serve) -> asyncio.Server:
    """Return a server at `address`, port 0 for any; `BadInput` where that is not ours, or taken."""
    host = await looked_up(address)
    if host in ANY:
        hint = "name one address of rank 0's host"
        raise BadInput("not-one-address", f"{address} is every address of this machine", hint)
    try:
        return await asyncio.start_server(serve, host, address.port, backlog=BACKLOG)
    except OSError as error:
        raise _told(address, host, error) from None


async def looked_up(address: Address) -> str:
    """Return the numeric address of a host, the first that is found."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadInput("no-such-host", f"{address.host}: {why}", "a host that all ranks can look up") from None
    return str(found[0][4][0])


def address_of(server: asyncio.Server) -> Address:
    """Return where a server listens."""
    host, port = server.sockets[0].getsockname()[:2]
    return Address(host, port)


def _told(address: Address, host: str, error: OSError) -> BadInput:
    where = f"{address}" if host == address.host else f"{address} ({host})"
    if error.errno == errno.EADDRINUSE:
        hint = "another run may have it: --rendezvous HOST:PORT with a free port, the same for all ranks"
        return BadInput("port-taken", f"rank 0 cannot listen at {where}: the port is taken", hint)
    if error.errno == errno.EADDRNOTAVAIL:
        hint = "rank 0 must run on the host that the ranks are told: --rendezvous HOST:PORT"
        return BadInput("not-here", f"rank 0 cannot listen at {where}: this machine has no such address", hint)
    return BadInput(
        "cannot-listen", f"rank 0 cannot listen at {where}: {error.strerror or error}", "--rendezvous HOST:PORT"
    )
