"""How fast links can be, from their specifications: what a measured rate on real hardware stands beside.

GB/s = 1e9 bytes per second, in one direction. PCIe, InfiniBand and Ethernet are
raw line rates: headers take a part of them. The bound of a path is that of its
slowest part, rails added up: memory, NVLink or PCIe, network card, switch, the
other side. Two GPUs without NVLink between them are bound by PCIe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_AICONFIGURATOR = "https://github.com/ai-dynamo/aiconfigurator"  # systems/*.yaml
_NVBANDWIDTH = "https://github.com/NVIDIA/nvbandwidth"  # the sample output in its README

Kind = Literal["nvlink", "pcie", "infiniband", "ethernet", "node", "memory"]


@dataclass(frozen=True)
class Link:
    """One link: `practical` where the figure was measured and is no line rate."""

    name: str
    kind: Kind
    gb_per_s: float
    source: str
    practical: bool = False


LINKS = (
    Link("NVLink 3 (A100)", "nvlink", 300, _AICONFIGURATOR),
    Link("NVLink 4 (H100, H200)", "nvlink", 450, _AICONFIGURATOR),
    Link("NVLink 5 (B200, GB200, B300)", "nvlink", 900, _AICONFIGURATOR),
    Link("PCIe 4.0 x16", "pcie", 32, _AICONFIGURATOR),
    Link("PCIe 4.0 x16, host to device as measured", "pcie", 26, _NVBANDWIDTH, practical=True),
    Link("PCIe 5.0 x16", "pcie", 64, _AICONFIGURATOR),
    Link("PCIe 6.0 x16", "pcie", 128, _AICONFIGURATOR),
    Link("InfiniBand HDR, one port", "infiniband", 25, _AICONFIGURATOR),
    Link("InfiniBand NDR, one port", "infiniband", 50, _AICONFIGURATOR),
    Link("InfiniBand XDR, one port", "infiniband", 100, _AICONFIGURATOR),
    Link("100 GbE", "ethernet", 12.5, _AICONFIGURATOR),
    Link("200 GbE", "ethernet", 25, _AICONFIGURATOR),
    Link("400 GbE", "ethernet", 50, _AICONFIGURATOR),
    Link("AWS p5, p5en, p6-b200, all cards of a node", "node", 400, _AICONFIGURATOR),
    Link("AWS p6-b300, all cards of a node", "node", 800, _AICONFIGURATOR),
    Link("GB200 between racks, one ConnectX-8", "infiniband", 100, _AICONFIGURATOR),
    Link("HBM of A100", "memory", 2039, _AICONFIGURATOR),
    Link("HBM of H100", "memory", 3350, _AICONFIGURATOR),
    Link("HBM of H200", "memory", 4800, _AICONFIGURATOR),
    Link("HBM of B200", "memory", 7700, _AICONFIGURATOR),
    Link("HBM of B300", "memory", 7750, _AICONFIGURATOR),
    Link("HBM of GB200", "memory", 8000, _AICONFIGURATOR),
)


def named(name: str) -> Link:
    """Return the link called `name`; raises KeyError."""
    return {link.name: link for link in LINKS}[name]
