"""Wrong bytes and their names: each fault is made by hand, as a transport would make it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.kv import stamp
from suite.kv.diagnosis import Fault, Finding, Places, diagnose
from suite.kv.geometry import Layout, gqa, mla
from suite.kv.plan import Plan, kv_plan
from suite.kv.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

GUARD = 64
SOURCE, DESTINATION = 1 << 40, 3 << 40
EPOCH = 7
GROUPED = Layout(gqa("g", layers=2, kv_heads=2, head_dim=16), 2, 2)  # head 64 B, page 128, layer 256, block 512
LATENT = Layout(mla("m", layers=2, kv_lora_rank=24, qk_rope_head_dim=8), 4, 2)  # layer 256 B, block 512
BLOCKS = 8
ORIGINS, TARGETS = (1, 4, 2), (5, 0, 3)  # no two neighbours; decode's blocks 1, 2, 4, 6, 7 are nobody's
BLOCK_5, BLOCK_0, BLOCK_3 = (GUARD + 512 * block for block in TARGETS)


@dataclass
class Scene:
    """A decode region after one request has arrived as it must; tests spoil `bytes`."""

    plan: Plan
    pool: Pool
    words: NDArray[np.uint64]

    @property
    def bytes(self) -> NDArray[np.uint8]:
        return self.words.view(np.uint8)

    def place(self, offset: int) -> str:
        """Say where an offset is, as a caller of `diagnose` would."""
        inside = offset - GUARD
        return self.pool.describe(inside) if 0 <= inside < self.pool.nbytes else f"guard band at {offset}"

    def diagnose(self) -> tuple[Finding, ...]:
        places = Places(self.place, self.place)
        return diagnose(self.words, [self.plan], source=SOURCE, destination=DESTINATION, epoch=EPOCH, places=places)

    def spoil(self, at: int, data: NDArray[np.uint8]) -> None:
        """Write `data` at byte `at`."""
        self.bytes[at : at + len(data)] = data


def region(pool: Pool, side: stamp.Side, epoch: int = EPOCH) -> NDArray[np.uint64]:
    words = np.empty((pool.nbytes + 2 * GUARD) // 8, np.uint64)
    stamp.fill(words, stamp.uniform(len(words), side, epoch))
    return words


def arrived(unit: str, shape: Layout = GROUPED) -> Scene:
    """Carry out the plan of one request by copying its bytes."""
    pools = [Pool(shape, BLOCKS, base + GUARD) for base in (SOURCE, DESTINATION)]
    plan = kv_plan(pools[0], pools[1], (np.array(ORIGINS), np.array(TARGETS)), unit=unit, tokens=6)
    scene = Scene(plan, pools[1], region(pools[1], stamp.Side.DECODE))
    prefill = kept(shape)
    for (origin, length, _), (target, _, _) in zip(plan.source.tolist(), plan.destination.tolist(), strict=True):
        scene.spoil(target - DESTINATION, prefill[origin - SOURCE :][:length])
    return scene


def kept(shape: Layout = GROUPED, epoch: int = EPOCH) -> NDArray[np.uint8]:
    """Return the bytes of the prefill region."""
    return region(Pool(shape, BLOCKS, 0), stamp.Side.PREFILL, epoch).view(np.uint8)


def paint(shape: Layout = GROUPED) -> NDArray[np.uint8]:
    """Return the bytes of the decode region before anything arrived."""
    return region(Pool(shape, BLOCKS, 0), stamp.Side.DECODE).view(np.uint8)


def from_block(index: int, offset: int = 0) -> int:
    """Return the offset in the prefill region of a byte of the request's block number `index`."""
    return GUARD + 512 * ORIGINS[index] + offset


def noise(count: int, seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, count, dtype=np.uint8)


@pytest.mark.parametrize("unit", GROUPED.units)
def test_a_right_region_has_no_findings(unit: str) -> None:
    """When every byte is where it must be, there is nothing to say."""
    assert arrived(unit).diagnose() == ()
    assert arrived("layer", LATENT).diagnose() == ()


def test_a_finding_prints_its_fault_count_and_place() -> None:
    """One finding is one line."""
    assert str(Finding(Fault.TORN, 2, "block 1")) == "torn: 2 x, first at block 1"


def test_a_transfer_that_did_not_happen_is_untouched() -> None:
    """When nothing arrived, every descriptor is untouched, and the first in memory is named."""
    scene = arrived("head")
    scene.bytes[:] = paint()
    assert scene.diagnose() == (
        Finding(Fault.UNTOUCHED, len(scene.plan), "block 0, layer 0, K, head 0, token 0, byte 0"),
    )


def test_one_missing_descriptor_is_untouched() -> None:
    """A single page that did not arrive is named by block, layer and V."""
    scene = arrived("page")
    at = BLOCK_5 + 256 + 128
    scene.spoil(at, paint()[at : at + 128])
    assert scene.diagnose() == (Finding(Fault.UNTOUCHED, 1, "block 5, layer 1, V, head 0, token 0, byte 0"),)


def test_a_missing_latent_layer_has_neither_k_nor_head() -> None:
    """MLA's places are layers of the latent."""
    scene = arrived("layer", LATENT)
    at = BLOCK_3 + 256
    scene.spoil(at, paint(LATENT)[at : at + 256])
    assert scene.diagnose() == (Finding(Fault.UNTOUCHED, 1, "block 3, layer 1, latent, token 0, byte 0"),)


@pytest.mark.parametrize("old", [0, EPOCH - 1])
def test_the_right_place_of_an_earlier_epoch_is_stale(old: int) -> None:
    """Content that an earlier window had moved there is stale, and both epochs are told."""
    scene = arrived("page")
    for at, origin in ((BLOCK_3, from_block(2)), (BLOCK_5 + 128, from_block(0, 128))):
        scene.spoil(at, kept(epoch=old)[origin : origin + 128])
    assert scene.diagnose() == (
        Finding(Fault.STALE, 2, f"block 3, layer 0, K, head 0, token 0, byte 0: holds epoch {old}, not {EPOCH}"),
    )


def test_an_epoch_that_is_still_to_come_is_not_stale() -> None:
    """Nobody can have written a later epoch yet: such words are corrupt."""
    scene = arrived("page")
    scene.spoil(BLOCK_3, kept(epoch=EPOCH + 1)[from_block(2) :][:128])
    assert [(found.fault, found.count) for found in scene.diagnose()] == [(Fault.CORRUPT, 1)]


def test_two_exchanged_descriptors_are_swapped() -> None:
    """Each of two exchanged pages is told with the page of the prefill pool that it holds."""
    scene = arrived("page")
    scene.spoil(BLOCK_5, kept()[from_block(1, 384) :][:128])
    scene.spoil(BLOCK_0 + 384, kept()[from_block(0) :][:128])
    place = "block 0, layer 1, V, head 0, token 0, byte 0"
    held = "holds the prefill pool's block 1, layer 0, K, head 0, token 0, byte 0"
    assert scene.diagnose() == (Finding(Fault.SWAPPED, 2, f"{place}: {held}"),)


def test_exchanged_heads_are_swapped() -> None:
    """Two heads of one page in the wrong order, as a wrong stride makes them, are swapped, not shifted."""
    scene = arrived("head")
    scene.spoil(BLOCK_0 + 128, kept()[from_block(1, 192) :][:64])
    scene.spoil(BLOCK_0 + 192, kept()[from_block(1, 128) :][:64])
    (found,) = scene.diagnose()
    assert (found.fault, found.count) == (Fault.SWAPPED, 2)
    assert found.example == (
        "block 0, layer 0, V, head 0, token 0, byte 0: "
        "holds the prefill pool's block 4, layer 0, V, head 1, token 0, byte 0"
    )


@pytest.mark.parametrize("shift", [*range(1, 8), 8, 24, 64])
def test_content_that_was_read_too_far_on_is_shifted(shift: int) -> None:
    """A page read some bytes behind its start is shifted by so many bytes, inside words and by words."""
    scene = arrived("page")
    scene.spoil(BLOCK_3 + 128, kept()[from_block(2, 128 + shift) :][:128])
    assert scene.diagnose() == (
        Finding(Fault.SHIFTED, 1, f"block 3, layer 0, V, head 0, token 0, byte 0: {shift:+d} bytes"),
    )


@pytest.mark.parametrize("shift", [*range(1, 8), 8, 24, 64])
def test_content_that_was_read_too_early_is_shifted(shift: int) -> None:
    """A page read some bytes before its start is shifted back by so many."""
    scene = arrived("page")
    scene.spoil(BLOCK_3 + 128, kept()[from_block(2, 128 - shift) :][:128])
    assert scene.diagnose() == (
        Finding(Fault.SHIFTED, 1, f"block 3, layer 0, V, head 0, token 0, byte 0: {-shift:+d} bytes"),
    )


@pytest.mark.parametrize("shift", [*range(1, 8), 8, 24, 64])
def test_content_that_was_written_too_far_on_is_shifted_and_overruns(shift: int) -> None:
    """A block written behind its place leaves paint before it and runs over its end; both are told."""
    scene = arrived("block")
    scene.spoil(BLOCK_3, paint()[BLOCK_3 : BLOCK_3 + 512])
    scene.spoil(BLOCK_3 + shift, kept()[from_block(2) :][:512])
    assert scene.diagnose() == (
        Finding(Fault.SHIFTED, 1, f"block 3, layer 0, K, head 0, token 0, byte 0: {-shift:+d} bytes"),
        Finding(Fault.OVERRUN, 1, "block 4, layer 0, K, head 0, token 0, byte 0: nothing was to be written there"),
    )


@pytest.mark.parametrize("shift", [*range(1, 8), 8, 24])
def test_content_that_was_written_too_early_is_shifted_and_overruns(shift: int) -> None:
    """A block written before its place leaves paint at its end and runs over its start; both are told."""
    scene = arrived("block")
    scene.spoil(BLOCK_3, paint()[BLOCK_3 : BLOCK_3 + 512])
    scene.spoil(BLOCK_3 - shift, kept()[from_block(2) :][:512])
    assert scene.diagnose() == (
        Finding(Fault.SHIFTED, 1, f"block 3, layer 0, K, head 0, token 0, byte 0: {shift:+d} bytes"),
        Finding(
            Fault.OVERRUN,
            1,
            f"block 2, layer 1, V, head 1, token 1, byte {32 - shift}: nothing was to be written there",
        ),
    )


@pytest.mark.parametrize("missing", [8, 24, 120, 1, 5, 29, 127])
def test_a_descriptor_that_ends_early_is_torn(missing: int) -> None:
    """A page whose last bytes did not arrive is torn, also where the cut lies inside a word."""
    scene = arrived("page")
    end = BLOCK_0 + 128
    scene.spoil(end - missing, paint()[end - missing : end])
    words = -(-missing // 8)
    token, byte = divmod(128 - 8 * words, 32)
    where = f"block 0, layer 0, K, head {token // 2}, token {token % 2}, byte {byte}"
    assert scene.diagnose() == (Finding(Fault.TORN, 1, f"{where}: {words} of 16 words did not arrive whole"),)


def test_a_hole_in_a_descriptor_is_torn() -> None:
    """A page of which a piece in the middle did not arrive is torn."""
    scene = arrived("page")
    at = BLOCK_5 + 128 + 32
    scene.spoil(at, paint()[at : at + 32])
    assert scene.diagnose() == (
        Finding(Fault.TORN, 1, "block 5, layer 0, V, head 0, token 1, byte 0: 4 of 16 words did not arrive whole"),
    )


def test_nobodys_content_is_corrupt() -> None:
    """Bytes that no worker ever wrote are corrupt, and the wrong words of the first descriptor are counted."""
    scene = arrived("page")
    scene.spoil(BLOCK_3 + 256 + 40, noise(24))
    scene.spoil(BLOCK_5 + 128, noise(128, seed=2))
    assert scene.diagnose() == (
        Finding(Fault.CORRUPT, 2, "block 3, layer 1, K, head 0, token 1, byte 8: 3 words are nobody's content"),
    )


@pytest.mark.parametrize("bit", [0, 17, 63])
def test_a_flipped_bit_is_corrupt(bit: int) -> None:
    """One wrong bit in a head is one word of nobody's."""
    scene = arrived("head")
    scene.words[(BLOCK_5 + 64) // 8] ^= np.uint64(1 << bit)
    assert scene.diagnose() == (
        Finding(Fault.CORRUPT, 1, "block 5, layer 0, K, head 1, token 0, byte 0: 1 words are nobody's content"),
    )


def test_zeros_are_corrupt() -> None:
    """A page of zeros, as fresh memory has it, is nobody's content."""
    scene = arrived("page")
    scene.spoil(BLOCK_5, np.zeros(128, np.uint8))
    assert [(found.fault, found.count) for found in scene.diagnose()] == [(Fault.CORRUPT, 1)]


@pytest.mark.parametrize("count", [1, 8, 13, 200])
def test_bytes_behind_a_descriptor_are_an_overrun(count: int) -> None:
    """What follows a descriptor without a gap has run over its end, from one byte on."""
    scene = arrived("page")
    scene.spoil(BLOCK_5 + 512, kept()[from_block(0, 512) :][:count])
    assert scene.diagnose() == (
        Finding(Fault.OVERRUN, 1, "block 6, layer 0, K, head 0, token 0, byte 0: nothing was to be written there"),
    )


@pytest.mark.parametrize("count", [1, 8, 13])
def test_bytes_before_a_descriptor_are_an_overrun(count: int) -> None:
    """What touches the start of a descriptor from before is an overrun too; its first byte is named."""
    scene = arrived("page")
    scene.spoil(BLOCK_5 - count, noise(count))
    assert scene.diagnose() == (
        Finding(
            Fault.OVERRUN,
            1,
            f"block 4, layer 1, V, head 1, token 1, byte {32 - count}: nothing was to be written there",
        ),
    )


def test_a_guard_band_is_overrun() -> None:
    """The guard before the first block and behind the last is watched like the pool."""
    scene = arrived("block")
    scene.spoil(GUARD - 8, noise(8))
    assert scene.diagnose() == (Finding(Fault.OVERRUN, 1, "guard band at 56: nothing was to be written there"),)


@pytest.mark.parametrize(
    ("at", "place"),
    [
        (0, "guard band at 0"),
        (GUARD + 512 * BLOCKS + GUARD - 1, f"guard band at {GUARD + 512 * BLOCKS + GUARD - 1}"),
        (GUARD + 512 * 7 + 300, "block 7, layer 1, K, head 0, token 1, byte 12"),
    ],
)
def test_bytes_near_no_descriptor_are_stray(at: int, place: str) -> None:
    """A byte written far from every descriptor, in a guard band or an unused block, is a stray."""
    scene = arrived("page")
    scene.bytes[at] ^= np.uint8(255)
    assert scene.diagnose() == (Finding(Fault.STRAY, 1, f"{place}: nothing was to be written there"),)


def test_every_stretch_of_strays_is_counted() -> None:
    """Faults in gaps are counted by gap, for a gap has no descriptors to count."""
    scene = arrived("page")
    for block in (1, 4, 6):  # block 1 and 2 are one gap, 4 is one, 6 and 7 are one
        scene.bytes[GUARD + 512 * block + 100] ^= np.uint8(1)
    scene.bytes[GUARD + 512 * 2 + 100] ^= np.uint8(1)
    (found,) = scene.diagnose()
    assert (found.fault, found.count) == (Fault.STRAY, 3)
    assert found.example.startswith("block 1, layer 0, K, head 1, token 1, byte 4: ")


def test_many_faults_are_told_apart() -> None:
    """Each kind of fault has one finding, in the order of the list of faults, with its own first place."""
    scene = arrived("page")
    scene.spoil(BLOCK_0, paint()[BLOCK_0 : BLOCK_0 + 128])
    scene.spoil(BLOCK_0 + 128, kept(epoch=3)[from_block(1, 128) :][:128])
    scene.spoil(BLOCK_0 + 256, kept()[from_block(2) :][:128])
    scene.spoil(BLOCK_0 + 384, kept()[from_block(1, 384 + 3) :][:128])
    scene.spoil(BLOCK_3 + 64, paint()[BLOCK_3 + 64 : BLOCK_3 + 128])
    scene.spoil(BLOCK_3 + 128, noise(128))
    scene.spoil(BLOCK_3 + 512, noise(9))
    scene.spoil(GUARD + 512 * 7, noise(9))
    found = scene.diagnose()
    assert [(one.fault, one.count) for one in found] == [
        (Fault.UNTOUCHED, 1),
        (Fault.STALE, 1),
        (Fault.SWAPPED, 1),
        (Fault.SHIFTED, 1),
        (Fault.TORN, 1),
        (Fault.CORRUPT, 1),
        (Fault.OVERRUN, 1),
        (Fault.STRAY, 1),
    ]
    assert [one.example.split(", head")[0] for one in found] == [
        "block 0, layer 0, K",
        "block 0, layer 0, V",
        "block 0, layer 1, K",
        "block 0, layer 1, V",
        "block 3, layer 0, K",
        "block 3, layer 0, V",
        "block 4, layer 0, K",
        "block 7, layer 0, K",
    ]


def test_rows_in_any_order_are_told_in_the_order_of_memory() -> None:
    """A shuffled plan is diagnosed like a sorted one."""
    scene = arrived("head")
    order = np.random.default_rng(5).permutation(len(scene.plan))
    plan = scene.plan
    scene.plan = Plan(np.ascontiguousarray(plan.source[order]), np.ascontiguousarray(plan.destination[order]), 0, 0, 0)
    assert scene.diagnose() == ()
    for at in (BLOCK_5, BLOCK_3 + 448):
        scene.spoil(at, paint()[at : at + 64])
    assert scene.diagnose() == (Finding(Fault.UNTOUCHED, 2, "block 3, layer 1, V, head 1, token 0, byte 0"),)


@given(st.data())
def test_whatever_is_written_is_found_or_right(windows: st.SearchStrategy[Any], data: st.DataObject) -> None:
    """Any bytes anywhere have a finding exactly if the check sees a difference; nothing makes the diagnosis fail."""
    window = data.draw(windows)
    words = window.copied(EPOCH)
    content = window.content(EPOCH)
    size = window.words * 8
    for written in data.draw(st.lists(st.binary(min_size=1, max_size=40), max_size=4)):
        piece = np.frombuffer(written, np.uint8)[:size]
        at = data.draw(st.integers(0, size - len(piece)))
        words.view(np.uint8)[at : at + len(piece)] = piece
    places = Places(str, str)
    found = diagnose(
        words, window.plans, source=window.source, destination=window.destination, epoch=EPOCH, places=places
    )
    assert bool(found) == (stamp.first_difference(words, content) is not None)
    assert all(one.count > 0 for one in found)
    assert len({one.fault for one in found}) == len(found)


@given(st.data())
def test_misdirected_content_is_found_or_right(windows: st.SearchStrategy[Any], data: st.DataObject) -> None:
    """The same for our own words in wrong places: of either side, of any epoch, off by any number of bytes."""
    window = data.draw(windows)
    words = window.copied(EPOCH)
    size = window.words * 8
    for _ in range(data.draw(st.integers(1, 3))):
        side, epoch = data.draw(st.sampled_from(stamp.Side)), data.draw(st.integers(EPOCH - 1, EPOCH + 1))
        other = np.empty(window.words, np.uint64)
        stamp.fill(other, stamp.uniform(window.words, side, epoch))
        length = data.draw(st.integers(1, size))
        start, at = (data.draw(st.integers(0, size - length)) for _ in range(2))
        words.view(np.uint8)[at : at + length] = other.view(np.uint8)[start : start + length]
    found = diagnose(
        words,
        window.plans,
        source=window.source,
        destination=window.destination,
        epoch=EPOCH,
        places=Places(str, str),
    )
    assert bool(found) == (stamp.first_difference(words, window.content(EPOCH)) is not None)


def test_several_samples_are_diagnosed_as_one_window(make_window: Callable[..., Any]) -> None:
    """Descriptors of every sample of a window are counted together."""
    first, second = make_window(40, (0, 2, 4)), make_window(40, (8, 20, 4))
    words = np.empty(40, np.uint64)
    stamp.fill(words, stamp.uniform(40, stamp.Side.DECODE, EPOCH))
    plans = [*first.plans, *second.plans]
    found = diagnose(
        words,
        plans,
        source=first.source,
        destination=first.destination,
        epoch=EPOCH,
        places=Places(str, lambda at: f"byte {at}"),
    )
    assert found == (Finding(Fault.UNTOUCHED, 2, "byte 16"),)
