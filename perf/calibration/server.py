"""The workers of a calibration: those of every sweep, who know the transports of known speed besides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf.calibration.plain_file import PlainFileTransport
from perf.calibration.planted import PlantedTransport
from perf.calibration.tcp import TcpTransport
from perf.server import PointServer
from suite.transports import base

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from perf.roles import Role
    from suite.transports.base import Transport

TCP, PLANTED, IDLE, PLAIN_FILE = "calibration:tcp", "calibration:planted", "calibration:idle", "calibration:file"
_OWN: Mapping[str, Callable[[str], Transport]] = {
    TCP: TcpTransport,
    PLANTED: PlantedTransport,
    IDLE: PlantedTransport,
    PLAIN_FILE: PlainFileTransport,
}
SERVER = "perf.calibration.server:serve"


def serve(role: Role) -> PointServer:
    """Return the worker of `role`."""
    return PointServer(role, load)


def load(name: str) -> Transport:
    """Return a transport of known speed, which no sweep can name, or an installed one."""
    return _OWN[name](name) if name in _OWN else base.load(name)
