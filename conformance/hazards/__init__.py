"""Known hazards of transfer libraries, each tried by itself: `kvgauge conform --hazards`, docs/hazards.md.

A hazard is a sentence of ours on one implementation, or a small script that uses the
library alone, without our transports. Nothing here is a requirement: it says how often
what others have met is met here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hazard:
    """What is told of a library, and how it is tried once."""

    name: str
    what: str  # in words that are true if it is seen
    script: str = ""  # module in this package, and the function in it
    implementation: str = ""  # or what `kvgauge conform` is given
    requirement: str = ""
    case: str = ""  # of that sentence: one case instead of all
    emulated_gpus: int = 0


HAZARDS = (
    Hazard("mooncake-batch", "a batch of 4096 descriptors over TCP fails", "mooncake_batch:refused"),
    Hazard("mooncake-after", "right after it, a write of 4 KiB to the same peer fails", "mooncake_batch:collateral"),
    Hazard("mooncake-late", "what its source is given after it failed arrives", "mooncake_batch:late"),
    Hazard(
        "mooncake-stopped",
        "the same, by our transport",
        implementation="mooncake:tcp?descriptors_per_call=65536",
        requirement="XFER-406",
    ),
    Hazard("nixl-telemetry", "get_xfer_telemetry of a transfer under way returns garbage", "nixl_telemetry:garbage"),
    Hazard("nixl-tag-prefix", "waiting for the tag abc-1 consumes abc-11", "nixl_tags:prefix"),
    Hazard("nixl-tag-empty", "an empty notification is found again and again", "nixl_tags:empty"),
    Hazard(
        "nixl-released",
        "a transfer under way is released without an error and goes on",
        implementation="nixl:UCX?UCX_TLS=tcp",
        requirement="XFER-403",
    ),
    Hazard(
        "nixl-deregistered",
        "memory that its owner has deregistered is written, and the initiator sees DONE",
        implementation="nixl:UCX",
        requirement="XFER-206",
    ),
    Hazard(
        "nixl-deregistered-here",
        "a prepared transfer of memory that was deregistered since is DONE",
        implementation="nixl:UCX",
        requirement="XFER-207",
    ),
    Hazard(
        "nixl-closed",
        "a transfer whose target's agent is destroyed is DONE",
        implementation="nixl:UCX",
        requirement="XFER-405",
    ),
    Hazard(
        "nixl-metadata",
        "one bit of the metadata changed, and the initiator aborts",
        implementation="nixl:UCX?UCX_TLS=tcp",
        requirement="XFER-301",
        case='{"rows":[[8,16,64]],"nbytes":[80,88],"edit":["flip",262,1]}',
    ),
    Hazard("nixl-dead-peer", "check_remote_metadata is True of a peer that is dead", "nixl_peers:dead"),
    Hazard("nixl-stopped-peer", "a transfer to a stopped peer is PROC for as long as watched", "nixl_peers:stopped"),
    Hazard("ucxx-view", "a non-contiguous view is sent as if it were contiguous", "ucxx_view:wrong"),
    Hazard(
        "gds-short",
        "a fetch beyond the end of a file is DONE",
        implementation="nixl:GDS?memory=cuda",
        requirement="XFER-603",
        emulated_gpus=1,
    ),
    Hazard(
        "gds-request", "cuFile in compat mode refuses a request of 1 MiB + 1 byte", "gds:too_large", emulated_gpus=1
    ),
    Hazard("gds-batch", "cuFile in compat mode hangs in a transfer of 200 rows", "gds:hangs", emulated_gpus=1),
)
