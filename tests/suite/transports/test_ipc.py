"""What a peer says of its memory is believed only if it has the shape of memory."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import TransferFailed
from suite.transports.ipc import MOST_REGIONS, Shared, received

UUID = "GPU-01234567-89ab-cdef-0123-456789abcdef"
CUDA = Shared("cuda", 1 << 46, 1 << 20, 1, UUID, 512, "0f" * 64)
HOST = Shared("host", 1 << 46, 4096)


def test_what_is_sent_is_received() -> None:
    """Regions of both kinds, and device memory without a handle, come through as they are."""
    sent = [CUDA, HOST, Shared("cuda", 0, 1, 0, UUID)]
    assert received({"regions": [one.to_json() for one in sent]}, "p") == sent


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "file"},
        {"kind": 1},
        {"address": -1},
        {"address": 1 << 64},
        {"address": (1 << 64) - 1},
        {"address": "1"},
        {"nbytes": 1.0},
        {"nbytes": True},
        {"offset": -512},
        {"device": None},
        {"uuid": "GPU-0"},
        {"uuid": UUID + "\n"},
        {"uuid": 7},
        {"handle": "0f" * 63},
        {"handle": "0f" * 65},
        {"handle": "xx" * 64},
        {"handle": None},
        {"more": 1},
    ],
)
def test_a_region_with_one_wrong_field_is_refused(change: dict[str, Any]) -> None:
    """Each field has its own bounds, and there is no other field."""
    with pytest.raises(TransferFailed, match="unsound region") as caught:
        received({"regions": [CUDA.to_json() | change]}, "p")
    assert caught.value.code == "bad-metadata"
    assert len(caught.value.message) < 500


@pytest.mark.parametrize("field", CUDA.to_json())
def test_a_region_without_a_field_is_refused(field: str) -> None:
    """Nothing is assumed."""
    fields = CUDA.to_json()
    del fields[field]
    with pytest.raises(TransferFailed, match="unsound region"):
        received({"regions": [fields]}, "p")


def test_host_memory_has_no_handle() -> None:
    """A handle of host memory would be opened as if it were a device's."""
    with pytest.raises(TransferFailed, match="unsound region"):
        received({"regions": [HOST.to_json() | {"handle": CUDA.handle}]}, "p")


@pytest.mark.parametrize("regions", [None, {}, "x", [HOST.to_json()] * (MOST_REGIONS + 1)])
def test_regions_are_a_list_of_bounded_length(regions: Any) -> None:
    """No list, or too long a one, is refused before anything of it is looked at."""
    with pytest.raises(TransferFailed, match=f"list of at most {MOST_REGIONS} regions"):
        received({"regions": regions}, "p")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(sorted(CUDA.to_json())), JSON), JSON)
def test_any_json_is_refused_or_read(changes: dict[str, Any], region: Any) -> None:
    """Whatever comes, the answer is regions or our own refusal, never another error."""
    for one in (CUDA.to_json() | changes, region):
        try:
            (found,) = received({"regions": [one]}, "p")
        except TransferFailed as error:
            assert error.code == "bad-metadata"  # noqa: PT017  either outcome is right, another error is not
        else:
            assert found.to_json() == one
