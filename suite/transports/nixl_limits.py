"""Requests that a NIXL storage back end would reject in mid-window, or never finish."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from suite.errors import BadInput, Unsupported
from suite.transports.nixl_cufile import largest_request, posix_pool
from suite.transports.nixl_merging import merged_lengths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from suite.transports.nixl_agent import Side
    from suite.transports.nixl_cufile import Slab

# NIXL's defaults: src/plugins/posix/posix_backend.cpp and src/plugins/cuda_gds/gds_backend.cpp
_IOS_POOL_SIZE = 65536
_BATCH_POOL_SIZE, _BATCH_LIMIT, _MAX_REQUEST_SIZE = 16, 128, 16 << 20


def refuse_too_many(backend: str, settings: Mapping[str, str], sides: tuple[Side, Side], *, compat: bool) -> None:
    """Raise `Unsupported` if a transfer between `sides` has more descriptors than `backend` can carry.

    `compat` says that cuFile works in compat mode.
    """
    lengths = merged_lengths(sides[0].rows, sides[1].rows)
    if backend == "POSIX":
        _refuse_posix(len(lengths), _number(backend, settings, "ios_pool_size", _IOS_POOL_SIZE))
    elif backend == "GDS":
        most_bytes = _number(backend, settings, "max_request_size", _MAX_REQUEST_SIZE)
        requests = _requests(lengths, most_bytes)
        _refuse_batches(len(requests), settings)
        if compat and sides[0].kind == "cuda":
            _refuse_to_hang(requests, posix_pool(os.environ))
        if compat:
            _refuse_too_large(int(requests.max(initial=0)), largest_request(os.environ))


def _refuse_posix(descriptors: int, pool: int) -> None:
    if descriptors > pool:
        raise Unsupported(
            "too-many-descriptors",
            f"nixl:POSIX: {descriptors} descriptors in one transfer, and ios_pool_size is {pool}",
            "fewer descriptors a transfer, or a larger ios_pool_size",
        )


def _requests(lengths: NDArray[np.int64], most_bytes: int) -> NDArray[np.int64]:
    """Return the bytes of each request that NIXL's GDS cuts descriptors into."""
    whole, rest = np.divmod(lengths, most_bytes)
    return np.concatenate((np.full(int(whole.sum()), most_bytes), rest[rest > 0]))


def _refuse_batches(requests: int, settings: Mapping[str, str]) -> None:
    """Refuse more requests than the pool has batches for: a transfer takes them all at once."""
    limit = _number("GDS", settings, "batch_limit", _BATCH_LIMIT)
    pool = _number("GDS", settings, "batch_pool_size", _BATCH_POOL_SIZE)
    if requests > limit * pool:
        raise Unsupported(
            "too-many-descriptors",
            f"nixl:GDS: {requests} requests in one transfer, and {pool} batches (batch_pool_size) of {limit} (batch_limit)",
            "fewer descriptors a transfer, or a larger batch_pool_size",
        )


def _refuse_too_large(nbytes: int, most: int) -> None:
    """NIXL would say NIXL_ERR_BACKEND when the transfer is posted, and cuFile why in its log only."""
    if nbytes > most:
        raise Unsupported(
            "request-too-large",
            f"nixl:GDS: a request of {nbytes} bytes, and cuFile takes {most} in compat mode (per_buffer_cache_size_kb)",
            f"a max_request_size of at most {most}, or a higher per_buffer_cache_size_kb, and max_direct_io_size_kb before "
            "it, in the file that CUFILE_ENV_PATH_JSON names (README of NIXL's GDS plug-in: 16384 each)",
        )


def _refuse_to_hang(requests: NDArray[np.int64], pool: Sequence[Slab]) -> None:
    """In compat mode every request of device memory holds a bounce buffer of its size class until it is asked for.

    NIXL asks only when all batches of a transfer are submitted, and submitting
    waits for a free buffer: for ever (ai-dynamo/nixl PR 2070; seen with cuFile
    1.14, also with batches of 64 and 64 buffers). No larger class helps out.
    Requests of host memory need no buffer.
    """
    classes = np.minimum(np.searchsorted([slab.nbytes for slab in pool], requests), len(pool) - 1)
    for slab, wanted in zip(pool, np.bincount(classes, minlength=len(pool)), strict=True):
        if wanted > slab.count:
            raise Unsupported(
                "batch-would-hang",
                f"nixl:GDS: {wanted} requests in one transfer, and cuFile has {slab.count} bounce buffers of "
                f"{slab.nbytes >> 10} KiB in compat mode (posix_pool_slab_count): it would wait for ever",
                f"at most {slab.count} descriptors a transfer, nixl:GDS_MT, or a higher posix_pool_slab_count in the file "
                "that CUFILE_ENV_PATH_JSON names",
            )


def _number(backend: str, settings: Mapping[str, str], name: str, default: int) -> int:
    text = settings.get(name, str(default))
    if not (text.isascii() and text.isdigit() and int(text[:12]) > 0 and len(text) <= 12):  # noqa: PLR2004  digits
        raise BadInput(
            "bad-setting", f"nixl:{backend}: {name} = {text[:60]!r} is not accepted", "a positive whole number"
        )
    return int(text)
